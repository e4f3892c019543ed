import type { Container, EnvVar, PodSpec } from '../../api/types/core-v1.ts';

type AnyContainer = Pick<Container, 'name' | 'env' | 'envFrom'>;

/** Init containers, containers and ephemeral containers, in this order. */
export function allContainers(spec: PodSpec): readonly AnyContainer[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}

/** Whether a pod names a secret anywhere (podutil.VisitPodSecretNames). */
export function referencesSecret(spec: PodSpec): boolean {
  if ((spec.imagePullSecrets ?? []).length > 0) return true;
  const inContainers = allContainers(spec).some(
    (c) =>
      c.env?.some((e: EnvVar) => e.valueFrom?.secretKeyRef !== undefined) || c.envFrom?.some((e) => e.secretRef !== undefined),
  );
  if (inContainers) return true;
  return (spec.volumes ?? []).some(
    (v) =>
      v.secret !== undefined ||
      v.azureFile !== undefined ||
      v.cephfs?.secretRef !== undefined ||
      v.cinder?.secretRef !== undefined ||
      v.flexVolume?.secretRef !== undefined ||
      v.rbd?.secretRef !== undefined ||
      v.scaleIO?.secretRef !== undefined ||
      v.iscsi?.secretRef !== undefined ||
      v.storageos?.secretRef !== undefined ||
      v.csi?.nodePublishSecretRef !== undefined ||
      v.projected?.sources?.some((s) => s.secret !== undefined) === true,
  );
}

/** Whether a pod names a config map anywhere (podutil.VisitPodConfigmapNames). */
export function referencesConfigMap(spec: PodSpec): boolean {
  const inContainers = allContainers(spec).some(
    (c) =>
      c.env?.some((e: EnvVar) => e.valueFrom?.configMapKeyRef !== undefined) ||
      c.envFrom?.some((e) => e.configMapRef !== undefined),
  );
  if (inContainers) return true;
  return (spec.volumes ?? []).some(
    (v) => v.configMap !== undefined || v.projected?.sources?.some((s) => s.configMap !== undefined) === true,
  );
}
