import { semanticEqual } from '../../api/groups/semantic-equal.ts';
import type { KubernetesObject, LabelSelector, OwnerReference } from '../../api/meta/object.ts';
import { isAlreadyExists, isNotFound } from '../../api/meta/status.ts';
import type { ControllerRevision } from '../../api/types/apps-v1.ts';
import type { PodTemplateSpec } from '../../api/types/core-v1.ts';
import type { Informer, ResourceClient } from '../../client/contract.ts';
import { selectorMatches } from '../label-selector.ts';
import { claim } from './controller-ref.ts';
import { candidatesFor } from './pods-of.ts';
import { templateHash } from './template-hash.ts';

/** Label of pods, and of a DaemonSet's revisions, that names the revision. */
export const REVISION_HASH = 'controller-revision-hash';
/** Longest part of the owner's name in a revision's. */
const MAX_PREFIX = 223;

/**
 * What a revision keeps: a strategic merge patch that puts the template back. kubectl's undo applies it as it stands. Upstream's controllers
 * compare it byte for byte, names in order, so that they find again what they have or were handed.
 */
export function revisionData(template: PodTemplateSpec): Readonly<Record<string, unknown>> {
  return { spec: { template: inOrder({ ...template, $patch: 'replace' }) } };
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, inOrder(item)]));
}

/** The template a revision keeps; undefined when it holds something else. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec | undefined {
  const template = (revision.data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } } | undefined)?.spec?.template;
  if (template === undefined) return undefined;
  const { $patch: _, ...rest } = template;
  return rest;
}

const holds = (revision: ControllerRevision, template: PodTemplateSpec): boolean => {
  const kept = templateOf(revision);
  return kept !== undefined && semanticEqual('io.k8s.api.core.v1.PodTemplateSpec', kept, template);
};

/** Oldest first. */
export function sortedRevisions(revisions: readonly ControllerRevision[]): readonly ControllerRevision[] {
  const key = (r: ControllerRevision): string => `${r.metadata?.creationTimestamp ?? ''} ${r.metadata?.name ?? ''}`;
  return [...revisions].sort((a, b) => a.revision - b.revision || (key(a) < key(b) ? -1 : 1));
}

/** What to do so that the newest revision holds the template: nothing, renumber an older one that does, or make one. */
export type RevisionPlan =
  | { readonly action: 'keep'; readonly revision: ControllerRevision }
  | { readonly action: 'renumber'; readonly revision: ControllerRevision }
  | { readonly action: 'create'; readonly number: number };

/** `revisions` sorted. Pure. */
export function planRevision(revisions: readonly ControllerRevision[], template: PodTemplateSpec): RevisionPlan {
  const newest = revisions.at(-1);
  if (newest !== undefined && holds(newest, template)) return { action: 'keep', revision: newest };
  const number = (newest?.revision ?? 0) + 1;
  const equal = revisions.findLast((revision) => holds(revision, template));
  if (equal !== undefined) return { action: 'renumber', revision: { ...equal, revision: number } };
  return { action: 'create', number };
}

/** The revisions to delete: those that nobody uses, beyond the limit, oldest first. `revisions` sorted. Pure. */
export function excessRevisions(
  revisions: readonly ControllerRevision[],
  inUse: (revision: ControllerRevision) => boolean,
  limit: number,
): readonly ControllerRevision[] {
  const idle = revisions.filter((revision) => !inUse(revision));
  return idle.slice(0, Math.max(0, idle.length - limit));
}

export interface RevisionOwner {
  readonly object: KubernetesObject;
  readonly ref: OwnerReference;
  readonly selector: LabelSelector | undefined;
  readonly template: PodTemplateSpec;
  readonly collisionCount: number;
  /** The label of a revision that holds its hash. */
  readonly hashLabel: string;
  readonly freshOwner: () => Promise<KubernetesObject>;
}

export interface CurrentRevisions {
  /** All of the owner's, oldest first. */
  readonly all: readonly ControllerRevision[];
  /** The one that holds the template as it is now. */
  readonly update: ControllerRevision;
  /** Higher than before when a name was taken. */
  readonly collisionCount: number;
}

/** Claims an owner's revisions and sees that the newest holds its template. */
export async function reviseHistory(
  owner: RevisionOwner,
  informer: Informer<ControllerRevision>,
  client: ResourceClient<ControllerRevision>,
  signal: AbortSignal,
): Promise<CurrentRevisions> {
  const claimed = await claim<ControllerRevision>({
    owner: owner.object,
    ownerRef: owner.ref,
    candidates: candidatesFor(informer, owner.object),
    matches: (revision) => selectorMatches(owner.selector, revision.metadata?.labels),
    client,
    freshOwner: owner.freshOwner,
  });
  const all = sortedRevisions(claimed);
  const plan = planRevision(all, owner.template);
  switch (plan.action) {
    case 'keep':
      return { all, update: plan.revision, collisionCount: owner.collisionCount };
    case 'renumber': {
      const update = await client.update(plan.revision, { signal });
      const others = all.filter((revision) => revision.metadata?.name !== update.metadata?.name);
      return { all: [...others, update], update, collisionCount: owner.collisionCount };
    }
    case 'create': {
      const made = await create(owner, plan.number, client, signal);
      return { all: [...all, made.update], ...made };
    }
  }
}

async function create(
  owner: RevisionOwner,
  number: number,
  client: ResourceClient<ControllerRevision>,
  signal: AbortSignal,
): Promise<{ readonly update: ControllerRevision; readonly collisionCount: number }> {
  const { name = '', namespace = '', annotations } = owner.object.metadata ?? {};
  for (let { collisionCount } = owner; ; collisionCount++) {
    const hash = templateHash(owner.template, collisionCount);
    const revision: ControllerRevision = {
      metadata: {
        name: `${name.slice(0, MAX_PREFIX)}-${hash}`,
        namespace,
        labels: { ...owner.template.metadata?.labels, [owner.hashLabel]: hash },
        ...(annotations === undefined ? {} : { annotations }),
        ownerReferences: [owner.ref],
      },
      data: revisionData(owner.template),
      revision: number,
    };
    try {
      return { update: await client.create(revision, { signal }), collisionCount };
    } catch (err) {
      if (!isAlreadyExists(err)) throw err;
      const there = await client.get(revision.metadata!.name!, namespace, { signal });
      // Made by ourselves a moment ago; else another template of the same hash has the name.
      if (holds(there, owner.template)) return { update: there, collisionCount };
    }
  }
}

/** Deletes revisions; those already gone count as done. */
export async function deleteRevisions(
  list: readonly ControllerRevision[],
  client: ResourceClient<ControllerRevision>,
  signal: AbortSignal,
): Promise<void> {
  for (const { metadata } of list) {
    try {
      await client.delete(metadata!.name!, metadata!.namespace!, { signal });
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }
}
