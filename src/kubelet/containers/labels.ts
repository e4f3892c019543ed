import type { Pod } from '../../api/types/core-v1.ts';
import type { Labels } from '../../runtime/contract.ts';
import { type AnyContainer, podName, podNamespace, podUid } from '../pods/pod-spec.ts';

/** Labels and annotations by which the kubelet finds its own again in the runtime (kubelet/types, kuberuntime/labels.go). */
export const keys = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  preStop: 'io.kubernetes.container.preStopHandler',
  ports: 'io.kubernetes.container.ports',
  deletionGrace: 'io.kubernetes.pod.deletionGracePeriod',
  terminationGrace: 'io.kubernetes.pod.terminationGracePeriod',
} as const;

/** Changes when the container must be replaced: by its name and image only, as everything else of it is immutable or resized in place. */
export function containerHash(container: AnyContainer): string {
  const text = JSON.stringify({ image: container.image ?? '', name: container.name });
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16);
}

export function sandboxLabels(pod: Pod): Labels {
  return {
    ...pod.metadata?.labels,
    [keys.podName]: podName(pod),
    [keys.podNamespace]: podNamespace(pod),
    [keys.podUid]: podUid(pod),
  };
}

export function containerLabels(pod: Pod, container: AnyContainer): Labels {
  return {
    [keys.podName]: podName(pod),
    [keys.podNamespace]: podNamespace(pod),
    [keys.podUid]: podUid(pod),
    [keys.containerName]: container.name,
  };
}

export function containerAnnotations(pod: Pod, container: AnyContainer, restartCount: number): Labels {
  const out: Record<string, string> = {
    [keys.hash]: containerHash(container),
    [keys.restartCount]: String(restartCount),
    [keys.terminationMessagePath]: container.terminationMessagePath ?? '',
    [keys.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
  };
  if (pod.metadata?.deletionGracePeriodSeconds !== undefined) {
    out[keys.deletionGrace] = String(pod.metadata.deletionGracePeriodSeconds);
  }
  if (pod.spec?.terminationGracePeriodSeconds !== undefined) {
    out[keys.terminationGrace] = String(pod.spec.terminationGracePeriodSeconds);
  }
  // With these an orphan, whose spec nobody has any more, is still stopped politely.
  if (container.lifecycle?.preStop !== undefined) out[keys.preStop] = JSON.stringify(container.lifecycle.preStop);
  if (container.ports !== undefined && container.ports.length > 0) out[keys.ports] = JSON.stringify(container.ports);
  return out;
}

/**
 * As much of a pod as its sandbox and containers tell, for one the API has forgotten: enough to kill it politely.
 */
export function podFromRuntime(
  sandboxes: readonly { readonly labels: Labels }[],
  containers: readonly { readonly labels: Labels; readonly annotations: Labels; readonly image: string }[],
): Pod {
  const labels = (sandboxes[0] ?? containers[0])?.labels ?? {};
  const grace = containers
    .map((c) => c.annotations[keys.deletionGrace] ?? c.annotations[keys.terminationGrace])
    .find((g) => g !== undefined);
  const names = new Set<string>();
  const specs = [];
  for (const c of containers) {
    const name = c.labels[keys.containerName] ?? '';
    if (names.has(name)) continue;
    names.add(name);
    specs.push({
      name,
      image: c.image,
      ...parsed('ports', c.annotations[keys.ports]),
      ...(c.annotations[keys.preStop] === undefined ? {} : { lifecycle: parsed('preStop', c.annotations[keys.preStop]) }),
    });
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: labels[keys.podName] ?? '',
      namespace: labels[keys.podNamespace] ?? '',
      uid: labels[keys.podUid] ?? '',
    },
    spec: { containers: specs, ...(grace === undefined ? {} : { terminationGracePeriodSeconds: Number(grace) }) },
  };
}

function parsed(field: string, json: string | undefined): object {
  if (json === undefined) return {};
  try {
    return { [field]: JSON.parse(json) as unknown };
  } catch {
    return {};
  }
}
