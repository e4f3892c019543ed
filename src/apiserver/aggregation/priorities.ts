/** Where a group version stands in discovery: higher first. */
export interface ApiPriority {
  readonly group: number;
  readonly version: number;
}

/** Upstream's apiVersionPriorities (cmd/kube-apiserver, pkg/controlplane/apiserver): the group's, then those of its versions. */
const builtin: Readonly<Record<string, readonly [number, Readonly<Record<string, number>>]>> = {
  '': [18_000, { v1: 1 }],
  // Before any that an APIService may ask for, which is 20,000 at most.
  'apiregistration.k8s.io': [20_001, { v1: 15 }],
  apps: [17_800, { v1: 15 }],
  'events.k8s.io': [17_750, { v1: 15, v1beta1: 5 }],
  'authentication.k8s.io': [17_700, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
  'authorization.k8s.io': [17_600, { v1: 15 }],
  autoscaling: [17_500, { v2: 30, v1: 15 }],
  batch: [17_400, { v1: 15 }],
  'certificates.k8s.io': [17_300, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
  'networking.k8s.io': [17_200, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
  policy: [17_100, { v1: 15 }],
  'rbac.authorization.k8s.io': [17_000, { v1: 15 }],
  'storage.k8s.io': [16_800, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
  'apiextensions.k8s.io': [16_700, { v1: 15 }],
  'admissionregistration.k8s.io': [16_700, { v1: 15, v1beta1: 12, v1alpha1: 9 }],
  'scheduling.k8s.io': [16_600, { v1: 15, v1alpha1: 9 }],
  'coordination.k8s.io': [16_500, { v1: 15, v1beta1: 13, v1alpha2: 12 }],
  'node.k8s.io': [16_300, { v1: 15 }],
  'discovery.k8s.io': [16_200, { v1: 15 }],
  'flowcontrol.apiserver.k8s.io': [16_100, { v1: 21 }],
  'internal.apiserver.k8s.io': [16_000, { v1alpha1: 9 }],
  'resource.k8s.io': [15_900, { v1: 15, v1beta2: 12, v1beta1: 10, v1alpha3: 9 }],
  'storagemigration.k8s.io': [15_800, { v1beta1: 9 }],
};

/** What custom resources get, in all versions alike. */
export const CUSTOM_PRIORITY: ApiPriority = { group: 1_000, version: 100 };

/** The priority of a built-in group version; a group that is not listed gets that of custom resources. */
export function builtinPriority(group: string, version: string): ApiPriority {
  const known = builtin[group];
  return known === undefined ? CUSTOM_PRIORITY : { group: known[0], version: known[1][version] ?? 9 };
}
