import { isConflict, isNotFound } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import type { ApiRequest } from '../../api/request.ts';
import type { APIService, APIServiceSpec } from '../../api/types/apiregistration-v1.ts';
import { loopbackUser, type ResourceView } from '../contract.ts';
import { isCustom } from '../rest/endpoint.ts';
import type { ApiServer } from '../server.ts';
import { localAvailability, withAvailability } from './availability.ts';
import { builtinPriority, CUSTOM_PRIORITY } from './priorities.ts';

/** Tells that an APIService is kept by the server: `onstart` once at its start, `true` always. */
export const AUTOMANAGED = 'kube-aggregator.kubernetes.io/automanaged';
export const GROUP = 'apiregistration.k8s.io';
export const PLURAL = 'apiservices';
const FIELD_MANAGER = 'kube-aggregator';

type Management = 'onstart' | 'true';

/** What shall be registered, by name. */
interface Wanted {
  readonly spec: APIServiceSpec;
  readonly management: Management;
}

/**
 * Keeps an APIService for each group version served here. Those of built-in types are brought into being at the start, and stay away when
 * somebody deletes them later; those of custom types come and go with what they stand for. What somebody else made by such a name is theirs.
 */
export class Registration {
  readonly #server: ApiServer;
  readonly #view: ResourceView<APIService>;
  /** Built-in ones have been seen to. */
  #started = false;

  constructor(server: ApiServer, view: ResourceView<APIService>) {
    this.#server = server;
    this.#view = view;
  }

  /** Brings what is registered in line with what is served. Rejects when a write failed for good. */
  async reconcile(): Promise<void> {
    const first = !this.#started;
    this.#started = true;
    const wanted = this.#wanted();
    const writes: Promise<void>[] = [];
    const missing: APIService[] = [];
    for (const [name, { spec, management }] of wanted) {
      if (management === 'onstart' && !first) continue;
      const found = this.#view.get('', name);
      if (found === undefined) missing.push(this.#made(name, spec, management));
      else if (isManaged(found) && !sameSpec(found.spec, spec)) writes.push(this.#update({ ...found, spec }));
    }
    for (const found of this.#view.list()) {
      const name = found.metadata?.name ?? '';
      const management = found.metadata?.labels?.[AUTOMANAGED];
      if (wanted.has(name) || management === undefined || (management !== 'true' && !first)) continue;
      writes.push(this.#remove(found));
    }
    await Promise.all([
      this.#server.access.seed({ group: GROUP, version: 'v1', resource: PLURAL }, missing, FIELD_MANAGER),
      ...writes,
    ]);
  }

  #wanted(): ReadonlyMap<string, Wanted> {
    const out = new Map<string, Wanted>();
    const { registry } = this.#server;
    const add = (group: string, version: string, management: Management): void => {
      const priority = management === 'true' ? CUSTOM_PRIORITY : builtinPriority(group, version);
      const spec: APIServiceSpec = {
        ...(group === '' ? {} : { group }),
        version,
        groupPriorityMinimum: priority.group,
        versionPriority: priority.version,
      };
      out.set(`${version}.${group}`, { spec, management });
    };
    for (const resource of registry.resources()) if (isCustom(resource)) add(resource.group, resource.version, 'true');
    for (const resource of registry.resources()) if (!isCustom(resource)) add(resource.group, resource.version, 'onstart');
    for (const virtual of registry.virtuals()) add(virtual.group, virtual.version, 'onstart');
    // The registration itself is served by the aggregator and is not registered (upstream).
    for (const name of out.keys()) if (name.endsWith(`.${GROUP}`)) out.delete(name);
    return out;
  }

  /** What this server serves is there from the start: it is made with the condition that tells so. */
  #made(name: string, spec: APIServiceSpec, management: Management): APIService {
    const metadata = { name, labels: { [AUTOMANAGED]: management } };
    const api = { apiVersion: `${GROUP}/v1`, kind: 'APIService', metadata, spec };
    return withAvailability(api, localAvailability, formatTime(this.#server.clock.now()));
  }

  async #update(body: APIService): Promise<void> {
    await this.#write({ verb: 'update', name: body.metadata?.name ?? '', body }, (err) => isConflict(err) || isNotFound(err));
  }

  async #remove({ metadata }: APIService): Promise<void> {
    const options = { preconditions: { uid: metadata?.uid ?? '' } };
    await this.#write({ verb: 'delete', name: metadata?.name ?? '', options }, (err) => isConflict(err) || isNotFound(err));
  }

  /** `settled`: an error that says that somebody else was quicker. */
  async #write(
    request: Pick<ApiRequest, 'verb' | 'name'> & Partial<ApiRequest>,
    settled: (err: unknown) => boolean,
  ): Promise<void> {
    const base = { group: GROUP, version: 'v1', resource: PLURAL, namespace: '', options: { fieldManager: FIELD_MANAGER } };
    try {
      await this.#server.handle({ ...base, ...request }, loopbackUser);
    } catch (err) {
      if (!settled(err)) throw err;
    }
  }
}

const isManaged = (api: APIService): boolean => api.metadata?.labels?.[AUTOMANAGED] !== undefined;

function sameSpec(a: APIServiceSpec | undefined, b: APIServiceSpec): boolean {
  const text = (spec: APIServiceSpec | undefined): string =>
    JSON.stringify([
      spec?.group ?? '',
      spec?.version,
      spec?.groupPriorityMinimum,
      spec?.versionPriority,
      spec?.service,
      spec?.caBundle,
      spec?.insecureSkipTLSVerify ?? false,
    ]);
  return text(a) === text(b);
}
