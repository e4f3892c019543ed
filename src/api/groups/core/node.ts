import { duplicate, type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { isQualifiedName, isValidLabelValue, nameIsDNSSubdomain } from '../../meta/names.ts';
import type { Node, NodeSpec, Taint } from '../../types/core-v1.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { check } from '../field-checks.ts';
import { cidrWarnings, parseCIDR, validateLegacyCIDR } from '../ip.ts';
import { quantityFaults } from './resource-faults.ts';

const define = groupVersion('', 'v1');
const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** podCIDR and podCIDRs[0] are one thing; a client may give either. */
function syncPodCIDRs(spec: NodeSpec): NodeSpec {
  const { podCIDR = '', podCIDRs = [] } = spec;
  if (podCIDR !== '') return podCIDRs[0] === podCIDR ? spec : { ...spec, podCIDRs: [podCIDR] };
  return podCIDRs.length === 0 ? spec : { ...spec, podCIDR: podCIDRs[0]! };
}

function defaults(object: Node): Node {
  const spec = object.spec === undefined ? undefined : syncPodCIDRs(object.spec);
  const synced = spec === object.spec ? object : { ...object, spec: spec! };
  const { capacity, allocatable } = synced.status ?? {};
  if (capacity === undefined || allocatable !== undefined) return synced;
  return { ...synced, status: { ...synced.status, allocatable: capacity } };
}

function taintFaults(taints: readonly Taint[]): readonly FieldError[] {
  const seen = new Set<string>();
  return taints.flatMap((taint, i) => {
    // The path says metadata upstream as well.
    const path = new FieldPath('metadata.taints').index(i);
    const { key = '', value = '', effect } = taint;
    const errors: FieldError[] = [...check(path.child('key'), key, isQualifiedName)];
    const badValue = isValidLabelValue(value);
    if (badValue.length > 0) errors.push(invalid(path.child('value'), value, badValue.join(';')));
    if (!effect) errors.push(required(path.child('effect')));
    else if (!taintEffects.includes(effect)) errors.push(notSupported(path.child('effect'), effect, taintEffects));
    const pair = `${effect} ${key}`;
    if (seen.has(pair)) {
      // Field names as of the internal type, which has no JSON tags.
      const shown = { Key: key, Value: value, Effect: effect ?? '', TimeAdded: taint.timeAdded ?? null };
      errors.push({ ...duplicate(path, shown), detail: 'taints must be unique by key and effect pair' });
    }
    seen.add(pair);
    return errors;
  });
}

function resourceFaults(object: Node): readonly FieldError[] {
  return (['capacity', 'allocatable'] as const).flatMap((field) =>
    Object.entries(object.status?.[field] ?? {}).flatMap(([name, amount]) =>
      quantityFaults(new FieldPath('status').child(field, name), name, amount),
    ),
  );
}

function podCIDRFaults(cidrs: readonly string[]): readonly FieldError[] {
  const path = new FieldPath('spec.podCIDRs');
  const errors = cidrs.flatMap((cidr, i) => validateLegacyCIDR(path.index(i), cidr));
  if (cidrs.length < 2) return errors;
  const families = cidrs.map((cidr) => parseCIDR(cidr)?.v6);
  if (cidrs.length > 2 || !families.includes(true) || !families.includes(false)) {
    errors.push(invalid(path, cidrs, 'may specify no more than one CIDR for each IP family'));
  }
  cidrs.forEach((cidr, i) => {
    if (cidrs.indexOf(cidr) < i) errors.push(duplicate(path.index(i), cidr));
  });
  return errors;
}

/** Kubelets were once configured through the API; new nodes are not. */
function withoutConfigSource(object: Node): Node {
  if (object.spec?.configSource === undefined) return object;
  const { configSource: _source, ...spec } = object.spec;
  return { ...object, spec };
}

const featureName = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/;
const maxFeatureName = 253;

/** Features are sorted and told once. */
function featureFaults(features: readonly string[]): readonly FieldError[] {
  const list = new FieldPath('status.declaredFeatures');
  return features.flatMap((feature, i) => {
    const errors: FieldError[] = [];
    const before = i === 0 ? undefined : features[i - 1]!;
    if (before === feature) errors.push(duplicate(list.index(i), feature));
    else if (before !== undefined && before > feature) {
      errors.push(invalid(list.index(i), feature, 'list must be sorted alphabetically'));
    }
    const wrong = `invalid feature name ${JSON.stringify(feature)}: must`;
    if (Buffer.byteLength(feature) > maxFeatureName) {
      errors.push(invalid(list.index(i), feature, `${wrong} be no more than ${maxFeatureName} characters`));
    } else if (!featureName.test(feature)) {
      const detail =
        "start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";
      errors.push(invalid(list.index(i), feature, `${wrong} ${detail}`));
    }
    return errors;
  });
}

function validate(object: Node): readonly FieldError[] {
  return [
    ...taintFaults(object.spec?.taints ?? []),
    ...resourceFaults(object),
    ...featureFaults(object.status?.declaredFeatures ?? []),
    ...podCIDRFaults(object.spec?.podCIDRs ?? []),
  ];
}

/** Of a node's spec, taints and unschedulable may change; podCIDRs and providerID may be set once. */
function validateUpdate(object: Node, old: Node): readonly FieldError[] {
  const errors = [...validate(object)];
  (object.status?.addresses ?? []).forEach((address, i, all) => {
    if (all.findIndex((a) => a.type === address.type && a.address === address.address) < i) {
      errors.push(duplicate(new FieldPath('status.addresses').index(i), { Type: address.type, Address: address.address }));
    }
  });
  const after = object.spec ?? {};
  const before = old.spec ?? {};
  const cidrs = after.podCIDRs ?? [];
  const oldCIDRs = before.podCIDRs ?? [];
  if (oldCIDRs.length > 0) {
    const fault = forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid');
    if (oldCIDRs.length !== cidrs.length) errors.push(fault);
    else for (const [i, cidr] of oldCIDRs.entries()) if (cidr !== cidrs[i]) errors.push(fault);
  }
  if (before.providerID && before.providerID !== (after.providerID ?? '')) {
    errors.push(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'));
  }
  if ((after.externalID ?? '') !== (before.externalID ?? '')) errors.push(forbidden('spec.externalID', 'may not be updated'));
  return errors;
}

function status(object: Node): string {
  const ready = object.status?.conditions?.find((c) => c.type === 'Ready');
  const text = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return object.spec?.unschedulable === true ? `${text},SchedulingDisabled` : text;
}

/** From labels `node-role.kubernetes.io/<role>` and `kubernetes.io/role=<role>`. */
function roles(object: Node): string {
  const prefix = 'node-role.kubernetes.io/';
  const found = Object.entries(object.metadata?.labels ?? {}).flatMap(([key, value]) =>
    key.startsWith(prefix) ? [key.slice(prefix.length)] : key === 'kubernetes.io/role' ? [value] : [],
  );
  return [...new Set(found.filter((role) => role !== ''))].sort().join(',') || '<none>';
}

const address = (object: Node, type: string): string =>
  object.status?.addresses?.find((a) => a.type === type)?.address ?? '<none>';

export const node = define<Node>({
  kind: 'Node',
  plural: 'nodes',
  namespaced: false,
  shortNames: ['no'],
  storagePrefix: '/registry/minions',
  status: true,
  generation: false,
  subresources: [
    {
      name: 'proxy',
      verbs: ['create', 'delete', 'get', 'patch', 'update'],
      kind: { group: '', version: 'v1', kind: 'NodeProxyOptions' },
    },
  ],
  defaults,
  // A kubelet registers its node with its status, in one request.
  strategy: {
    prepareForCreate: (object) => {
      if (object.spec?.configSource === undefined && object.status?.config === undefined) return object;
      const { config: _config, ...status } = object.status ?? {};
      return { ...withoutConfigSource(object), ...(object.status === undefined ? {} : { status }) };
    },
    prepareForUpdate: (object, old) => ({
      ...(old.spec?.configSource === undefined ? withoutConfigSource(object) : object),
      ...(old.status === undefined ? { status: undefined } : { status: old.status }),
    }),
  },
  validate,
  validateUpdate,
  validateStatusUpdate: validateUpdate,
  validateName: nameIsDNSSubdomain,
  warnings: ({ spec }) => [
    ...(spec?.configSource === undefined ? [] : ['spec.configSource: the feature is removed']),
    ...(spec?.externalID ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes'] : []),
    ...(spec?.podCIDRs ?? []).flatMap((cidr, i) => cidrWarnings(`spec.podCIDRs[${i}]`, cidr)),
  ],
  columns: [
    ...standardColumns(column('Status', 'string', 'The status of the node'), column('Roles', 'string', 'The roles of the node')),
    column('Version', 'string', 'Kubelet Version reported by the node.'),
    column(
      'Internal-IP',
      'string',
      "List of addresses reachable to the node. Queried from cloud provider, if available. More info: https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it is merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an example. Consumers should assume that addresses can change during the lifetime of a Node. However, there are some exceptions where this may not be possible, such as Pods that inherit a Node's address in its own status or consumers of the downward API (status.hostIP).",
      1,
    ),
    column(
      'External-IP',
      'string',
      "List of addresses reachable to the node. Queried from cloud provider, if available. More info: https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it is merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an example. Consumers should assume that addresses can change during the lifetime of a Node. However, there are some exceptions where this may not be possible, such as Pods that inherit a Node's address in its own status or consumers of the downward API (status.hostIP).",
      1,
    ),
    column('OS-Image', 'string', 'OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy)).', 1),
    column('Kernel-Version', 'string', "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64).", 1),
    column(
      'Container-Runtime',
      'string',
      'ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2).',
      1,
    ),
  ],
  row: (object, now) => {
    const info = object.status?.nodeInfo;
    return [
      object.metadata?.name ?? '',
      status(object),
      roles(object),
      age(object.metadata?.creationTimestamp, now),
      info?.kubeletVersion ?? '',
      address(object, 'InternalIP'),
      address(object, 'ExternalIP'),
      info?.osImage || '<unknown>',
      (info?.kernelVersion || '<unknown>') + (info?.architecture ? ` (${info.architecture})` : ''),
      info?.containerRuntimeVersion || '<unknown>',
    ];
  },
  fieldSelectors: { 'spec.unschedulable': (object) => String(object.spec?.unschedulable ?? false) },
});
