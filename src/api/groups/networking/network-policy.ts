import { type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { validateLabelSelector } from '../../meta/label-selector-validation.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from '../../types/networking-v1.ts';
import { selectorCell } from '../core/template-cells.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { isStrictSubnet, validateLegacyCIDR } from '../ip.ts';
import { networkPolicyWarnings } from '../object-warnings.ts';
import { portFaults, portOrNameFaults } from '../port.ts';

const define = groupVersion('networking.k8s.io', 'v1');
const spec = new FieldPath('spec');
const protocols = ['TCP', 'UDP', 'SCTP'];

function policyPortFaults(item: NetworkPolicyPort, path: FieldPath): readonly FieldError[] {
  const { protocol, port, endPort } = item;
  const errors: FieldError[] = [];
  if (protocol !== undefined && !protocols.includes(protocol))
    errors.push(notSupported(path.child('protocol'), protocol, protocols));
  if (port !== undefined) errors.push(...portOrNameFaults(path.child('port'), port));
  const end = path.child('endPort');
  if (endPort === undefined) return errors;
  if (port === undefined) {
    errors.push(invalid(end, endPort, 'may not be specified when `port` is not specified'));
  } else if (typeof port === 'string') {
    errors.push(invalid(end, endPort, 'may not be specified when `port` is non-numeric'));
  } else {
    if (endPort < port) errors.push(invalid(end, endPort, 'must be greater than or equal to `port`'));
    errors.push(...portFaults(end, endPort));
  }
  return errors;
}

function blockFaults(block: IPBlock, path: FieldPath, old: readonly string[]): readonly FieldError[] {
  if (!block.cidr) return [required(path.child('cidr'))];
  const bad = validateLegacyCIDR(path.child('cidr'), block.cidr, old);
  if (bad.length > 0) return bad;
  return (block.except ?? []).flatMap((except, i) => {
    const at = path.child('except').index(i);
    const errors = validateLegacyCIDR(at, except, old);
    if (errors.length > 0) return errors;
    return isStrictSubnet(block.cidr, except) ? [] : [invalid(at, except, 'must be a strict subset of `cidr`')];
  });
}

function peerFaults(peer: NetworkPolicyPeer, path: FieldPath, old: readonly string[]): readonly FieldError[] {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  const errors: FieldError[] = [];
  if (podSelector !== undefined) errors.push(...validateLabelSelector(podSelector, path.child('podSelector')));
  if (namespaceSelector !== undefined) {
    errors.push(...validateLabelSelector(namespaceSelector, path.child('namespaceSelector')));
  }
  if (ipBlock !== undefined) errors.push(...blockFaults(ipBlock, path.child('ipBlock'), old));
  const selected = podSelector !== undefined || namespaceSelector !== undefined;
  if (!selected && ipBlock === undefined) errors.push(required(path, 'must specify a peer'));
  else if (selected && ipBlock !== undefined) errors.push(forbidden(path, 'may not specify both ipBlock and another peer'));
  return errors;
}

/** The CIDRs of a policy: kept on update even where they are no longer strict enough. */
function cidrsOf(s: NetworkPolicySpec | undefined): readonly string[] {
  const peers = [...(s?.ingress ?? []).flatMap((r) => r.from ?? []), ...(s?.egress ?? []).flatMap((r) => r.to ?? [])];
  return peers.flatMap((p) => (p.ipBlock === undefined ? [] : [p.ipBlock.cidr, ...(p.ipBlock.except ?? [])]));
}

function validate(object: NetworkPolicy, old?: NetworkPolicy): readonly FieldError[] {
  const s = object.spec ?? {};
  const known = cidrsOf(old?.spec);
  const errors: FieldError[] = [];
  if (s.podSelector !== undefined) errors.push(...validateLabelSelector(s.podSelector, spec.child('podSelector')));
  const rules = [
    ...(s.ingress ?? []).map((r, i) => ({ path: spec.child('ingress').index(i), field: 'from', ports: r.ports, peers: r.from })),
    ...(s.egress ?? []).map((r, i) => ({ path: spec.child('egress').index(i), field: 'to', ports: r.ports, peers: r.to })),
  ];
  for (const { path, field, ports = [], peers = [] } of rules) {
    ports.forEach((port, i) => void errors.push(...policyPortFaults(port, path.child('ports').index(i))));
    peers.forEach((peer, i) => void errors.push(...peerFaults(peer, path.child(field).index(i), known)));
  }
  const types = s.policyTypes ?? [];
  const at = spec.child('policyTypes');
  if (types.length > 2) return [...errors, invalid(at, types, 'may not specify more than two policyTypes')];
  types.forEach((type, i) => {
    if (type !== 'Ingress' && type !== 'Egress') errors.push(notSupported(at.index(i), type, ['Ingress', 'Egress']));
  });
  return errors;
}

function defaultPorts<R extends { readonly ports?: readonly NetworkPolicyPort[] }>(rules: readonly R[]): readonly R[] {
  if (!rules.some((r) => r.ports?.some((p) => p.protocol === undefined))) return rules;
  return rules.map((r) =>
    r.ports === undefined ? r : { ...r, ports: r.ports.map((p) => ({ ...p, protocol: p.protocol ?? ('TCP' as const) })) },
  );
}

function defaults(object: NetworkPolicy): NetworkPolicy {
  const s = object.spec ?? {};
  const types = s.policyTypes ?? [];
  return {
    ...object,
    spec: {
      ...s,
      ...(s.ingress === undefined ? {} : { ingress: defaultPorts(s.ingress) }),
      ...(s.egress === undefined ? {} : { egress: defaultPorts(s.egress) }),
      policyTypes: types.length > 0 ? types : (s.egress?.length ?? 0) > 0 ? ['Ingress', 'Egress'] : ['Ingress'],
    },
  };
}

export const networkPolicy = define<NetworkPolicy>({
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  namespaced: true,
  shortNames: ['netpol'],
  generation: true,
  defaults,
  validate: (object) => validate(object),
  validateUpdate: validate,
  validateName: nameIsDNSSubdomain,
  warnings: networkPolicyWarnings,
  columns: standardColumns(
    column(
      'Pod-Selector',
      'string',
      "podSelector selects the pods to which this NetworkPolicy object applies. The array of rules is applied to any pods selected by this field. An empty selector matches all pods in the policy's namespace. Multiple network policies can select the same set of pods. In this case, the ingress rules for each are combined additively. This field is optional. If it is not specified, it defaults to an empty selector.",
    ),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    selectorCell(object.spec?.podSelector ?? {}),
    age(object.metadata?.creationTimestamp, now),
  ],
});
