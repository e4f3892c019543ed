import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, eventually } from './support/cluster.ts';
import { realClusterObstacle } from './support/machine.ts';

/** A node that is set up by its owner: settings of the kubelet, and pods of its own. */

const obstacle = realClusterObstacle();
const image = 'k8ts.local/busybox:1.35';

describe.skipIf(obstacle !== '')('a node with settings of its own', () => {
  let cluster: Cluster;
  let manifests: string;
  let settings: string;
  const node = (): string => cluster.kubectl('get', 'nodes', '-o', 'name').trim().replace('node/', '');
  const get = (path: string, what: string): string => cluster.kubectl('get', what, '-o', `jsonpath={${path}}`);

  beforeAll(() => {
    cluster = new Cluster('kubelet', '192.168.229');
    manifests = join(cluster.machine.directory, 'manifests');
    settings = join(cluster.machine.directory, 'kubelet.yaml');
    mkdirSync(manifests);
    writeFileSync(
      join(manifests, 'web.yaml'),
      `apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers:\n  - {name: app, image: '${image}', command: [sleep, '100000']}\n`,
    );
  });
  afterAll(() => cluster.remove());

  it('does not start with settings that cannot be', () => {
    writeFileSync(settings, 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxpods: 7\n');
    const up = cluster.k8ts('up', '--yes', '--kubelet-config', settings, '--pod-manifest-path', manifests);
    expect(up.code).toBe(1);
    expect(up.stderr).toContain(`The kubelet's settings in ${settings} cannot be read: unknown field "maxpods"`);
  });

  it('keeps to them', () => {
    writeFileSync(
      settings,
      'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 7\nsystemReserved: {cpu: 100m, memory: 128Mi}\nevictionHard: {memory.available: 50Mi}\n',
    );
    // The paths were noted at the first try.
    const up = cluster.k8ts('up');
    expect(up.stdout).toContain('The cluster is up');
    const mib = (path: string): number => Number(/(\d+)Ki/.exec(get(path, `node/${node()}`))?.[1]) / 1024;
    expect(get('.status.allocatable.pods', `node/${node()}`)).toBe('7');
    expect(mib('.status.capacity.memory') - mib('.status.allocatable.memory')).toBeCloseTo(178, 1);
    const configz = JSON.parse(cluster.kubectl('get', '--raw', `/api/v1/nodes/${node()}/proxy/configz`)) as {
      readonly kubeletconfig: object;
    };
    expect(configz.kubeletconfig).toMatchObject({
      maxPods: 7,
      staticPodPath: manifests,
      evictionHard: { 'memory.available': '50Mi' },
      systemReserved: { cpu: '100m', memory: '128Mi' },
    });
    expect(cluster.k8ts('up', '--kubelet-config', '/other').stderr).toContain('The cluster is running with --kubelet-config');
  });

  it('runs its own pods, whatever kubectl does to them', async () => {
    const web = `web-${node()}`;
    cluster.kubectl('wait', '--for=condition=Ready', `pod/${web}`, '--timeout=30s');
    const uid = (): string => get('.metadata.uid', `pod/${web}`);
    const container = (): string => get('.status.containerStatuses[0].containerID', `pod/${web}`);
    const [first, id] = [uid(), container()];
    expect(cluster.kubectl('get', 'pod', web, '-o', 'wide')).toContain('Running');
    expect(cluster.kubectl('exec', web, '--', 'hostname').trim()).toBe(web);
    expect(cluster.kubectl('describe', 'pod', web)).toMatch(/Controlled By: +Node\//);
    cluster.kubectl('delete', 'pod', web);
    await eventually('its mirror to be made anew', () => {
      const got = cluster.try('get', 'pod', web, '-o', 'jsonpath={.metadata.uid} {.status.phase}');
      return got.code === 0 && !got.stdout.startsWith(first) && got.stdout.endsWith('Running');
    });
    expect(container()).toBe(id);
    rmSync(join(manifests, 'web.yaml'));
    await eventually('it to end with its manifest', () => cluster.try('get', 'pod', web).code !== 0);
  });
});
