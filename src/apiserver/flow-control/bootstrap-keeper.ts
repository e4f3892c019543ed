import { deepEqual } from '../../api/groups/define.ts';
import {
  AUTO_UPDATE,
  mandatoryLevels,
  mandatorySchemas,
  suggestedLevels,
  suggestedSchemas,
} from '../../api/groups/flowcontrol/bootstrap-configuration.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { isConflict, isNotFound } from '../../api/meta/status.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/types/flowcontrol-v1.ts';
import type { Timer } from '../../util/clock.ts';
import { type ApiAccess, loopbackUser } from '../contract.ts';

const GROUP = 'flowcontrol.apiserver.k8s.io';
const FIELD_MANAGER = 'api-priority-and-fairness-config-producer-v1';
/** How often what is missing is made again. */
const PERIOD_MS = 60_000;

type Config = (FlowSchema | PriorityLevelConfiguration) & KubernetesObject;
type Plural = 'flowschemas' | 'prioritylevelconfigurations';

/**
 * Keeps the mandatory and suggested objects: makes those that are missing, brings those up to date that nobody has made their own (by the
 * annotation, or by their generation), and deletes what an older version had suggested.
 */
export class BootstrapKeeper {
  readonly #access: ApiAccess;

  constructor(access: ApiAccess) {
    this.#access = access;
  }

  /** Resolves when all are there, and goes on to look after them. Rejects when they cannot be made. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#access;
    await this.#ensure();
    let timer: Timer;
    const again = (): void => {
      timer = clock.setTimer(PERIOD_MS, () => {
        this.#ensure()
          .catch((err: unknown) => logger.warn({ err }, 'bootstrap configuration of priority and fairness could not be kept'))
          .finally(() => {
            if (!signal.aborted) again();
          });
      });
    };
    again();
    signal.addEventListener('abort', () => timer.cancel());
  }

  async #ensure(): Promise<void> {
    await Promise.all([
      this.#ensureAll('flowschemas', mandatorySchemas, suggestedSchemas),
      this.#ensureAll('prioritylevelconfigurations', mandatoryLevels, suggestedLevels),
    ]);
    await this.#removeOutdated('flowschemas', [...mandatorySchemas, ...suggestedSchemas]);
    await this.#removeOutdated('prioritylevelconfigurations', [...mandatoryLevels, ...suggestedLevels]);
  }

  async #ensureAll(resource: Plural, mandatory: readonly Config[], suggested: readonly Config[]): Promise<void> {
    const all = [...mandatory, ...suggested];
    const missing = all.filter((wanted) => this.#find(resource, wanted.metadata?.name ?? '') === undefined);
    await Promise.all([
      this.#access.seed({ group: GROUP, version: 'v1', resource }, missing, FIELD_MANAGER),
      ...mandatory.map((wanted) => this.#keep(resource, wanted, true)),
      ...suggested.map((wanted) => this.#keep(resource, wanted, false)),
    ]);
  }

  async #keep(resource: Plural, wanted: Config, mandatory: boolean): Promise<void> {
    const name = wanted.metadata?.name ?? '';
    const found = this.#find(resource, name);
    if (found === undefined) return;
    const updated = broughtUpToDate(found, wanted, mandatory);
    if (updated === found) return;
    try {
      await this.#request('update', resource, name, updated);
    } catch (err) {
      // Somebody wrote meanwhile: the next round sees what came of it.
      if (!isConflict(err)) throw err;
    }
  }

  async #removeOutdated(resource: Plural, current: readonly Config[]): Promise<void> {
    const names = new Set(current.map((o) => o.metadata?.name));
    const { view } = this.#access;
    for (const found of view<Config>(GROUP, resource)?.list() ?? []) {
      const name = found.metadata?.name ?? '';
      if (names.has(name) || parseBool(found.metadata?.annotations?.[AUTO_UPDATE]) !== true) continue;
      try {
        await this.#request('delete', resource, name, undefined);
      } catch (err) {
        if (!isNotFound(err)) throw err;
      }
    }
  }

  #find(resource: Plural, name: string): Config | undefined {
    return this.#access.view<Config>(GROUP, resource)?.get('', name);
  }

  async #request(verb: 'update' | 'delete', resource: Plural, name: string, body: KubernetesObject | undefined): Promise<void> {
    await this.#access.handler.handle(
      {
        verb,
        group: GROUP,
        version: 'v1',
        resource,
        namespace: '',
        name,
        options: verb === 'delete' ? {} : { fieldManager: FIELD_MANAGER },
        ...(body === undefined ? {} : { body }),
      },
      loopbackUser,
    );
  }
}

/** `found` as it has to be; the same object when it is so, or when it is its administrators'. */
export function broughtUpToDate(found: Config, wanted: Config, mandatory: boolean): Config {
  const annotation = found.metadata?.annotations?.[AUTO_UPDATE];
  const said = parseBool(annotation);
  const ours = mandatory || (said ?? found.metadata?.generation === 1);
  const spec = ours ? wantedSpec(found, wanted) : found.spec;
  if (said === ours && deepEqual(spec, found.spec)) return found;
  return {
    ...found,
    metadata: { ...found.metadata, annotations: { ...found.metadata?.annotations, [AUTO_UPDATE]: String(ours) } },
    spec,
  } as Config;
}

/** What the level `exempt` lends is its administrators' to say. */
function wantedSpec(found: Config, wanted: Config): Config['spec'] {
  const exempt = (found as PriorityLevelConfiguration).spec?.exempt;
  const spec = wanted.spec as PriorityLevelConfiguration['spec'];
  return spec?.exempt === undefined || exempt === undefined ? wanted.spec : { ...spec, exempt };
}

/** As Go's strconv.ParseBool. */
function parseBool(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  return /^(0|f|F|false|FALSE|False)$/.test(text) ? false : undefined;
}
