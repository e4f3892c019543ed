import type { IncomingMessage } from 'node:http';
import { type Agent, request } from 'node:https';
import { realisticPod } from '../src/api/schema/realistic-pod.fixture.ts';

/** A server on loopback, and the connections to it. */
export interface Target {
  readonly port: number;
  readonly agent: Agent;
}

/** Sends a request; resolves when the head of the answer has come. */
export function open(
  { port, agent }: Target,
  method: string,
  path: string,
  body?: string,
  type = 'application/json',
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) };
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Sends a request and reads the whole answer. Rejects when its code is not `code`. */
export async function send(
  target: Target,
  method: string,
  path: string,
  code: number,
  body?: string,
  type?: string,
): Promise<Buffer> {
  const answer = await open(target, method, path, body, type);
  const parts: Buffer[] = [];
  for await (const part of answer as AsyncIterable<Buffer>) parts.push(part);
  const whole = Buffer.concat(parts);
  if (answer.statusCode !== code) throw new Error(`${method} ${path}: ${answer.statusCode} ${whole.toString().slice(0, 300)}`);
  return whole;
}

/** A pod of one container, which the server answers with 4.3 KB: as large as those that the peer was measured with. */
export function podNamed(name: string, more: { readonly labels?: object; readonly env?: readonly object[] } = {}): object {
  const { metadata, spec } = realisticPod as {
    readonly metadata: { readonly labels?: object };
    readonly spec: { readonly containers: readonly { readonly ports: readonly object[]; readonly env: readonly object[] }[] };
  };
  const { ports, env, ...container } = spec.containers[0]!;
  const containers = [{ ...container, ports: ports.slice(0, 1), env: [...env.slice(3), ...(more.env ?? [])] }];
  const labels = { ...metadata.labels, ...more.labels };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels }, spec: { ...spec, containers } };
}
