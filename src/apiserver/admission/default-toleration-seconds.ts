import { onceFor } from '../../api/repeated-parts.ts';
import type { Pod, PodSpec, Toleration } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { AdmissionPlugin } from '../contract.ts';
import { isWriteOf } from './targets.ts';

const TOLERATION_SECONDS = 300;
const toleration = (key: string): Toleration =>
  deepFreeze({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: TOLERATION_SECONDS } as const);
const notReady = toleration('node.kubernetes.io/not-ready');
const unreachable = toleration('node.kubernetes.io/unreachable');

/** Lets every pod stay five minutes on a node that is not ready or cannot be reached, unless the pod says something about that itself. */
export function defaultTolerationSeconds(): AdmissionPlugin {
  return {
    name: 'DefaultTolerationSeconds',
    handles: (target) => isWriteOf(target, '', 'pods', 'CREATE', 'UPDATE'),
    mutate: ({ object }) => {
      const pod = object as Pod;
      if (pod.spec === undefined) return pod;
      const spec = onceFor(pod.spec, withTolerations, withTolerations);
      return spec === pod.spec ? pod : { ...pod, spec };
    },
  };
}

function withTolerations(spec: PodSpec): PodSpec {
  const given = spec.tolerations ?? [];
  const missing = [notReady, unreachable].filter(({ key }) => !given.some((t) => speaksOf(t, key!)));
  return missing.length === 0 ? spec : { ...spec, tolerations: [...given, ...missing] };
}

const speaksOf = (t: Toleration, key: string): boolean => (!t.key || t.key === key) && (!t.effect || t.effect === 'NoExecute');
