import { builtinSchema, inlineTypes } from '../../schema/builtin.ts';
import type { Field, ObjectSchema, Schema } from '../../schema/schema.ts';

type Members = Readonly<Record<string, unknown>>;

const core = 'io.k8s.api.core.v1.';
const container =
  'name image command args workingDir ports envFrom env resources resizePolicy restartPolicy restartPolicyRules volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty';
/** Structs whose fields stand in another order than protobuf numbers them. */
const orders: Readonly<Record<string, string>> = {
  PodSpec:
    'volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName automountServiceAccountToken nodeName securityContext imagePullSecrets hostname subdomain setHostnameAsFQDN affinity schedulerName tolerations hostAliases priorityClassName priority preemptionPolicy dnsConfig readinessGates runtimeClassName overhead enableServiceLinks topologySpreadConstraints os schedulingGates resourceClaims resources hostnameOverride',
  Container: container,
  EphemeralContainerCommon: container,
  SecurityContext:
    'capabilities privileged seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot readOnlyRootFilesystem allowPrivilegeEscalation procMount seccompProfile appArmorProfile',
  PodSecurityContext:
    'seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups supplementalGroupsPolicy fsGroup fsGroupChangePolicy sysctls seccompProfile appArmorProfile seLinuxChangePolicy',
  VolumeSource:
    'hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs persistentVolumeClaim rbd quobyte flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap vsphereVolume azureDisk photonPersistentDisk projected portworxVolume scaleIO storageos csi ephemeral image',
  PersistentVolumeSource:
    'gcePersistentDisk awsElasticBlockStore hostPath glusterfs nfs rbd quobyte iscsi flexVolume cinder cephfs fc flocker azureFile vsphereVolume azureDisk photonPersistentDisk portworxVolume scaleIO local storageos csi',
  VolumeMount: 'name readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr',
  PersistentVolumeClaimSpec:
    'accessModes selector resources volumeName storageClassName volumeMode dataSource dataSourceRef volumeAttributesClassName',
};

/** Fields of a pod that are its security context's there, in their order. */
const hostFields = ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace', 'hostUsers'];
/** The old name of serviceAccountName, which is not kept. */
const notThere = 'serviceAccount';

const initials =
  /^(?:api|aws|csi|dns|fc|fs|gce|gmsa|grpc|http|ip|iqn|iscsi|nfs|os|pd|rbd|se(?=Linux)|ssl|tcp|tty|uid)(?=[A-Z]|$)/;
const irregular: Readonly<Record<string, string>> = { cephfs: 'CephFS', storageos: 'StorageOS', wwids: 'WWIDs' };

/** A value as `internalJson` writes it, for the bad value of a fault. */
export const internalForm = (type: string, value: object): unknown => struct(builtinSchema(type), value as Members);

/**
 * A value of a type of the core group as the JSON of the struct that upstream holds it in, which its messages about pods and volumes
 * show: every field, by its name in Go, with what it is when nothing was said. Types of other groups are as on the wire.
 */
export function internalJson(type: string, value: unknown): string {
  const text = JSON.stringify(struct(builtinSchema(type), (value ?? {}) as Members), null, 1);
  return text.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function struct(schema: ObjectSchema, value: Members): Members {
  const out: Record<string, unknown> = {};
  for (const field of ordered(schema.name ?? '')) {
    const { name } = field;
    // An embedded one has no name of its own.
    if (name === 'metadata') Object.assign(out, value[name]);
    else out[goName(name)] = internal(field.schema, value[name], field.pointer);
  }
  return schema.name === `${core}PodSpec` ? withHostFields(out, schema, value) : out;
}

function withHostFields(out: Readonly<Record<string, unknown>>, { fields }: ObjectSchema, value: Members): Members {
  const kept = { ...out };
  const host: Record<string, unknown> = {};
  delete kept[goName(notThere)];
  for (const name of hostFields) {
    const field = fields.get(name)!;
    host[goName(name)] = internal(field.schema, value[name], field.pointer);
    delete kept[goName(name)];
  }
  const context = struct(builtinSchema(`${core}PodSecurityContext`), (value['securityContext'] ?? {}) as Members);
  return { ...kept, SecurityContext: { ...host, ...context } };
}

/** The fields of a struct as Go has them: those of embedded structs first, but for a volume, which begins with its name. */
function ordered(type: string): readonly Field[] {
  const embedded = inlineTypes(type).flatMap(ordered);
  const others = new Set(embedded.map((field) => field.name));
  const names = orders[type.slice(core.length)]?.split(' ') ?? [];
  const place = (field: Field): number => {
    const at = names.indexOf(field.name);
    return at < 0 ? names.length + field.proto : at;
  };
  const own = [...builtinSchema(type).fields.values()].filter((field) => !others.has(field.name));
  own.sort((a, b) => place(a) - place(b));
  return type === `${core}Volume` ? [...own, ...embedded] : [...embedded, ...own];
}

function internal(schema: Schema, value: unknown, pointer: boolean): unknown {
  if (schema.kind === 'scalar') return value ?? (pointer ? null : zero(schema.type));
  if (schema.kind === 'object') {
    if (value === undefined && pointer) return null;
    if (schema.name?.startsWith(core) !== true) return value ?? {};
    return struct(schema, (value ?? {}) as Members);
  }
  if (value === undefined) return null;
  if (schema.kind === 'list') return (value as readonly unknown[]).map((item) => internal(schema.items, item, false));
  if (schema.kind === 'any') return value;
  const members = value as Members;
  return Object.fromEntries(
    Object.keys(members)
      .sort()
      .map((key) => [key, internal(schema.values, members[key], false)]),
  );
}

function zero(type: string): unknown {
  if (type === 'string') return '';
  if (type === 'boolean') return false;
  if (type === 'quantity') return '0';
  if (type === 'time' || type === 'micro-time' || type === 'bytes') return null;
  return type === 'duration' ? '0s' : 0;
}

const goName = (name: string): string =>
  irregular[name] ??
  (initials.test(name) ? name.replace(initials, (c) => c.toUpperCase()) : name[0]!.toUpperCase() + name.slice(1));
