import { Client, type ClientUnaryCall, credentials, status as grpcStatus, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Probe } from '../../api/types/core-v1.ts';
import { type ContainerRuntime, RuntimeError, runtimeErrorCodes } from '../../runtime/contract.ts';
import { systemClock } from '../../util/clock.ts';
import { goDuration } from '../containers/crash-backoff.ts';
import { type AnyContainer, resolvePort } from '../pods/pod-spec.ts';
import { actionUrl, dialTcp, httpGet } from './http-get.ts';

/** What one probe came to. `error`: it could not be made, which says nothing about the container. */
export interface ProbeOutcome {
  readonly result: 'success' | 'warning' | 'failure' | 'error';
  readonly output: string;
}

export interface ProbeTarget {
  readonly container: AnyContainer;
  readonly containerId: string;
  readonly podIP: string;
}

/** Most of a probe's output that is kept. Characters. */
const MAX_OUTPUT = 10 * 1024;
const USER_AGENT = 'kube-probe/1.36';

/** Makes one probe. Never rejects. */
export async function runProbe(
  runtime: ContainerRuntime,
  probe: Probe,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const timeout = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.exec !== undefined) return await execProbe(runtime, probe.exec.command ?? [], target.containerId, timeout, signal);
    if (probe.httpGet !== undefined) {
      const port = resolvePort(probe.httpGet.port, target.container);
      if (port === undefined) return { result: 'error', output: `couldn't find port: ${probe.httpGet.port}` };
      const url = actionUrl(probe.httpGet, port, target.podIP);
      try {
        const answer = await httpGet(url, probe.httpGet.httpHeaders, USER_AGENT, timeout, signal);
        if (answer.redirectedTo !== undefined) {
          return { result: 'warning', output: `Probe terminated redirects, Response body: ${answer.body}` };
        }
        return answer.status >= 200 && answer.status < 400
          ? { result: 'success', output: answer.body }
          : { result: 'failure', output: `HTTP probe failed with statuscode: ${answer.status}` };
      } catch (err) {
        return { result: 'failure', output: (err as Error).message };
      }
    }
    if (probe.tcpSocket !== undefined) {
      const port = resolvePort(probe.tcpSocket.port, target.container);
      if (port === undefined) return { result: 'error', output: `couldn't find port: ${probe.tcpSocket.port}` };
      const host = probe.tcpSocket.host !== undefined && probe.tcpSocket.host !== '' ? probe.tcpSocket.host : target.podIP;
      try {
        await dialTcp(host, port, timeout, signal);
        return { result: 'success', output: '' };
      } catch (err) {
        return { result: 'failure', output: (err as Error).message };
      }
    }
    if (probe.grpc !== undefined)
      return await grpcProbe(target.podIP, probe.grpc.port, probe.grpc.service ?? '', timeout, signal);
    return { result: 'error', output: `missing probe handler for ${target.container.name}` };
  } catch (err) {
    return { result: 'error', output: (err as Error).message };
  }
}

async function execProbe(
  runtime: ContainerRuntime,
  command: readonly string[],
  containerId: string,
  timeout: number,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  try {
    const { stdout, stderr, exitCode } = await runtime.execSync(containerId, command, timeout / 1000, signal);
    const output = Buffer.concat([stdout, stderr]).toString('utf8').slice(0, MAX_OUTPUT);
    return { result: exitCode === 0 ? 'success' : 'failure', output };
  } catch (err) {
    if (err instanceof RuntimeError && err.code === runtimeErrorCodes.deadlineExceeded) {
      return {
        result: 'failure',
        output: `command timed out: ${JSON.stringify(command.join(' '))} timed out after ${goDuration(timeout)}`,
      };
    }
    return { result: 'error', output: (err as Error).message };
  }
}

const serviceStates = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

/** grpc.health.v1.Health/Check, whose messages are one field each: written and read by hand. */
async function grpcProbe(
  host: string,
  port: number,
  service: string,
  timeout: number,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const client = new Client(address, credentials.createInsecure(), { 'grpc.primary_user_agent': USER_AGENT });
  try {
    const status = await new Promise<number>((resolve, reject) => {
      const call: ClientUnaryCall = client.makeUnaryRequest<string, number>(
        '/grpc.health.v1.Health/Check',
        encodeHealthRequest,
        decodeHealthResponse,
        service,
        new Metadata(),
        { deadline: systemClock.now() + timeout },
        (err: ServiceError | null, value?: number) => (err === null ? resolve(value ?? 0) : reject(err)),
      );
      signal.addEventListener('abort', () => call.cancel(), { once: true });
    });
    const name = serviceStates[status] ?? 'UNKNOWN';
    return name === 'SERVING'
      ? { result: 'success', output: '' }
      : { result: 'failure', output: `service unhealthy (responded with ${JSON.stringify(name)})` };
  } catch (err) {
    const { code, details } = err as ServiceError;
    if (code === grpcStatus.UNIMPLEMENTED) {
      return {
        result: 'failure',
        output: `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${details}`,
      };
    }
    if (code === grpcStatus.DEADLINE_EXCEEDED || code === grpcStatus.UNAVAILABLE) {
      return {
        result: 'failure',
        output: `timeout: failed to connect service ${JSON.stringify(address)} within ${goDuration(timeout)}: ${details}`,
      };
    }
    return { result: 'failure', output: `error: health rpc probe failed: ${details}` };
  } finally {
    client.close();
  }
}

function encodeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  // Field 1, length-delimited; service names are shorter than 128 bytes times 128.
  const length = name.length < 128 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  return name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

/** The status, field 1 as a varint; 0 when it is not written. */
function decodeHealthResponse(bytes: Buffer): number {
  return bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0;
}
