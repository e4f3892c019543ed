import { deepEqual } from '../../api/groups/define.ts';
import type { ComponentStatus } from '../../api/types/core-v1.ts';
import { PreconditionError } from '../../store/contract.ts';
import type { Endpoint } from '../rest/endpoint.ts';
import type { ApiServer } from '../server.ts';
import type { HealthCheck } from './health-checks.ts';

/**
 * Serves ComponentStatus (deprecated since 1.19, and still what `kubectl get cs` shows): every check is made anew when somebody asks, and what
 * came of it stands in a collection that is in memory only.
 */
export function addComponentStatuses(server: ApiServer, checks: readonly HealthCheck[]): void {
  const endpoint = server.registry.find('', 'v1', 'componentstatuses');
  if (endpoint === undefined) return;
  let running: Promise<void> | undefined;
  endpoint.refresh = () => {
    // Those who ask at the same time get the same answer.
    running ??= Promise.all(checks.map((check) => update(endpoint, check))).then(
      () => {
        running = undefined;
      },
      (err: unknown) => {
        running = undefined;
        throw err;
      },
    );
    return running;
  };
}

async function update(endpoint: Endpoint, check: HealthCheck): Promise<void> {
  const status = await statusOf(check);
  const key = endpoint.key('', check.name);
  const known = endpoint.collection.get(key);
  if (known !== undefined && deepEqual((known.object as ComponentStatus).conditions, status.conditions)) return;
  try {
    await endpoint.collection.write({ type: 'put', key, object: status, expectedRevision: known?.revision ?? 0 });
  } catch (err) {
    // Another request's answer came first; it is as new as this one.
    if (!(err instanceof PreconditionError)) throw err;
  }
}

async function statusOf({ name, check }: HealthCheck): Promise<ComponentStatus & { readonly apiVersion: 'v1' }> {
  const head = { apiVersion: 'v1', kind: 'ComponentStatus', metadata: { name } } as const;
  try {
    await check();
    return { ...head, conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }] };
  } catch (err) {
    return { ...head, conditions: [{ type: 'Healthy', status: 'False', message: (err as Error).message }] };
  }
}
