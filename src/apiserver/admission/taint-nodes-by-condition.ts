import type { Node, Taint } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { AdmissionPlugin } from '../contract.ts';
import { isWriteOf } from './targets.ts';

const notReady: Taint = deepFreeze({ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' });

/** Taints a new node as not ready, so that nothing is scheduled there before the node controller has heard that it is. */
export function taintNodesByCondition(): AdmissionPlugin {
  return {
    name: 'TaintNodesByCondition',
    handles: (target) => isWriteOf(target, '', 'nodes', 'CREATE'),
    mutate: ({ object }) => {
      const node = object as Node;
      const taints = node.spec?.taints ?? [];
      if (taints.some((t) => t.key === notReady.key && t.effect === notReady.effect)) return node;
      return { ...node, spec: { ...node.spec, taints: [...taints, notReady] } };
    },
  };
}
