import { describe, expect, it } from 'vitest';
import { created, createFaults, type Draft, resourceOf, subresourceFaults, updated, updateFaults } from '../resource.fixture.ts';

const pods = resourceOf('v1/pods');
const container = (more: Draft = {}): Draft => ({ name: 'c', image: 'i', ...more });
const podOf = (spec: Draft = {}, metadata: Draft = {}): Draft => ({
  metadata: { name: 'a', namespace: 'default', ...metadata },
  spec: { containers: [container()], ...spec },
});
const containerOf = (more: Draft): Draft => podOf({ containers: [container(more)] });

const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

describe('a new pod', () => {
  it('is completed with defaults', () => {
    const pod = created(
      pods,
      podOf({
        containers: [
          container({
            image: 'x:latest',
            ports: [{ containerPort: 80 }],
            env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
            livenessProbe: { httpGet: { port: 80 } },
            resources: { limits: { cpu: '100.5m', memory: '1Gi' } },
          }),
        ],
        volumes: [
          { name: 'none' },
          { name: 'config', configMap: { name: 'x' } },
          { name: 'path', hostPath: { path: '/' } },
          { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
        ],
        serviceAccountName: 'me',
      }),
    );
    expect(pod.spec).toEqual({
      containers: [
        {
          name: 'c',
          image: 'x:latest',
          imagePullPolicy: 'Always',
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          env: [{ name: 'A', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } }],
          livenessProbe: {
            httpGet: { port: 80, path: '/', scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
          resources: { limits: { cpu: '101m', memory: '1Gi' }, requests: { cpu: '101m', memory: '1Gi' } },
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
        },
      ],
      volumes: [
        { name: 'none', emptyDir: {} },
        { name: 'config', configMap: { name: 'x', defaultMode: 420 } },
        { name: 'path', hostPath: { path: '/', type: '' } },
        {
          name: 'token',
          projected: { defaultMode: 420, sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 3600 } }] },
        },
      ],
      dnsPolicy: 'ClusterFirst',
      enableServiceLinks: true,
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: {},
      serviceAccount: 'me',
      serviceAccountName: 'me',
      terminationGracePeriodSeconds: 30,
    });
    expect(pod.status).toEqual({ phase: 'Pending', qosClass: 'Guaranteed' });
    expect(pod.metadata.generation).toBe(1);
  });

  it.each<[string, Draft, readonly string[]]>([
    ['is content', podOf(), []],
    ['wants a container', podOf({ containers: [] }), ['spec.containers: Required value']],
    [
      'wants names and images',
      podOf({
        containers: [container({ name: '', image: '' }), container({ name: 'A_', image: ' x ' }), container(), container()],
      }),
      [
        'spec.containers[0].name: Required value',
        'spec.containers[0].image: Required value',
        `spec.containers[1].name: Invalid value: "A_": ${label}`,
        'spec.containers[3].name: Duplicate value: "c"',
        'spec.containers[1].image: Invalid value: " x ": must not have leading or trailing whitespace',
      ],
    ],
    [
      'wants ports',
      containerOf({
        ports: [
          { containerPort: 0 },
          { containerPort: 80, name: 'http', protocol: 'ICMP' },
          { containerPort: 81, name: 'http', hostPort: 70000 },
          { containerPort: 82, hostPort: 90 },
          { containerPort: 83, hostPort: 90 },
        ],
      }),
      [
        'spec.containers[0].ports[0].containerPort: Required value',
        'spec.containers[0].ports[1].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
        'spec.containers[0].ports[2].name: Duplicate value: "http"',
        'spec.containers[0].ports[2].hostPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
        'spec.containers[0].ports[4].hostPort: Duplicate value: "TCP//90"',
      ],
    ],
    [
      'wants an environment',
      containerOf({
        env: [
          { name: '' },
          { name: 'a=b', value: 'x' },
          { name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'C', valueFrom: { fieldRef: { fieldPath: 'spec.foo' }, secretKeyRef: { name: 's', key: 'k' } } },
          { name: 'D', valueFrom: { resourceFieldRef: { resource: 'x' } } },
        ],
        envFrom: [{}],
      }),
      [
        'spec.containers[0].env[0].name: Required value',
        'spec.containers[0].env[1].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than \'=\'',
        'spec.containers[0].env[2].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
        'spec.containers[0].env[3].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label not supported: spec.foo',
        'spec.containers[0].env[3].valueFrom: Invalid value: "": may not have more than one field specified at a time',
        'spec.containers[0].env[4].valueFrom.resourceFieldRef.resource: Unsupported value: "x": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"',
        'spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
      ],
    ],
    [
      'wants resources within their limits',
      containerOf({
        resources: { requests: { cpu: '2', memory: '-1', foo: '1', 'a.b/c': '1' }, limits: { cpu: '1', 'a.b/c': '2' } },
      }),
      [
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        'spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0',
        'spec.containers[0].resources.requests[foo]: Invalid value: "foo": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.requests[foo]: Invalid value: "foo": must be a standard resource for containers',
        'spec.containers[0].resources.requests: Invalid value: "1": must be equal to a.b/c limit of 2',
      ],
    ],
    [
      'asks for nothing as a whole, whatever its containers do',
      podOf({ resources: {}, containers: [{ name: 'a', image: 'a', resources: { requests: { cpu: '1' } } }] }),
      [],
    ],
    [
      'wants no resources as a whole on Windows',
      podOf({ os: { name: 'windows' }, resources: { requests: { cpu: '1' } } }),
      ['spec.resources: Forbidden: may not be set for a windows pod'],
    ],
    [
      'wants volumes, and mounts of them',
      podOf({
        volumes: [
          { name: 'v', emptyDir: {} },
          { name: 'v', emptyDir: {} },
          { name: 'two', emptyDir: {}, hostPath: { path: '/x' } },
          { name: 'cm', configMap: { name: 'x', defaultMode: 1000, items: [{ key: '', path: '../x' }] } },
          { name: 'pvc', persistentVolumeClaim: { claimName: '' } },
        ],
        containers: [
          container({
            volumeMounts: [
              { name: 'v', mountPath: '' },
              { name: 'nope', mountPath: '/a' },
              { name: 'v', mountPath: '/b', subPath: '../x' },
              { name: 'v', mountPath: '/b' },
              { name: 'v', mountPath: '/d', mountPropagation: 'Bidirectional' },
            ],
          }),
        ],
      }),
      [
        'spec.volumes[1].name: Duplicate value: "v"',
        'spec.volumes[2].hostPath: Forbidden: may not specify more than 1 volume type',
        'spec.volumes[3].configMap.defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), both inclusive',
        'spec.volumes[3].configMap.items[0].key: Required value',
        'spec.volumes[3].configMap.items[0].path: Invalid value: "../x": must not contain \'..\'',
        'spec.volumes[4].persistentVolumeClaim.claimName: Required value',
        'spec.containers[0].volumeMounts[0].mountPath: Required value',
        'spec.containers[0].volumeMounts[1].name: Not found: "nope"',
        'spec.containers[0].volumeMounts.subPath: Invalid value: "../x": must not contain \'..\'',
        'spec.containers[0].volumeMounts[3].mountPath: Invalid value: "/b": must be unique',
        'spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers',
      ],
    ],
    [
      'wants probes that probe',
      containerOf({
        livenessProbe: { successThreshold: 2, periodSeconds: -1, httpGet: { port: 0 } },
        readinessProbe: {},
        startupProbe: { exec: {}, tcpSocket: { port: 80 } },
        lifecycle: { postStart: {} },
      }),
      [
        'spec.containers[0].lifecycle.postStart: Required value: must specify a handler type',
        'spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0',
        'spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1',
        'spec.containers[0].readinessProbe: Required value: must specify a handler type',
        'spec.containers[0].startupProbe.exec.command: Required value',
        'spec.containers[0].startupProbe.tcpSocket: Forbidden: may not specify more than 1 handler type',
      ],
    ],
    [
      'probes no container that ends before the others begin',
      podOf({
        initContainers: [
          container(),
          container({ name: 'i', readinessProbe: { exec: { command: ['a'] } } }),
          container({ name: 's', restartPolicy: 'Always', readinessProbe: { exec: { command: ['a'] } } }),
        ],
      }),
      [
        'spec.initContainers[0].name: Duplicate value: "c"',
        'spec.initContainers[1].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'wants sense in the rest',
      podOf({
        restartPolicy: 'X',
        dnsPolicy: 'Y',
        preemptionPolicy: 'Z',
        activeDeadlineSeconds: 0,
        hostname: 'A',
        subdomain: 'b.c',
        nodeName: 'N',
        os: { name: 'beos' },
      }),
      [
        'spec.restartPolicy: Unsupported value: "X": supported values: "Always", "OnFailure", "Never"',
        'spec.dnsPolicy: Unsupported value: "Y": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"',
        `spec.nodeName: Invalid value: "N": ${subdomain}`,
        'spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive',
        `spec.hostname: Invalid value: "A": ${label}`,
        'spec.subdomain: Invalid value: "b.c": must not contain dots',
        'spec.preemptionPolicy: Unsupported value: "Z": supported values: "PreemptLowerPriority", "Never"',
        'spec.os: Unsupported value: "beos": supported values: "linux", "windows"',
      ],
    ],
    [
      'wants names resolved',
      podOf({ dnsPolicy: 'None', dnsConfig: { nameservers: ['a', '1.2.3.4', '1.1.1.1', '8.8.8.8'], options: [{}] } }),
      [
        'spec.dnsConfig.nameservers: Invalid value: ["a","1.2.3.4","1.1.1.1","8.8.8.8"]: must not have more than 3 nameservers',
        'spec.dnsConfig.nameservers[0]: Invalid value: "a": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        'spec.dnsConfig.options[0]: Required value: must not be empty',
      ],
    ],
    [
      'tolerates what there is',
      podOf({
        tolerations: [
          { operator: 'X' },
          { operator: 'Exists', value: 'x', key: 'a' },
          { key: 'a', effect: 'Foo' },
          { key: 'a', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 1 },
        ],
      }),
      [
        'spec.tolerations[0].operator: Invalid value: "X": operator must be Exists when `key` is empty, which means "match all values and all keys"',
        'spec.tolerations[0].operator: Unsupported value: "X": supported values: "Equal", "Exists"',
        'spec.tolerations[1].operator: Invalid value: "x": value must be empty when `operator` is \'Exists\'',
        'spec.tolerations[2].effect: Unsupported value: "Foo": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
        'spec.tolerations[3].effect: Invalid value: "NoSchedule": effect must be \'NoExecute\' when `tolerationSeconds` is set',
      ],
    ],
    [
      'goes where there is',
      podOf({
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] },
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 0, preference: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
            ],
          },
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: 'a', labelSelector: { matchExpressions: [{ key: 'x', operator: 'Foo' }] }, namespaces: ['A'] },
            ],
          },
        },
        topologySpreadConstraints: [
          { maxSkew: 0, topologyKey: '', whenUnsatisfiable: 'X' },
          { maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'ScheduleAnyway', minDomains: 2 },
          { maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'ScheduleAnyway', nodeAffinityPolicy: 'X', matchLabelKeys: ['a'] },
        ],
      }),
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
        'spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100',
        "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].operator: Invalid value: "Foo": not a valid selector operator',
        `spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespace: Invalid value: "A": ${label}`,
        'spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero',
        'spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty',
        'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "X": supported values: "DoNotSchedule", "ScheduleAnyway"',
        'spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{z, ScheduleAnyway}"',
        'spec.topologySpreadConstraints[1].minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway',
        'spec.topologySpreadConstraints[2].nodeAffinityPolicy: Unsupported value: "X": supported values: "Honor", "Ignore"',
        'spec.topologySpreadConstraints[2].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set',
      ],
    ],
    [
      'is what it says it is',
      podOf({
        hostPID: true,
        shareProcessNamespace: true,
        securityContext: {
          runAsUser: -1,
          sysctls: [{ name: 'kernel.sem' }, { name: 'kernel.sem' }],
          seccompProfile: { type: 'Localhost' },
        },
      }),
      [
        'spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive',
        'spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled',
        'spec.securityContext.sysctls[1].name: Duplicate value: "kernel.sem"',
        'spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost',
      ],
    ],
    [
      'has the ports of its host, on it',
      podOf({ hostNetwork: true, containers: [container({ ports: [{ containerPort: 80, hostPort: 81 }] })] }),
      ['spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true'],
    ],
    [
      'waits at gates before it has a node',
      podOf({ nodeName: 'n', schedulingGates: [{ name: 'a' }, { name: 'a' }], ephemeralContainers: [{ name: 'e', image: 'x' }] }),
      [
        'spec.schedulingGates[1]: Duplicate value: "a"',
        'spec.ephemeralContainers: Forbidden: cannot be set on create',
        'spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared',
      ],
    ],
    [
      'leaves Linux at home on Windows',
      podOf({
        os: { name: 'windows' },
        hostPID: true,
        securityContext: { runAsUser: 1 },
        containers: [container({ securityContext: { capabilities: {} } })],
      }),
      [
        'spec.hostPID: Forbidden: cannot be set for a windows pod',
        'spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod',
        'spec.containers[0].securityContext.capabilities: Forbidden: cannot be set for a windows pod',
      ],
    ],
    [
      'claims devices once',
      podOf({
        resourceClaims: [{ name: 'a' }, { name: 'a', resourceClaimName: 'x' }],
        containers: [container({ resources: { claims: [{ name: 'zz' }, { name: 'a' }, { name: 'a' }] } })],
      }),
      [
        'spec.resourceClaims[0]: Invalid value: {"Name":"a","ResourceClaimName":null,"ResourceClaimTemplateName":null}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
        'spec.resourceClaims[1].name: Duplicate value: "a"',
        'spec.containers[0].resources.claims[0]: Not found: "zz": must be one of the names in pod.spec.resourceClaims: a',
        'spec.containers[0].resources.claims[2]: Duplicate value: "a"',
      ],
    ],
    [
      'projects paths once',
      podOf({
        serviceAccountName: 'me',
        volumes: [
          {
            name: 'p',
            projected: {
              sources: [
                { secret: { name: 'a', items: [{ key: 'k', path: 'x' }] } },
                { configMap: { name: 'b', items: [{ key: 'k', path: 'x' }] } },
                { serviceAccountToken: { path: '', expirationSeconds: 10 } },
                { downwardAPI: { items: [{ path: 'y', fieldRef: { fieldPath: 'status.podIP' } }] } },
              ],
            },
          },
        ],
      }),
      [
        'spec.volumes[0].projected: Invalid value: "b": conflicting duplicate paths',
        'spec.volumes[0].projected.sources[2].serviceAccountToken.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes',
        'spec.volumes[0].projected.path: Required value',
        'spec.volumes[0].projected.sources[3].downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"',
      ],
    ],
  ])('%s', (_what, draft, faults) => {
    expect(createFaults(pods, draft)).toEqual(faults);
  });
});

