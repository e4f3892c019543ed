/** The release that kubelets of this project say they are. */
export const KUBELET_VERSION = 'v1.36.0';

/**
 * What nodes of this project can beyond what every node can, as `status.declaredFeatures` names it (KEP-5328), sorted: those of upstream's list
 * (component-helpers nodedeclaredfeatures) that v1.36 switches on.
 */
export const DECLARED_FEATURES: readonly string[] = [
  'InPlacePodLevelResourcesVerticalScaling',
  'RestartAllContainersOnContainerExits',
];
