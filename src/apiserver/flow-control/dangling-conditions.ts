import { isNotFound } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import { patchTypes } from '../../api/request.ts';
import type { FlowSchema } from '../../api/types/flowcontrol-v1.ts';
import { type ApiAccess, loopbackUser } from '../contract.ts';

const FIELD_MANAGER = 'api-priority-and-fairness-config-consumer-v1';
/** Writes of one schema's status in a minute: two servers that disagree shall not write for ever. */
const MAX_WRITES_A_MINUTE = 6;
const MINUTE_MS = 60_000;

/** Keeps the `Dangling` conditions of flow schemas: whether the priority level that they name exists. */
export class DanglingConditions {
  readonly #access: ApiAccess;
  #writes: { readonly name: string; readonly at: number }[] = [];
  #running: Promise<void> = Promise.resolve();
  /** Whether something is left to be written. */
  behind = false;

  constructor(access: ApiAccess) {
    this.#access = access;
  }

  /** Writes the conditions that are not as they should be. `levels` are the names of those there are. Rejects when a write fails. */
  maintain(schemas: readonly FlowSchema[], levels: ReadonlySet<string>): Promise<void> {
    const now = this.#access.clock.monotonic();
    this.#writes = this.#writes.filter((w) => w.at > now - MINUTE_MS);
    this.behind = false;
    const due = schemas.flatMap((schema) => {
      const condition = wantedCondition(schema, levels);
      return isSo(schema, condition) ? [] : [{ name: schema.metadata?.name ?? '', condition }];
    });
    if (due.length === 0) return Promise.resolve();
    const allowed = due.filter(({ name }) => this.#writes.filter((w) => w.name === name).length < MAX_WRITES_A_MINUTE);
    this.behind = allowed.length < due.length;
    for (const { name } of allowed) this.#writes.push({ name, at: now });
    const after = this.#running.then(async () => {
      for (const { name, condition } of allowed) await this.#write(name, condition);
    });
    this.#running = after.catch(() => {
      this.behind = true;
    });
    return after;
  }

  async #write(name: string, condition: Condition): Promise<void> {
    const { clock, handler } = this.#access;
    try {
      await handler.handle(
        {
          verb: 'patch',
          group: 'flowcontrol.apiserver.k8s.io',
          version: 'v1',
          resource: 'flowschemas',
          subresource: 'status',
          namespace: '',
          name,
          options: { fieldManager: FIELD_MANAGER, force: true },
          patchType: patchTypes.apply,
          body: {
            apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
            kind: 'FlowSchema',
            metadata: { name },
            status: { conditions: [{ ...condition, lastTransitionTime: formatTime(clock.now()) }] },
          },
        },
        loopbackUser,
      );
    } catch (err) {
      // Deleted meanwhile.
      if (!isNotFound(err)) throw err;
    }
  }
}

interface Condition {
  readonly type: 'Dangling';
  readonly status: 'True' | 'False';
  readonly reason: 'Found' | 'NotFound';
  readonly message: string;
}

function wantedCondition(schema: FlowSchema, levels: ReadonlySet<string>): Condition {
  const level = schema.spec?.priorityLevelConfiguration.name ?? '';
  const found = levels.has(level);
  const what = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return {
    type: 'Dangling',
    status: found ? 'False' : 'True',
    reason: found ? 'Found' : 'NotFound',
    message: found ? `${what} and it exists` : `${what} but there is no such object`,
  };
}

function isSo(schema: FlowSchema, wanted: Condition): boolean {
  const have = schema.status?.conditions?.find((c) => c.type === wanted.type);
  return have?.status === wanted.status && have.reason === wanted.reason && have.message === wanted.message;
}
