import type { Volume } from '../../../api/types/core-v1.ts';
import { procMount, seccompProfile } from './baseline.ts';
import {
  type Check,
  inUserNamespace,
  isWindows,
  named,
  offenders,
  type PodCheck,
  plural,
  quoted,
  setters,
  sorted,
} from './check.ts';

const allowPrivilegeEscalation: PodCheck = (spec) => {
  const bad = offenders(spec, (c) => c.securityContext?.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${named('container', bad)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

const capabilities: PodCheck = (spec) => {
  const added = new Set<string>();
  const keeping = offenders(spec, (c) => c.securityContext?.capabilities?.drop?.includes('ALL') !== true);
  const adding = offenders(spec, (c) => {
    const beyond = (c.securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
    for (const name of beyond) added.add(name);
    return beyond.length > 0;
  });
  const details = [
    ...(keeping.length === 0 ? [] : [`${named('container', keeping)} must set securityContext.capabilities.drop=["ALL"]`]),
    ...(adding.length === 0
      ? []
      : [`${named('container', adding)} must not include ${quoted(sorted(added))} in securityContext.capabilities.add`]),
  ];
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') };
};

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
] as const;

const volumeTypes: PodCheck = (spec) => {
  const bad = (spec.volumes ?? []).filter((v) => !allowedVolumes.some((type) => v[type] !== undefined));
  if (bad.length === 0) return undefined;
  const types = new Set(bad.map(typeOf));
  const verb = bad.length === 1 ? 'uses' : 'use';
  const names = bad.map((v) => v.name);
  return {
    reason: 'restricted volume types',
    detail: `${named('volume', names)} ${verb} ${plural('restricted volume type', types.size)} ${quoted(sorted(types))}`,
  };
};

/** A volume has one source beside its name; none that is known means one that this release does not know. */
const typeOf = (volume: Volume): string => Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';

const runAsNonRoot: PodCheck = (spec) => {
  const ofPod = spec.securityContext?.runAsNonRoot;
  const who = setters(
    ofPod === false,
    offenders(spec, (c) => c.securityContext?.runAsNonRoot === false),
  );
  const reason = 'runAsNonRoot != true';
  if (who !== '') return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
  if (ofPod === true) return undefined;
  const silent = offenders(spec, (c) => c.securityContext?.runAsNonRoot === undefined);
  if (silent.length === 0) return undefined;
  return { reason, detail: `pod or ${named('container', silent)} must set securityContext.runAsNonRoot=true` };
};

const runAsUser: PodCheck = (spec) => {
  const who = setters(
    spec.securityContext?.runAsUser === 0,
    offenders(spec, (c) => c.securityContext?.runAsUser === 0),
  );
  return who === '' ? undefined : { reason: 'runAsUser=0', detail: `${who} must not set runAsUser=0` };
};

/** As of the baseline, and a profile must be set. */
const seccomp: PodCheck = (spec, metadata) => {
  const violation = seccompProfile(spec, metadata);
  if (violation !== undefined || spec.securityContext?.seccompProfile !== undefined) return violation;
  const silent = offenders(spec, (c) => c.securityContext?.seccompProfile === undefined);
  if (silent.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `pod or ${named('container', silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};

const unless =
  (exempt: typeof isWindows, check: PodCheck): PodCheck =>
  (spec, metadata) =>
    exempt(spec) ? undefined : check(spec, metadata);

/** What the restricted standard asks beyond the baseline, in the order that violations are told in. */
export const restrictedChecks: readonly Check[] = [
  {
    id: 'allowPrivilegeEscalation',
    versions: [
      { from: 8, check: allowPrivilegeEscalation },
      { from: 25, check: unless(isWindows, allowPrivilegeEscalation) },
    ],
  },
  {
    id: 'capabilities_restricted',
    versions: [
      { from: 22, check: capabilities, overrides: 'capabilities_baseline' },
      { from: 25, check: unless(isWindows, capabilities), overrides: 'capabilities_baseline' },
    ],
  },
  { id: 'procMount_restricted', versions: [{ from: 35, check: procMount, overrides: 'procMount' }] },
  { id: 'restrictedVolumes', versions: [{ from: 0, check: volumeTypes, overrides: 'hostPathVolumes' }] },
  {
    id: 'runAsNonRoot',
    versions: [
      { from: 0, check: runAsNonRoot },
      { from: 35, check: unless(inUserNamespace, runAsNonRoot) },
    ],
  },
  {
    id: 'runAsUser',
    versions: [
      { from: 23, check: runAsUser },
      { from: 35, check: unless(inUserNamespace, runAsUser) },
    ],
  },
  {
    id: 'seccompProfile_restricted',
    versions: [
      { from: 19, check: seccomp, overrides: 'seccompProfile_baseline' },
      { from: 25, check: unless(isWindows, seccomp), overrides: 'seccompProfile_baseline' },
    ],
  },
];
