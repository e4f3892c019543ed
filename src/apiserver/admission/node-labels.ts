const kubeletLabels: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);
const kubeletDomains = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
const kubernetesDomains = ['kubernetes.io', 'k8s.io'];
const RESTRICTED_DOMAIN = 'node-restriction.kubernetes.io';

type Labels = Readonly<Record<string, string>>;

const within = (domain: string, parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);
const domainOf = (key: string): string => (key.includes('/') ? key.slice(0, key.indexOf('/')) : '');

/** The labels that a node may not give itself, since workloads are steered by them. */
function isForbidden(key: string): boolean {
  const domain = domainOf(key);
  if (within(domain, RESTRICTED_DOMAIN)) return true;
  if (!kubernetesDomains.some((parent) => within(domain, parent))) return false;
  return !kubeletLabels.has(key) && !kubeletDomains.some((parent) => within(domain, parent));
}

/** Of the labels that differ, those that a node may not change on itself; sorted. */
export function forbiddenLabelChanges(labels: Labels = {}, old: Labels = {}): readonly string[] {
  const keys = new Set([...Object.keys(labels), ...Object.keys(old)]);
  return [...keys].filter((key) => labels[key] !== old[key] && isForbidden(key)).sort();
}