describe('an update of a pod', () => {
  const old = created(pods, podOf({ tolerations: [{ key: 'a', operator: 'Exists' }] }));
  const first = (faults: readonly string[]): readonly string[] => faults.map((fault) => fault.split('\n')[0]!);
  const onlyThese =
    'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

  it('may bring images, tolerations and a deadline', () => {
    const change = (pod: Draft): void => {
      pod.spec.containers[0].image = 'j';
      pod.spec.tolerations.push({ key: 'b', operator: 'Exists' });
      pod.spec.activeDeadlineSeconds = 5;
    };
    expect(updateFaults(pods, old, change)).toEqual([]);
    expect(updated(pods, old, change).metadata.generation).toBe(2);
    expect(updated(pods, old, (pod) => void (pod.metadata.labels = { a: 'b' })).metadata.generation).toBe(1);
  });

  it.each<[string, (pod: Draft) => void, readonly string[]]>([
    ['another node', (pod) => void (pod.spec.nodeName = 'n'), [onlyThese]],
    ['another command', (pod) => void (pod.spec.containers[0].command = ['x']), [onlyThese]],
    [
      'more containers',
      (pod) => void pod.spec.containers.push(container({ name: 'd' })),
      ['spec.containers: Forbidden: pod updates may not add or remove containers'],
    ],
    [
      'fewer tolerations',
      (pod) => void (pod.spec.tolerations = []),
      ['spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds'],
    ],
    [
      'a gate',
      (pod) => void (pod.spec.schedulingGates = [{ name: 'g' }]),
      ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'"],
    ],
  ])('may not bring %s', (_what, change, faults) => {
    expect(first(updateFaults(pods, old, change))).toEqual(faults);
  });

  it('may narrow where a pod at a gate goes', () => {
    const gated = created(pods, podOf({ schedulingGates: [{ name: 'g' }], nodeSelector: { a: 'b' } }));
    expect(gated.status.conditions[0]).toMatchObject({ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' });
    expect(updateFaults(pods, gated, (pod) => void (pod.spec.nodeSelector.c = 'd'))).toEqual([]);
    expect(updateFaults(pods, gated, (pod) => void (pod.spec.nodeSelector = { c: 'd' }))).toEqual([
      'spec.nodeSelector: Invalid value: {"c":"d"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)',
    ]);
    expect(updateFaults(pods, gated, (pod) => void (pod.spec.schedulingGates = []))).toEqual([]);
  });

  it('adds ephemeral containers through their own door, and takes none away', () => {
    const more = (pod: Draft): void =>
      void (pod.spec.ephemeralContainers = [
        { name: 'e', image: 'x', imagePullPolicy: 'Always', terminationMessagePolicy: 'File' },
      ]);
    expect(subresourceFaults(pods, 'ephemeralcontainers', old, more)).toEqual([]);
    const debugged = structuredClone(old);
    more(debugged);
    expect(
      first(subresourceFaults(pods, 'ephemeralcontainers', debugged, (pod) => void (pod.spec.ephemeralContainers = []))),
    ).toEqual(['spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed']);
  });
});

describe('the selectors of a pod', () => {
  it('give its fields', () => {
    const pod = {
      ...created(pods, podOf({ nodeName: 'n', hostNetwork: true })),
      status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }] },
    };
    const selected = Object.fromEntries(Object.entries(pods.fieldSelectors).map(([name, value]) => [name, value(pod)]));
    expect(selected).toEqual({
      'spec.nodeName': 'n',
      'spec.host': 'n',
      'spec.restartPolicy': 'Always',
      'spec.schedulerName': 'default-scheduler',
      'spec.serviceAccountName': '',
      'spec.hostNetwork': 'true',
      'status.phase': 'Running',
      'status.podIP': '10.0.0.1',
      'status.podIPs': '',
      'status.nominatedNodeName': '',
    });
  });
});
