import type { KubernetesObject } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import { patchTypes } from '../../api/request.ts';
import type { Node } from '../../api/types/core-v1.ts';
import type { Controller } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { nodes } from '../../client/resource-refs.ts';
import { CidrSet } from './cidr-set.ts';

/** Workers that patch nodes; allocation itself is never concurrent. */
const WORKERS = 8;
const DEFAULT_MASK = { v4: 24, v6: 64 } as const;

export interface NodeIpamOptions {
  /** The pod network: one range, or one of each family. */
  readonly clusterCidrs: readonly string[];
  /** Ranges of Services: nothing in them is given to nodes. */
  readonly serviceCidrs?: readonly string[];
  /** Prefix length of a node's range; 24 and 64 unless told. */
  readonly nodeMaskV4?: number;
  readonly nodeMaskV6?: number;
}

/** Gives every node its part of the pod network. What nodes have is read from the nodes: a restart forgets nothing. */
export function nodeIpamController(options: NodeIpamOptions): Controller {
  return {
    name: 'node-ipam-controller',
    start(context, signal) {
      const sets = options.clusterCidrs.map(
        (cidr) =>
          new CidrSet(
            cidr,
            cidr.includes(':') ? (options.nodeMaskV6 ?? DEFAULT_MASK.v6) : (options.nodeMaskV4 ?? DEFAULT_MASK.v4),
          ),
      );
      for (const set of sets) for (const cidr of options.serviceCidrs ?? []) set.occupy(cidr);
      const informer = context.informers.informer(nodes);
      const client = context.client.resource(nodes);
      const recorder = context.recorder('cidrAllocator');
      /** What each node holds, by name. */
      const held = new Map<string, { readonly uid: string; readonly cidrs: readonly string[] }>();

      const release = (name: string): void => {
        const claim = held.get(name);
        held.delete(name);
        for (const [i, cidr] of (claim?.cidrs ?? []).entries()) sets[i]?.release(cidr);
      };
      const occupy = (node: Node): void => {
        const { name = '', uid = '' } = node.metadata ?? {};
        const cidrs = cidrsOf(node);
        const known = held.get(name);
        if (known?.uid === uid && (cidrs.length === 0 || known.cidrs.join() === cidrs.join())) return;
        release(name);
        if (cidrs.length === 0) return;
        held.set(name, { uid, cidrs });
        cidrs.forEach((cidr, i) => {
          if (sets[i]?.occupy(cidr) === false)
            context.logger.warn({ node: name, cidr }, 'a node has a range outside the cluster CIDR');
        });
      };
      const statusEvent = (node: Node, state: string): void => {
        const { name = '', uid = '' } = node.metadata ?? {};
        const reference = { apiVersion: 'v1', kind: 'Node', name, uid, namespace: '' };
        recorder.event(reference as KubernetesObject, 'Normal', state, `Node ${name} status is now: ${state}`);
      };
      /** Takes a part of each range, or of none. */
      const allocate = (): readonly string[] | undefined => {
        const cidrs: string[] = [];
        for (const set of sets) {
          const cidr = set.allocate();
          if (cidr === undefined) {
            for (const [i, taken] of cidrs.entries()) sets[i]!.release(taken);
            return undefined;
          }
          cidrs.push(cidr);
        }
        return cidrs;
      };

      const reconcile = async (name: string): Promise<void> => {
        const node = informer.get(name);
        if (node === undefined || cidrsOf(node).length > 0 || node.metadata?.deletionTimestamp !== undefined) return;
        const { uid = '' } = node.metadata ?? {};
        let cidrs = held.get(name)?.uid === uid ? held.get(name)!.cidrs : undefined;
        if (cidrs === undefined) {
          cidrs = allocate();
          if (cidrs === undefined) {
            statusEvent(node, 'CIDRNotAvailable');
            throw new Error(`failed to allocate cidr: no CIDR range is left for node ${name}`);
          }
          held.set(name, { uid, cidrs });
        }
        try {
          const patch = { metadata: { uid }, spec: { podCIDR: cidrs[0], podCIDRs: cidrs } };
          await client.patch(name, '', patchTypes.merge, patch, { signal });
        } catch (err) {
          // What was taken stays held: whether the write went through is not known, and the next try writes the same.
          if (isNotFound(err)) return;
          statusEvent(node, 'CIDRAssignmentFailed');
          throw err;
        }
      };

      const queue = startReconciler(
        context,
        { name: 'node_range_allocator', workers: WORKERS, informers: [informer], reconcile },
        signal,
      );
      const seen = (node: Node): void => {
        occupy(node);
        if (cidrsOf(node).length === 0) queue.add(node.metadata!.name!);
      };
      informer.addHandler({
        onAdd: seen,
        onUpdate: seen,
        onDelete: (node) => {
          release(node.metadata!.name!);
          // Somebody may have waited for a range.
          for (const other of informer.list()) if (cidrsOf(other).length === 0) queue.add(other.metadata!.name!);
        },
      });
    },
  };
}

function cidrsOf(node: Node): readonly string[] {
  const { podCIDR = '', podCIDRs = [] } = node.spec ?? {};
  return podCIDRs.length > 0 ? podCIDRs : podCIDR === '' ? [] : [podCIDR];
}
