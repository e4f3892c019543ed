import { describe, expect, it } from 'vitest';
import { deepFreeze } from '../../../util/deep-freeze.ts';
import { internalJson } from './internal-json.ts';

const of = (type: string, value: unknown) => JSON.parse(internalJson(`io.k8s.api.core.v1.${type}`, deepFreeze(value)));

describe('the JSON of internal structs', () => {
  it('has every field, in the order of the struct', () => {
    expect(internalJson('io.k8s.api.core.v1.PersistentVolumeClaimSpec', { volumeName: 'a<b' })).toBe(
      [
        '{',
        ' "AccessModes": null,',
        ' "Selector": null,',
        ' "Resources": {',
        '  "Limits": null,',
        '  "Requests": null',
        ' },',
        ' "VolumeName": "a\\u003cb",',
        ' "StorageClassName": null,',
        ' "VolumeMode": null,',
        ' "DataSource": null,',
        ' "DataSourceRef": null,',
        ' "VolumeAttributesClassName": null',
        '}',
      ].join('\n'),
    );
  });

  it("has what a pod shares with its host in the pod's security context, and one name for its account", () => {
    const pod = of('PodSpec', { hostNetwork: true, hostUsers: false, serviceAccount: 'x', serviceAccountName: 'x' });
    expect(Object.keys(pod).slice(0, 4)).toEqual(['Volumes', 'InitContainers', 'Containers', 'EphemeralContainers']);
    expect(pod.ServiceAccountName).toBe('x');
    expect(pod).not.toHaveProperty('ServiceAccount');
    expect(pod).not.toHaveProperty('HostNetwork');
    expect(Object.keys(pod.SecurityContext).slice(0, 6)).toEqual([
      'HostNetwork',
      'HostPID',
      'HostIPC',
      'ShareProcessNamespace',
      'HostUsers',
      'SELinuxOptions',
    ]);
    expect(pod.SecurityContext).toMatchObject({
      HostNetwork: true,
      HostPID: false,
      ShareProcessNamespace: null,
      HostUsers: false,
    });
  });

  it('takes embedded structs in, and writes names as Go does', () => {
    const { Containers, Volumes } = of('PodSpec', {
      containers: [{ name: 'c', livenessProbe: { httpGet: { port: 'web' } }, resources: { limits: { cpu: '1' } } }],
      volumes: [{ name: 'v', csi: { driver: 'd' } }],
    });
    expect(Object.keys(Containers[0].LivenessProbe).slice(0, 5)).toEqual([
      'Exec',
      'HTTPGet',
      'TCPSocket',
      'GRPC',
      'InitialDelaySeconds',
    ]);
    expect(Containers[0].LivenessProbe.HTTPGet).toMatchObject({ Path: '', Port: 'web', HTTPHeaders: null });
    expect(Containers[0]).toMatchObject({ Name: 'c', TTY: false, Env: null, Resources: { Limits: { cpu: '1' }, Claims: null } });
    expect(Object.keys(Volumes[0]).slice(0, 4)).toEqual(['Name', 'HostPath', 'EmptyDir', 'GCEPersistentDisk']);
    expect(Volumes[0].CSI).toEqual({
      Driver: 'd',
      ReadOnly: null,
      FSType: null,
      VolumeAttributes: null,
      NodePublishSecretRef: null,
    });
  });

  it('leaves types of other groups as they are on the wire', () => {
    const selector = { matchLabels: { a: 'b' } };
    expect(of('PersistentVolumeClaimSpec', { selector }).Selector).toEqual(selector);
  });
});
