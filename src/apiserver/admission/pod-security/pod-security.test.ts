import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PodSpec } from '../../../api/types/core-v1.ts';
import { deepFreeze } from '../../../util/deep-freeze.ts';
import { createTestApi, refusal, type TestApi, testPod } from '../test-support.ts';
import { createEvaluator, describeViolations } from './evaluate.ts';
import { podSecurity } from './pod-security.ts';
import { policyOf, type Version } from './policy.ts';

const good = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [{ name: 'c', image: 'i', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
};
const container = (securityContext: object, more: object = {}): object => ({
  containers: [{ name: 'a', image: 'i', securityContext, ...more }],
});

describe('the standards', () => {
  const evaluate = createEvaluator();
  const judge = (level: 'baseline' | 'restricted', spec: object, version: Version = 'latest', annotations = {}): string =>
    describeViolations(evaluate({ level, version }, deepFreeze({ containers: [], ...spec }) as PodSpec, { annotations }));

  it('admit a good pod', () => expect(judge('restricted', good)).toBe(''));
  it.each([
    [{ hostNetwork: true, hostPID: true }, 'host namespaces (hostNetwork=true, hostPID=true)'],
    [container({ privileged: true }), 'privileged (container "a" must not set securityContext.privileged=true)'],
    [
      container({ capabilities: { add: ['SYS_ADMIN', 'CHOWN', 'NET_RAW'] } }),
      'non-default capabilities (container "a" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)',
    ],
    [{ volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'hostPath volumes (volume "v")'],
    [
      { containers: ['a', 'b'].map((name) => ({ name, ports: [{ hostPort: 80 }, { hostPort: 8080 }] })) },
      'hostPort (containers "a", "b" use hostPorts 80, 8080)',
    ],
    [
      container({}, { livenessProbe: { httpGet: { host: '10.0.0.1' } } }),
      'probe or lifecycle host (container "a" uses probe or lifecycle host "10.0.0.1")',
    ],
    [container({ procMount: 'Unmasked' }), 'procMount (container "a" must not set securityContext.procMount to "Unmasked")'],
    [
      { securityContext: { seLinuxOptions: { type: 'x', user: 'u' } }, ...container({ seLinuxOptions: { role: 'r' } }) },
      'seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions: type "x"; user may not be set; role may not be set)',
    ],
    [
      container({ seccompProfile: { type: 'Unconfined' } }),
      'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [{ securityContext: { sysctls: [{ name: 'a' }, { name: 'net.ipv4.tcp_rmem' }] } }, 'forbidden sysctls (a)'],
    [
      container({ windowsOptions: { hostProcess: true } }),
      'hostProcess (container "a" must not set securityContext.windowsOptions.hostProcess=true)',
    ],
    [
      container({ appArmorProfile: { type: 'Unconfined' } }),
      'forbidden AppArmor profile (container "a" must not set AppArmor profile type to "Unconfined")',
    ],
  ])('refuse at the baseline: %j', (spec, expected) => expect(judge('baseline', spec)).toBe(expected));

  it('reads annotations of old', () => {
    const annotations = { 'container.apparmor.security.beta.kubernetes.io/a': 'unconfined' };
    expect(judge('baseline', {}, 'latest', annotations)).toBe(
      'forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/a="unconfined"")',
    );
    const seccomp = { 'seccomp.security.alpha.kubernetes.io/pod': 'unconfined' };
    expect(judge('baseline', {}, 18, seccomp)).toBe(
      'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    );
    expect(judge('baseline', {}, 19, seccomp)).toBe('');
  });

  it('tell everything that is not restricted', () => {
    expect(judge('restricted', { containers: [{ name: 'c' }], volumes: [{ name: 'h', hostPath: { path: '/' } }] })).toBe(
      'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
        'restricted volume types (volume "h" uses restricted volume type "hostPath"), ' +
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
  });
  it.each([
    [{ securityContext: { ...good.securityContext, runAsUser: 0 } }, 'runAsUser=0 (pod must not set runAsUser=0)'],
    [
      container({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'], add: ['CHOWN'] } }),
      'unrestricted capabilities (container "a" must not include "CHOWN" in securityContext.capabilities.add)',
    ],
    [
      { securityContext: { ...good.securityContext, runAsNonRoot: false } },
      'runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)',
    ],
  ])('refuse when restricted: %j', (more, expected) => expect(judge('restricted', { ...good, ...more })).toBe(expected));

  it('relax in a user namespace, as of 1.35', () => {
    const spec = { ...good, securityContext: { ...good.securityContext, runAsUser: 0 }, hostUsers: false };
    expect(judge('restricted', spec, 35)).toBe('');
    expect(judge('restricted', spec, 34)).toContain('runAsUser=0');
    expect(judge('baseline', { ...container({ procMount: 'Unmasked' }), hostUsers: false })).toBe('');
    expect(judge('restricted', { ...good, ...container({ procMount: 'Unmasked' }), hostUsers: false })).toContain('procMount');
  });
  it('ask less of Windows', () => {
    const spec = { os: { name: 'windows' }, securityContext: { runAsNonRoot: true }, containers: [{ name: 'c' }] };
    expect(judge('restricted', spec)).toBe('');
  });
});

describe('policyOf', () => {
  const labels = (l: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(l).map(([k, v]) => [`pod-security.kubernetes.io/${k}`, v]));
  it('warns of what it enforces', () => {
    expect(policyOf(labels({ enforce: 'baseline', 'enforce-version': 'v1.30' })).policy).toEqual({
      enforce: { level: 'baseline', version: 30 },
      audit: { level: 'privileged', version: 'latest' },
      warn: { level: 'baseline', version: 30 },
    });
    expect(policyOf(labels({ enforce: 'baseline', warn: 'privileged' })).policy.warn.level).toBe('privileged');
  });
  it('is strict with what it cannot read, and says so', () => {
    const { policy, errors } = policyOf(labels({ enforce: 'x', warn: 'y', 'audit-version': '1' }));
    expect([policy.enforce.level, policy.warn.level]).toEqual(['restricted', 'privileged']);
    expect(errors.map((e) => [e.path, e.detail])).toEqual([
      ['metadata.labels[pod-security.kubernetes.io/enforce]', 'must be one of privileged, baseline, restricted'],
      ['metadata.labels[pod-security.kubernetes.io/audit-version]', 'must be "latest" or "v1.x"'],
      ['metadata.labels[pod-security.kubernetes.io/warn]', 'must be one of privileged, baseline, restricted'],
    ]);
  });
});

describe('PodSecurity', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await createTestApi(podSecurity());
  });
  afterEach(() => api.close());
  const label = (name: string, values: Record<string, string>): Promise<unknown> =>
    api.patch('namespaces', '', name, {
      metadata: { labels: Object.fromEntries(Object.entries(values).map(([k, v]) => [`pod-security.kubernetes.io/${k}`, v])) },
    });
  const deployment = {
    metadata: { name: 'd', namespace: 'x' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }], hostPID: true } },
    },
  };

  it('admits anything where nothing is said', async () => {
    await api.create('pods', testPod('p', { hostPID: true }));
  });
  it('refuses pods that violate the enforced level', async () => {
    await label('x', { enforce: 'baseline' });
    const { code, message } = await refusal(api.create('pods', testPod('p', { hostPID: true })));
    expect(code).toBe(403);
    expect(message).toBe('pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)');
    await api.create('pods', testPod('q'));
  });
  it('warns where it is asked to', async () => {
    await label('x', { warn: 'baseline' });
    const { warnings } = await api.respond('pods', testPod('p', { hostPID: true }));
    expect(warnings).toEqual(['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']);
  });
  it('warns of workloads whose pods will be refused', async () => {
    await label('x', { enforce: 'baseline', 'enforce-version': 'v1.33' });
    const { warnings } = await api.respond('deployments', deployment);
    expect(warnings).toEqual(['would violate PodSecurity "baseline:v1.33": host namespaces (hostPID=true)']);
  });
  it('looks at updates of a pod only where they change images', async () => {
    await api.create('pods', testPod('p', { hostPID: true }));
    await label('x', { enforce: 'baseline' });
    await api.patch('pods', 'x', 'p', { metadata: { labels: { a: 'b' } } });
    const changed = api.patch(
      'pods',
      'x',
      'p',
      { spec: { containers: [{ name: 'c', image: 'j' }] } },
      'application/strategic-merge-patch+json',
    );
    expect((await refusal(changed)).message).toContain('violates PodSecurity');
  });
  it('tells who tightens a namespace which pods violate it', async () => {
    for (const name of ['b', 'a', 'c']) await api.create('pods', testPod(name, { hostPID: true }));
    await api.create(
      'pods',
      testPod('d', {
        hostNetwork: true,
        hostPID: true,
        containers: [{ name: 'c', image: 'i', securityContext: { privileged: true } }],
      }),
    );
    const namespace = api.get('namespaces', '', 'x');
    const response = await api.server.handle(
      {
        ...{ verb: 'update', group: '', version: 'v1', resource: 'namespaces', namespace: '', name: 'x', options: {} },
        body: {
          ...namespace,
          metadata: {
            ...namespace?.metadata,
            labels: { ...namespace?.metadata?.labels, 'pod-security.kubernetes.io/enforce': 'baseline' },
          },
        },
      },
      { name: 'admin', groups: [] },
    );
    expect(response.warnings).toEqual([
      'existing pods in namespace "x" violate the new PodSecurity enforce level "baseline:latest"',
      'a (and 2 other pods): host namespaces',
      'd: host namespaces, privileged',
    ]);
  });
  it('refuses labels that mean nothing, but lets what was there stand', async () => {
    const bad = { metadata: { name: 'y', labels: { 'pod-security.kubernetes.io/enforce': 'x' } } };
    expect((await refusal(api.create('namespaces', bad))).message).toBe(
      'Namespace "y" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "x": must be one of privileged, baseline, restricted',
    );
  });
});
