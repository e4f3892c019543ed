import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { secrets } from '../client/resource-refs.ts';
import { buildBusyboxImage, whyNoContainers } from '../runtime/test-support.ts';
import { startTestRegistry, type TestRegistry } from './registry-test-support.ts';
import { startTestKubeletNode, statusOf, type TestKubeletNode } from './test-support.ts';

const missing = whyNoContainers();

describe.skipIf(missing !== undefined)(`images of pods${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let node: TestKubeletNode;
  let registry: TestRegistry;
  let locked: TestRegistry;
  beforeAll(async () => {
    node = await startTestKubeletNode(22);
    const image = buildBusyboxImage(['app:1']);
    registry = await startTestRegistry(image);
    locked = await startTestRegistry(image, 'me:secret');
    await node.start();
  }, 60_000);
  afterAll(async () => {
    registry?.close();
    locked?.close();
    await node?.cleanUp();
  }, 60_000);

  const run = (image: string, imagePullPolicy?: 'Always' | 'Never' | 'IfNotPresent', more: object = {}) =>
    node.run('true', {
      container: { image, ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }) },
      pod: { restartPolicy: 'Never', ...more },
    });
  const waiting = async (name: string, reason: string): Promise<string> =>
    statusOf(await node.until(name, (p) => statusOf(p)?.state?.waiting?.reason === reason))!.state!.waiting!.message!;

  it('pulls what is not there, and by policy what is', async () => {
    const image = `${registry.host}/app:1`;
    const first = await run(image, 'IfNotPresent');
    const pod = await node.ended(first);
    expect(statusOf(pod)).toMatchObject({ image, state: { terminated: { exitCode: 0 } } });
    expect(statusOf(pod)!.imageID).toMatch(new RegExp(`^${registry.host}/app@sha256:[0-9a-f]{64}$`));
    await node.event(first, 'Pulling', `Pulling image "${image}"`);
    await node.event(
      first,
      'Pulled',
      new RegExp(
        `^Successfully pulled image "${image}" in \\d+(\\.\\d+)?m?s \\(\\d+(\\.\\d+)?m?s including waiting\\). Image size: \\d+ bytes.$`,
      ),
    );
    const second = await run(image, 'IfNotPresent');
    await node.ended(second);
    await node.event(second, 'Pulled', 'already present on machine');
    const third = await run(image, 'Always');
    await node.ended(third);
    await node.event(third, 'Pulled', 'Successfully pulled');
  });

  it('backs off when an image cannot be pulled', async () => {
    const image = `${registry.host}/none:1`;
    const name = await run(image, 'IfNotPresent');
    expect(await waiting(name, 'ErrImagePull')).toMatch(/^rpc error: code = NotFound desc = failed to pull and unpack image/);
    expect(await waiting(name, 'ImagePullBackOff')).toMatch(
      new RegExp(`^Back-off pulling image "${image}": ErrImagePull: rpc error: code = NotFound desc = failed to pull`),
    );
    await node.event(name, 'Failed', new RegExp(`^Failed to pull image "${image}": rpc error: code = NotFound desc =`));
    await node.event(name, 'Failed', 'Error: ErrImagePull');
    await node.event(name, 'BackOff', `Back-off pulling image "${image}"`);
    await node.event(name, 'Failed', 'Error: ImagePullBackOff');
    expect(node.pod(name)?.status?.phase).toBe('Pending');
    await node.delete(name);
    await node.cleared(name);
  });

  it('does not pull by policy Never', async () => {
    const name = await run('k8ts.local/none:1', 'Never');
    const message = 'Container image "k8ts.local/none:1" is not present with pull policy of Never';
    expect(await waiting(name, 'ErrImageNeverPull')).toBe(message);
    await node.event(name, 'ErrImageNeverPull', message);
    await node.event(name, 'Failed', 'Error: ErrImageNeverPull');
  });

  it('says so when a name is none', async () => {
    const name = await run('No/Such/Name!');
    const message =
      'Failed to apply default image tag "No/Such/Name!": couldn\'t parse image name "No/Such/Name!": invalid reference format';
    expect(await waiting(name, 'InvalidImageName')).toBe(message);
    await node.event(name, 'InspectFailed', message);
    await node.event(name, 'Failed', 'Error: InvalidImageName');
  });

  it('shows the registry what the pull secrets hold', async () => {
    const image = `${locked.host}/app:1`;
    const without = await run(image, 'Always');
    await waiting(without, 'ErrImagePull');
    await node.client.resource(secrets).create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'login', namespace: 'default' },
      type: 'kubernetes.io/dockerconfigjson',
      data: {
        '.dockerconfigjson': Buffer.from(
          JSON.stringify({ auths: { [locked.host]: { auth: Buffer.from('me:secret').toString('base64') } } }),
        ).toString('base64'),
      },
    });
    const name = await run(image, 'Always', { imagePullSecrets: [{ name: 'login' }] });
    await node.ended(name);
    // What one pod has pulled with its secret another may have by its own alone.
    const gone = await run(image, 'Always', { imagePullSecrets: [{ name: 'missing' }] });
    await waiting(gone, 'ErrImagePull');
    await node.event(
      gone,
      'FailedToRetrieveImagePullSecret',
      'Unable to retrieve some image pull secrets (missing); attempting to pull the image may not succeed.',
    );
  });
});
