import { describe, expect, it } from 'vitest';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { rejection } from './admission.ts';

const node: Node = deepFreeze({
  metadata: { name: 'n', labels: { zone: 'a', size: '8' } },
  spec: { taints: [{ key: 'maintenance', effect: 'NoExecute', value: 'now' }] },
  status: { allocatable: { cpu: '2', memory: '1Gi', pods: '2' } },
});
const tolerations = [{ operator: 'Exists' as const }];
const pod = (spec: object = {}, cpu = '500m'): Pod =>
  deepFreeze({
    metadata: { name: 'p', uid: 'u' },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }], tolerations, ...spec },
  });
const require = (key: string, operator: string, ...values: readonly string[]): object => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }] },
    },
  },
});
const ports = (hostPort: number): object => ({
  containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort }] }],
});

describe('admission on the node', () => {
  it.each<[string, Pod, readonly Pod[], string | undefined, string]>([
    ['a pod that fits', pod(), [], undefined, ''],
    [
      'too much CPU',
      pod({}, '1'),
      [pod({}, '1500m')],
      'OutOfcpu',
      "Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000",
    ],
    [
      'too many pods',
      pod(),
      [pod(), pod()],
      'OutOfpods',
      "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2",
    ],
    [
      'a wrong selector',
      pod({ nodeSelector: { zone: 'b' } }),
      [],
      'NodeAffinity',
      "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ],
    ['a right affinity', pod(require('size', 'Gt', '4')), [], undefined, ''],
    [
      'a wrong affinity',
      pod(require('zone', 'NotIn', 'a')),
      [],
      'NodeAffinity',
      "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ],
    [
      'a taken port',
      pod(ports(80)),
      [pod(ports(80))],
      'NodePorts',
      "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    ],
    ['a free port', pod(ports(81)), [pod(ports(80))], undefined, ''],
    [
      'a taint',
      pod({ tolerations: [] }),
      [],
      'TaintToleration',
      'Predicate TaintToleration failed: node(s) had untolerated taint(s)',
    ],
    [
      'another system',
      pod({ os: { name: 'windows' } }),
      [],
      'PodOSNotSupported',
      "Failed to admit pod as the OS field doesn't match node OS",
    ],
    [
      'safe kernel parameters',
      pod({
        securityContext: {
          sysctls: [
            { name: 'kernel.shm_rmid_forced', value: '1' },
            { name: 'net/ipv4/tcp_syncookies', value: '1' },
          ],
        },
      }),
      [],
      undefined,
      '',
    ],
    [
      'an unsafe kernel parameter',
      pod({ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '8192' }] } }),
      [],
      'SysctlForbidden',
      'forbidden sysctl: "kernel.msgmax" not allowlisted',
    ],
    [
      "a kernel parameter of the node's network",
      pod({ hostNetwork: true, securityContext: { sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] } }),
      [],
      'SysctlForbidden',
      'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host Net enabled',
    ],
  ])('%s', (_name, p, others, reason, message) => {
    const found = rejection(p, node, others);
    expect(found?.reason).toBe(reason);
    if (reason !== undefined) expect(found?.message).toBe(message);
  });

  it('lets pods set what the owner of the node allows, in their own namespaces', () => {
    const setting = (name: string, more: object = {}): Pod =>
      pod({ securityContext: { sysctls: [{ name, value: '1' }] }, ...more });
    const judge = (p: Pod) => rejection(p, node, [], ['net.core.*', 'kernel.msgmax'])?.message;
    expect(judge(setting('net.core.somaxconn'))).toBeUndefined();
    expect(judge(setting('net/core/somaxconn'))).toBeUndefined();
    expect(judge(setting('kernel.msgmax'))).toBeUndefined();
    expect(judge(setting('kernel.msgmaxx'))).toBe('forbidden sysctl: "kernel.msgmaxx" not allowlisted');
    expect(judge(setting('net.ipv4.tcp_mem'))).toBe('forbidden sysctl: "net.ipv4.tcp_mem" not allowlisted');
    expect(judge(setting('kernel.msgmax', { hostIPC: true }))).toBe(
      'forbidden sysctl: "kernel.msgmax" not allowed with host IPC enabled',
    );
  });
});
