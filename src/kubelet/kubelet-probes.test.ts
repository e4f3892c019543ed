import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Container, Probe } from '../api/types/core-v1.ts';
import { whyNoContainers } from '../runtime/test-support.ts';
import { busybox, FOREVER, isReady, startTestKubeletNode, statusOf, type TestKubeletNode } from './test-support.ts';

const missing = whyNoContainers();

describe.skipIf(missing !== undefined)(`probes${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let node: TestKubeletNode;
  beforeAll(async () => {
    node = await startTestKubeletNode(24);
    await node.start();
  }, 60_000);
  afterAll(async () => {
    await node?.cleanUp();
  }, 60_000);

  const exec = (script: string, more: Partial<Probe> = {}): Probe => ({
    exec: { command: ['sh', '-c', script] },
    periodSeconds: 1,
    failureThreshold: 1,
    ...more,
  });
  const run = (container: Partial<Container>): Promise<string> => node.run(FOREVER, { container });

  it('make a pod ready, and unready again', async () => {
    const name = await run({ readinessProbe: exec('test -f /tmp/ready') });
    const before = await node.until(name, (p) => statusOf(p)?.state?.running !== undefined);
    expect(statusOf(before)).toMatchObject({ ready: false, started: true });
    expect(before.status?.conditions?.find((c) => c.type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [app]',
    });
    await node.event(name, 'Unhealthy', /^Readiness probe failed: $/);
    await node.exec(name, 'touch /tmp/ready');
    await node.running(name);
    await node.exec(name, 'rm /tmp/ready');
    await node.until(name, (p) => !isReady(p));
    expect(statusOf(node.pod(name))!.restartCount).toBe(0);
    await node.delete(name);
  });

  it('restart what no longer lives', async () => {
    const name = await run({ livenessProbe: exec('echo sick; exit 1', { terminationGracePeriodSeconds: 1 }) });
    const pod = await node.until(name, (p) => (statusOf(p)?.restartCount ?? 0) >= 1 && statusOf(p)?.state?.running !== undefined);
    expect(statusOf(pod)!.lastState!.terminated).toBeDefined();
    await node.event(name, 'Unhealthy', 'Liveness probe failed: sick');
    await node.event(name, 'Killing', 'Container app failed liveness probe, will be restarted');
    await node.delete(name);
  });

  it('hold the others back until the start is over', async () => {
    const name = await run({
      startupProbe: exec('test -f /tmp/started', { failureThreshold: 30 }),
      livenessProbe: exec('test -f /tmp/started'),
      readinessProbe: exec('true'),
    });
    await node.event(name, 'Unhealthy', /^Startup probe failed: $/);
    expect(statusOf(node.pod(name))).toMatchObject({ started: false, ready: false, restartCount: 0 });
    await node.exec(name, 'touch /tmp/started');
    const pod = await node.running(name);
    expect(statusOf(pod)).toMatchObject({ started: true, ready: true, restartCount: 0 });
    await node.delete(name);
  });

  it('restart what never starts', async () => {
    const name = await run({ startupProbe: exec('false', { terminationGracePeriodSeconds: 1 }) });
    await node.event(name, 'Killing', 'Container app failed startup probe, will be restarted');
    await node.until(name, (p) => (statusOf(p)?.restartCount ?? 0) >= 1);
    await node.delete(name);
  });

  it('time out', async () => {
    const name = await run({ readinessProbe: exec('sleep 30', { timeoutSeconds: 1 }) });
    await node.event(name, 'Unhealthy', /^Readiness probe failed: command timed out: "sh -c sleep 30" timed out after 1s$/);
    await node.delete(name);
  });

  it('ask over HTTP, TCP and gRPC', async () => {
    const asked: (string | undefined)[] = [];
    let status = 200;
    const web = createHttpServer((req, res) => {
      asked.push(req.headers['user-agent']);
      res.writeHead(req.url === '/health' ? status : 404);
      res.end('as you see');
    }).listen(0, '127.0.0.1');
    let serving = 1;
    const grpc = new GrpcServer();
    grpc.addService(
      {
        Check: {
          path: '/grpc.health.v1.Health/Check',
          requestStream: false,
          responseStream: false,
          requestSerialize: (b: Buffer) => b,
          requestDeserialize: (b: Buffer) => b,
          responseSerialize: (b: Buffer) => b,
          responseDeserialize: (b: Buffer) => b,
        },
      },
      { Check: (_call: unknown, answer: (err: null, value: Buffer) => void) => answer(null, Buffer.from([0x08, serving])) },
    );
    const grpcPort = await new Promise<number>((resolve, reject) =>
      grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (err, port) =>
        err === null ? resolve(port) : reject(err),
      ),
    );
    const port = (web.address() as AddressInfo).port;
    // The kubelet dials the pod's address: on the host network that is the node's.
    const common = { periodSeconds: 1, failureThreshold: 1 };
    const name = await node.create({
      hostNetwork: true,
      containers: [
        busybox('web', FOREVER, { readinessProbe: { ...common, httpGet: { path: '/health', port, host: '127.0.0.1' } } }),
        busybox('tcp', FOREVER, { readinessProbe: { ...common, tcpSocket: { port, host: '127.0.0.1' } } }),
        busybox('missing', FOREVER, { readinessProbe: { ...common, tcpSocket: { port: 1, host: '127.0.0.1' } } }),
      ],
    });
    await node.until(name, (p) => statusOf(p, 'web')?.ready === true && statusOf(p, 'tcp')?.ready === true);
    await node.event(name, 'Unhealthy', 'Readiness probe failed: dial tcp 127.0.0.1:1: connect: connection refused');
    expect(asked[0]).toBe('kube-probe/1.36');
    status = 503;
    await node.event(name, 'Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503');
    await node.until(name, (p) => statusOf(p, 'web')?.ready === false);
    await node.delete(name);
    await node.cleared(name);

    await node.stop();
    await node.start({ nodeIp: '127.0.0.1' });
    const rpc = await node.create({
      hostNetwork: true,
      containers: [busybox('app', FOREVER, { readinessProbe: { ...common, grpc: { port: grpcPort, service: '' } } })],
    });
    await node.until(rpc, isReady);
    serving = 2;
    await node.event(rpc, 'Unhealthy', 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")');
    await node.until(rpc, (p) => !isReady(p));
    await node.delete(rpc);
    web.close();
    grpc.forceShutdown();
  });

  it('reach a port of the pod by its name', async () => {
    const name = await node.run('while true; do echo -e "HTTP/1.0 200 OK\\r\\n\\r\\nhi" | nc -l -p 8080; done', {
      container: {
        ports: [{ name: 'http', containerPort: 8080 }],
        readinessProbe: { periodSeconds: 1, httpGet: { port: 'http', path: '/' } },
      },
    });
    await node.running(name);
    await node.delete(name);
  });
});
