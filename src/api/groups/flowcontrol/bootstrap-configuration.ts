import type {
  FlowSchema,
  NonResourcePolicyRule,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  ResourcePolicyRule,
  Subject,
} from '../../types/flowcontrol-v1.ts';

/** The annotation that says whether the API server may bring an object up to date. */
export const AUTO_UPDATE = 'apf.kubernetes.io/autoupdate-spec';
const API_VERSION = 'flowcontrol.apiserver.k8s.io/v1';

const head = (kind: string, name: string) => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name, annotations: { [AUTO_UPDATE]: 'true' } },
});

const level = (name: string, spec: PriorityLevelConfigurationSpec): PriorityLevelConfiguration => ({
  ...head('PriorityLevelConfiguration', name),
  spec,
});

const queued = (name: string, shares: number, lendable: number, queues: number, handSize: number): PriorityLevelConfiguration =>
  level(name, {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares: shares,
      lendablePercent: lendable,
      limitResponse: { type: 'Queue', queuing: { queues, handSize, queueLengthLimit: 50 } },
    },
  });

const everyResource: ResourcePolicyRule = {
  verbs: ['*'],
  apiGroups: ['*'],
  resources: ['*'],
  namespaces: ['*'],
  clusterScope: true,
};
const everyPath: NonResourcePolicyRule = { verbs: ['*'], nonResourceURLs: ['*'] };

interface Rules {
  readonly resourceRules?: readonly ResourcePolicyRule[];
  readonly nonResourceRules?: readonly NonResourcePolicyRule[];
}
const everything: Rules = { resourceRules: [everyResource], nonResourceRules: [everyPath] };

function schema(
  name: string,
  levelName: string,
  precedence: number,
  distinguisher: 'ByUser' | 'ByNamespace' | undefined,
  subjects: readonly Subject[],
  rules: Rules = everything,
): FlowSchema {
  return {
    ...head('FlowSchema', name),
    spec: {
      priorityLevelConfiguration: { name: levelName },
      matchingPrecedence: precedence,
      ...(distinguisher === undefined ? {} : { distinguisherMethod: { type: distinguisher } }),
      rules: [{ subjects, ...rules }],
    },
  };
}

const groups = (...names: readonly string[]): readonly Subject[] => names.map((name) => ({ kind: 'Group', group: { name } }));
const users = (...names: readonly string[]): readonly Subject[] => names.map((name) => ({ kind: 'User', user: { name } }));
const everyone = groups('system:unauthenticated', 'system:authenticated');
const kubeSystemAccounts: readonly Subject[] = [
  { kind: 'ServiceAccount', serviceAccount: { name: '*', namespace: 'kube-system' } },
];

const leases = (verbs: readonly string[]): ResourcePolicyRule => ({
  verbs,
  apiGroups: ['coordination.k8s.io'],
  resources: ['leases'],
  namespaces: ['*'],
});

/** What there has to be: requests need a place to go. Upstream's MandatoryPriorityLevelConfigurations. */
export const mandatoryLevels: readonly PriorityLevelConfiguration[] = [
  level('catch-all', {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } },
  }),
  level('exempt', { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
];

export const mandatorySchemas: readonly FlowSchema[] = [
  schema('exempt', 'exempt', 1, undefined, groups('system:masters')),
  schema('catch-all', 'catch-all', 10_000, 'ByUser', everyone),
];

/** What a cluster begins with, and its administrators may change. */
export const suggestedLevels: readonly PriorityLevelConfiguration[] = [
  queued('system', 30, 33, 64, 6),
  queued('node-high', 40, 25, 64, 6),
  queued('leader-election', 10, 0, 16, 4),
  queued('workload-high', 40, 50, 128, 6),
  queued('workload-low', 100, 90, 128, 6),
  queued('global-default', 20, 50, 128, 6),
];

export const suggestedSchemas: readonly FlowSchema[] = [
  schema('system-nodes', 'system', 500, 'ByUser', groups('system:nodes')),
  schema('system-node-high', 'node-high', 400, 'ByUser', groups('system:nodes'), {
    resourceRules: [
      { verbs: ['*'], apiGroups: [''], resources: ['nodes', 'nodes/status'], namespaces: ['*'], clusterScope: true },
      leases(['*']),
    ],
  }),
  schema('probes', 'exempt', 2, undefined, everyone, {
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
  }),
  schema(
    'system-leader-election',
    'leader-election',
    100,
    'ByUser',
    [...users('system:kube-controller-manager', 'system:kube-scheduler'), ...kubeSystemAccounts],
    { resourceRules: [leases(['get', 'create', 'update'])] },
  ),
  schema('kube-controller-manager', 'workload-high', 800, 'ByNamespace', users('system:kube-controller-manager')),
  schema('kube-scheduler', 'workload-high', 800, 'ByNamespace', users('system:kube-scheduler')),
  schema('kube-system-service-accounts', 'workload-high', 900, 'ByNamespace', kubeSystemAccounts),
  schema('service-accounts', 'workload-low', 9000, 'ByUser', groups('system:serviceaccounts')),
  schema('global-default', 'global-default', 9900, 'ByUser', everyone),
];
