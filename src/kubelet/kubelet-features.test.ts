import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX_IMAGE, whyNoContainers } from '../runtime/test-support.ts';
import { hostMounter } from './index.ts';
import { busybox, FOREVER, startTestKubeletNode, statusOf, type TestKubeletNode } from './test-support.ts';

const missing = whyNoContainers();

describe.skipIf(missing !== undefined)(`younger features of pods${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let node: TestKubeletNode;
  beforeAll(async () => {
    node = await startTestKubeletNode(38);
    await node.start();
  }, 60_000);
  afterAll(async () => {
    await node?.cleanUp();
  }, 60_000);

  it('variables come from files that an init container wrote', async () => {
    const ref = (key: string, more: object = {}) => ({ fileKeyRef: { volumeName: 'config', path: 'app.env', key, ...more } });
    const name = await node.create({
      volumes: [{ name: 'config', emptyDir: {} }],
      initContainers: [
        busybox('write', `printf "A='one'\\nB='two\\nlines'\\n" >/config/app.env`, {
          volumeMounts: [{ name: 'config', mountPath: '/config' }],
        }),
      ],
      containers: [
        busybox('app', FOREVER, {
          env: [
            { name: 'X', valueFrom: ref('A') },
            { name: 'Y', valueFrom: ref('B') },
            { name: 'Z', valueFrom: ref('C', { optional: true }) },
            { name: 'W', value: '$(X)!' },
          ],
        }),
      ],
    });
    await node.running(name);
    expect(await node.exec(name, 'echo "$X|$Y|$Z|$W"; ls / | grep config || true')).toBe('one|two\nlines||one!');
    await node.delete(name);
    const broken = await node.create({
      volumes: [{ name: 'config', emptyDir: {} }],
      containers: [busybox('app', FOREVER, { env: [{ name: 'X', valueFrom: ref('A') }] })],
    });
    await node.event(broken, 'Failed', 'Error: env file "app.env" not found in volume "config"');
    await node.delete(broken);
  });

  it('images are volumes, read-only, whole or in part, and are unmounted with their pod', async () => {
    const name = await node.create({
      volumes: [{ name: 'tools', image: { reference: BUSYBOX_IMAGE, pullPolicy: 'IfNotPresent' } }],
      containers: [
        busybox('app', FOREVER, {
          volumeMounts: [
            { name: 'tools', mountPath: '/tools' },
            { name: 'tools', mountPath: '/part', subPath: 'bin' },
          ],
        }),
      ],
    });
    const pod = await node.running(name);
    const below = () => hostMounter.mountsBelow(`${node.dir}/kubelet/pods/${pod.metadata!.uid}/volumes/kubernetes.io~image`);
    expect(await node.exec(name, '/tools/bin/busybox echo yes; ls /part/busybox; touch /tools/x 2>&1 || true')).toMatch(
      /^yes\n\/part\/busybox\ntouch: .*Read-only file system$/,
    );
    expect(await below()).toHaveLength(1);
    await node.delete(name);
    await node.cleared(name);
    await node.gone(name);
    expect(await below()).toHaveLength(0);
    const absent = await node.create({
      volumes: [{ name: 'tools', image: { reference: 'k8ts.local/none:1', pullPolicy: 'Never' } }],
      containers: [busybox('app', FOREVER, { volumeMounts: [{ name: 'tools', mountPath: '/tools' }] })],
    });
    await node.until(absent, (p) => statusOf(p)?.state?.waiting?.reason === 'ErrImageNeverPull');
    await node.delete(absent);
  });

  it.skipIf(!existsSync('/sys/kernel/mm/hugepages/hugepages-2048kB'))('volumes are of huge pages', async () => {
    const volume = (medium: string): object => ({ volumes: [{ name: 'huge', emptyDir: { medium } }] });
    const mounts = { volumeMounts: [{ name: 'huge', mountPath: '/huge' }] };
    const name = await node.create({ ...volume('HugePages-2Mi'), containers: [busybox('app', FOREVER, mounts)] });
    await node.running(name);
    expect(await node.exec(name, 'grep " /huge " /proc/mounts')).toMatch(/^nodev \/huge hugetlbfs rw.*pagesize=2M/);
    const vague = await node.create({ ...volume('HugePages'), containers: [busybox('app', FOREVER, mounts)] });
    await node.event(vague, 'FailedMount', 'hugePages storage requested, but there is no resource request for huge pages.');
    await Promise.all([name, vague].map((n) => node.delete(n)));
  });

  it('what the node cannot keep to is refused', async () => {
    const start = (more: object, container: object = {}): Promise<string> =>
      node.create({ containers: [busybox('app', FOREVER, container)], ...more });
    const users = await start({ hostUsers: false });
    await node.event(
      users,
      'FailedCreatePodSandBox',
      "Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces",
    );
    const groups = await start({ securityContext: { supplementalGroupsPolicy: 'Strict' } });
    expect((await node.ended(groups)).status).toMatchObject({
      reason: 'SupplementalGroupsPolicyNotSupported',
      message: 'Pod was rejected: SupplementalGroupsPolicy=Strict is not supported in this node',
    });
    const profile = await start({}, { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } });
    expect((await node.ended(profile)).status).toMatchObject({ reason: 'AppArmor' });
    const claims = await start({ resourceClaims: [{ name: 'gpu', resourceClaimName: 'mine' }] });
    await node.event(claims, 'FailedPrepareDynamicResources');
    const volumes = [{ name: 'v', emptyDir: {} }];
    const mount = (mode: string): object => ({
      volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true, recursiveReadOnly: mode }],
    });
    const wished = await start({ volumes }, mount('IfPossible'));
    expect(statusOf(await node.running(wished))?.volumeMounts?.find((m) => m.name === 'v')).toMatchObject({
      readOnly: true,
      recursiveReadOnly: 'Disabled',
    });
    const demanded = await start({ volumes }, mount('Enabled'));
    await node.event(
      demanded,
      'Failed',
      'Error: volume "v" requested recursive read-only mode, but it is not supported by the runtime',
    );
    await Promise.all([users, groups, profile, claims, wished, demanded].map((n) => node.delete(n)));
  });
});
