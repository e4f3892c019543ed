import { isNotFound } from '../api/meta/status.ts';
import type { ClusterRole, PolicyRule } from '../api/types/rbac-v1.ts';
import type { Controller } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { clusterRoles } from '../client/resource-refs.ts';
import { semanticallyEqual } from './equality.ts';
import { selectorMatches } from './label-selector.ts';

const WORKERS = 5;

/** The rules that an aggregated role is to have: those of the roles it selects, by name, each once. Undefined when it has them. Pure. */
export function planAggregation(role: ClusterRole, all: readonly ClusterRole[]): readonly PolicyRule[] | undefined {
  const selectors = role.aggregationRule?.clusterRoleSelectors;
  if (role.aggregationRule === undefined) return undefined;
  const name = role.metadata!.name!;
  const rules: PolicyRule[] = [];
  const ordered = [...all].sort((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1));
  for (const selector of selectors ?? []) {
    for (const other of ordered) {
      if (other.metadata?.name === name || !selectorMatches(selector, other.metadata?.labels)) continue;
      for (const rule of other.rules ?? []) if (!rules.some((known) => semanticallyEqual(known, rule))) rules.push(rule);
    }
  }
  return semanticallyEqual(rules, role.rules ?? []) ? undefined : rules;
}

/** Keeps the rules of aggregated ClusterRoles (admin, edit, view) those of the roles they select. */
export function clusterRoleAggregationController(): Controller {
  return {
    name: 'clusterrole-aggregation-controller',
    start(context, signal) {
      const roles = context.informers.informer(clusterRoles);
      const client = context.client.resource(clusterRoles);
      const queue = startReconciler(
        context,
        {
          name: 'ClusterRoleAggregator',
          workers: WORKERS,
          informers: [roles],
          reconcile: async (name) => {
            const role = roles.get(name);
            const rules = role === undefined ? undefined : planAggregation(role, roles.list());
            if (role === undefined || rules === undefined) return;
            try {
              await client.update({ ...role, rules }, { signal });
            } catch (err) {
              if (!isNotFound(err)) throw err;
            }
          },
        },
        signal,
      );
      // Any role may be selected by any other, and may have ceased to be.
      const enqueueAll = (): void => {
        for (const role of roles.list()) if (role.aggregationRule !== undefined) queue.add(role.metadata!.name!);
      };
      roles.addHandler({ onAdd: enqueueAll, onUpdate: enqueueAll, onDelete: enqueueAll });
    },
  };
}
