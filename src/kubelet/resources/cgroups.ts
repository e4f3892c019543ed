import { qosClass } from '../../api/groups/core/pod-qos.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { type CgroupQos, type CgroupTree, podCgroupPath, qosCgroupPath } from '../../runtime/cgroup.ts';
import type { PodCgroups } from '../pods/pod-services.ts';
import { podUid } from '../pods/pod-spec.ts';
import { podCgroupLimits } from './qos.ts';

/** Where pods stand in the cgroup tree. */
export interface CgroupLayout {
  readonly tree: CgroupTree;
  /** The parent of all pods: `/kubepods`; each node of a machine has its own. */
  readonly root: string;
}

/** Pods' cgroups by class of service, with the pods' own limits on them (cgroup driver cgroupfs). */
export function treeCgroups({ tree, root }: CgroupLayout): PodCgroups {
  const classes = ['guaranteed', 'burstable', 'besteffort'] as const;
  const made = new Set<CgroupQos>();
  return {
    async ensure(pod: Pod) {
      const qos = qosClass(pod).toLowerCase() as CgroupQos;
      if (!made.has(qos)) await tree.ensure(qosCgroupPath(root, qos), qos === 'besteffort' ? { cpuShares: 2 } : {});
      made.add(qos);
      const path = podCgroupPath(root, qos, podUid(pod));
      await tree.ensure(path, podCgroupLimits(pod));
      return path;
    },
    async remove(uid) {
      // The pod's class is not known any more when only the runtime remembers it.
      for (const qos of classes) await tree.remove(podCgroupPath(root, qos, uid));
    },
  };
}
