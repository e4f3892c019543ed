import type { GroupVersionResource } from '../../../api/meta/object.ts';
import { isConflict, isNotFound } from '../../../api/meta/status.ts';
import { type Amounts, measureUsage, quotaEvaluator, sameAmounts, toResourceList } from '../../../api/quota/index.ts';
import type { ResourceQuota } from '../../../api/types/core-v1.ts';
import {
  type AdmissionAttributes,
  type AdmissionPlugin,
  type AdmissionTarget,
  type ApiAccess,
  loopbackUser,
  type ResourceView,
} from '../../contract.ts';
import { NamespaceIndex } from '../namespace-index.ts';
import { chargeQuotas, type RunningQuota, runningQuota } from './check-quotas.ts';

/** How often a charge is tried again when somebody else has written a quota meanwhile: one that is refused would refuse the objects it is for. */
const MAX_CONFLICT_RETRIES = 20;

/** What no quota counts, `group/resource`. */
const uncounted: ReadonlySet<string> = new Set([
  '/events',
  'events.k8s.io/events',
  '/bindings',
  '/componentstatuses',
  'authentication.k8s.io/tokenreviews',
  'authentication.k8s.io/selfsubjectreviews',
  'authorization.k8s.io/subjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
]);

/** A request that waits for its charge. */
interface Waiting {
  readonly attributes: AdmissionAttributes;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Keeps namespaces within their ResourceQuotas. What a request will use is charged to the status of the quotas before it is carried out, so
 * that two requests never get the same last share. The requests of a namespace are charged together: one write, however many there are.
 */
export function resourceQuota(): AdmissionPlugin {
  return new ResourceQuotaPlugin();
}

class ResourceQuotaPlugin implements AdmissionPlugin {
  readonly name = 'ResourceQuota';
  #access: ApiAccess | undefined;
  #view: ResourceView<ResourceQuota> | undefined;
  #quotas: NamespaceIndex<ResourceQuota> | undefined;
  /** Requests by namespace, of those namespaces where a charge is under way. */
  readonly #waiting = new Map<string, Waiting[]>();

  initialize(access: ApiAccess): void {
    this.#access = access;
    this.#view = access.view<ResourceQuota>('', 'resourcequotas');
    this.#quotas = this.#view === undefined ? undefined : new NamespaceIndex(this.#view);
  }

  handles({ operation, group, resource, subresource }: AdmissionTarget): boolean {
    if (operation === 'CREATE') return subresource === '' && !uncounted.has(`${group}/${resource}`);
    if (operation !== 'UPDATE' || group !== '') return false;
    if (resource === 'pods') return subresource === 'resize';
    return subresource === '' && (resource === 'services' || resource === 'persistentvolumeclaims');
  }

  validate(attributes: AdmissionAttributes): void | Promise<void> {
    const { namespace, resource } = attributes;
    if (namespace === '' || this.#quotas === undefined) return undefined;
    const quotas = this.#quotas.of(namespace);
    if (quotas.length === 0 || !quotas.some((quota) => limits(quota, resource))) return undefined;
    return new Promise((resolve, reject) => {
      const entry: Waiting = { attributes, resolve, reject };
      const queue = this.#waiting.get(namespace);
      if (queue !== undefined) {
        queue.push(entry);
        return;
      }
      this.#waiting.set(namespace, [entry]);
      void this.#work(namespace);
    });
  }

  /** Charges what waits in a namespace, batch after batch, until nothing does. */
  async #work(namespace: string): Promise<void> {
    for (;;) {
      // Whoever asks in this turn of the loop shares the batch.
      await undefined;
      const batch = this.#waiting.get(namespace) ?? [];
      if (batch.length === 0) break;
      this.#waiting.set(namespace, []);
      try {
        await this.#charge(namespace, batch);
      } catch (err) {
        for (const { reject } of batch) reject(err);
      }
    }
    this.#waiting.delete(namespace);
  }

  async #charge(namespace: string, batch: readonly Waiting[]): Promise<void> {
    let names: ReadonlySet<string> | undefined;
    let open = batch;
    for (let attempt = 0; ; attempt++) {
      const now = this.#access!.clock.now();
      const known = this.#quotas!.of(namespace).filter((q) => names?.has(q.metadata?.name ?? '') ?? true);
      const before = await Promise.all(
        known.map((quota) => runningQuota(quota, (missing) => this.#measure(quota, missing, now))),
      );
      const { quotas, charged } = admit(before, open, now);
      const results = await Promise.allSettled(quotas.flatMap((q, i) => (q === before[i] ? [] : [this.#write(q, before[i]!)])));
      const failed = results.filter((r) => r.status === 'rejected');
      if (failed.length === 0) {
        for (const { resolve } of charged) resolve();
        return;
      }
      const fault = failed.find((r) => !isConflict(r.reason));
      if (fault !== undefined || attempt >= MAX_CONFLICT_RETRIES) throw (fault ?? failed[0])!.reason;
      // The quotas that took the charge have it; the others are looked at again, as they are by now.
      const written = quotas.filter((q, i) => q !== before[i]);
      names = new Set(written.filter((_, i) => results[i]!.status === 'rejected').map((q) => q.quota.metadata?.name ?? ''));
      open = charged;
    }
  }

  async #write({ quota, hard, used }: RunningQuota, before: RunningQuota): Promise<void> {
    if (sameAmounts(used, before.used)) return;
    const { name = '', namespace = '' } = quota.metadata ?? {};
    const body = { ...quota, status: { hard: toResourceList(hard), used: toResourceList(used) } };
    const request = { group: '', version: 'v1', resource: 'resourcequotas', subresource: 'status', namespace, name };
    try {
      await this.#access!.handler.handle({ verb: 'update', ...request, options: {}, body }, loopbackUser);
    } catch (err) {
      // A quota that is gone limits nothing.
      if (!isNotFound(err)) throw err;
    }
  }

  #measure(quota: ResourceQuota, names: readonly string[], now: number): Promise<Amounts> {
    const namespace = quota.metadata?.namespace ?? '';
    return measureUsage(quota, names, (group, resource) => this.#access!.view(group, resource)?.list(namespace) ?? [], now);
  }
}

/** Whether a quota counts anything about objects of a type. */
function limits({ spec }: ResourceQuota, { group, resource }: GroupVersionResource): boolean {
  const evaluator = quotaEvaluator(group, resource);
  return Object.keys(spec?.hard ?? {}).some((name) => evaluator.counts(name));
}

/** Charges requests one after the other; answers at once those that do not fit, and those that cost nothing. */
function admit(
  before: readonly RunningQuota[],
  batch: readonly Waiting[],
  now: number,
): { readonly quotas: readonly RunningQuota[]; readonly charged: readonly Waiting[] } {
  let quotas = before;
  const charged: Waiting[] = [];
  for (const entry of batch) {
    try {
      const after = chargeQuotas(quotas, entry.attributes, now);
      if (entry.attributes.dryRun || after === quotas) {
        entry.resolve();
      } else {
        quotas = after;
        charged.push(entry);
      }
    } catch (err) {
      entry.reject(err);
    }
  }
  return { quotas, charged };
}
