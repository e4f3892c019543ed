import type { Pod } from '../../api/types/core-v1.ts';
import type { ContainerConfig } from '../../runtime/contract.ts';
import { ConfigError } from '../containers/config-error.ts';
import type { AnyContainer } from '../pods/pod-spec.ts';
import type { VolumePaths } from './pod-volumes.ts';

/** The devices of a container's volumes of mode Block (kubelet makeBlockVolumes). Throws ConfigError. */
export function containerDevices(pod: Pod, container: AnyContainer, paths: VolumePaths): ContainerConfig['devices'] {
  return (container.volumeDevices ?? []).map(({ name, devicePath }) => {
    const hostPath = paths.get(name);
    if (hostPath === undefined) {
      throw new ConfigError(
        `cannot find volume ${JSON.stringify(name)} to pass into container ${JSON.stringify(container.name)}`,
      );
    }
    const volume = pod.spec?.volumes?.find((v) => v.name === name);
    const readOnly = volume?.persistentVolumeClaim?.readOnly === true;
    return { hostPath, containerPath: devicePath, permissions: readOnly ? 'r' : 'mrw' };
  });
}
