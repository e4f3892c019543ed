import { describe, expect, it } from 'vitest';
import { ManifestError, staticPod } from './manifest.ts';

const manifest = (more: object = {}, metadata: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', ...metadata },
    spec: { containers: [{ name: 'app', image: 'busybox' }], ...more },
  });
const read = (text: string, file = '/etc/m/web.yaml') => staticPod(text, file, 'node-1', 0);

describe('a manifest', () => {
  it('is a pod of its node, known by the hash of file and content', () => {
    const pod = read('apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: app, image: busybox}]\n');
    const hash = pod.metadata!.uid!;
    expect(hash).toMatch(/^[0-9a-f]{32}$/);
    expect(pod).toMatchObject({
      metadata: {
        name: 'web-node-1',
        namespace: 'default',
        annotations: {
          'kubernetes.io/config.hash': hash,
          'kubernetes.io/config.source': 'file',
          'kubernetes.io/config.seen': '1970-01-01T00:00:00.000000Z',
        },
      },
      spec: {
        nodeName: 'node-1',
        restartPolicy: 'Always',
        tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
        containers: [{ imagePullPolicy: 'Always', terminationMessagePath: '/dev/termination-log' }],
      },
      status: { phase: 'Pending' },
    });
    expect(read(manifest()).metadata!.uid).toBe(hash);
    expect(read(manifest(), '/etc/m/other.yaml').metadata!.uid).not.toBe(hash);
    expect(read(manifest({ hostNetwork: true })).metadata!.uid).not.toBe(hash);
    expect(read(manifest({}, { uid: 'mine', namespace: 'x' })).metadata).toMatchObject({ uid: 'mine', namespace: 'x' });
  });

  const volume = (source: object): object => ({ volumes: [{ name: 'v', ...source }] });
  it.each([
    ['', "couldn't parse as pod(it is undefined undefined)"],
    ['{', "couldn't parse as pod("],
    ['[1]', "couldn't parse as pod(it is undefined undefined)"],
    ['apiVersion: apps/v1\nkind: Deployment', "couldn't parse as pod(it is apps/v1 Deployment)"],
    [manifest({ containers: 7 }), "couldn't parse as pod("],
    [manifest({ containers: [] }), 'invalid pod: spec.containers: Required value'],
    [manifest({}, { name: 'A b' }), 'invalid pod: metadata.name: "A b-node-1"'],
    [manifest({}, { uid: '../../etc' }), 'invalid pod: metadata.uid: "../../etc"'],
    [manifest({}, { uid: '..' }), 'invalid pod: metadata.uid: ".."'],
    [manifest({ serviceAccountName: 'x' }), 'static pods may not reference serviceaccounts'],
    [manifest(volume({ secret: { secretName: 's' } })), 'static pods may not reference secrets'],
    [manifest(volume({ configMap: { name: 's' } })), 'static pods may not reference configmaps'],
    [manifest(volume({ persistentVolumeClaim: { claimName: 's' } })), 'static pods may not reference persistentvolumeclaims'],
  ])('that is no pod for a node to run by itself is refused: %s', (text, message) => {
    expect(() => read(text)).toThrow(ManifestError);
    expect(() => read(text)).toThrow(message);
  });
});
