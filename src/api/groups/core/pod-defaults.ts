import { onceFor } from '../../repeated-parts.ts';
import type {
  Container,
  ContainerPort,
  EnvVar,
  LifecycleHandler,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Probe,
  ResourceRequirements,
} from '../../types/core-v1.ts';
import { mapField, mapListField, withFields, withMissing } from './copy-on-change.ts';
import { defaultPullPolicy } from './image-reference.ts';
import { defaultPodLevelResources, roundUpToMilli } from './pod-resources.ts';
import { defaultVolume } from './volume-defaults.ts';

/** Seconds between the request to stop and the kill, when a pod does not say. */
export const defaultTerminationGracePeriodSeconds = 30;

const emptySecurityContext = Object.freeze({});
const noResources: ResourceRequirements = Object.freeze({});

/**
 * The defaults of any pod spec, in a pod or in a template (SetDefaults_PodSpec and those of its parts). What only a pod gets,
 * requests from limits and host ports among them, is added by `defaultPod`.
 */
export function defaultPodSpec(spec: PodSpec): PodSpec {
  let result = withMissing(spec, {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: defaultTerminationGracePeriodSeconds,
    dnsPolicy: 'ClusterFirst',
    securityContext: emptySecurityContext,
    schedulerName: 'default-scheduler',
  });
  result = syncServiceAccount(result);
  result = mapListField(result, 'volumes', defaultVolume);
  result = mapListField(result, 'initContainers', defaultContainer);
  result = mapListField(result, 'containers', defaultContainer);
  result = mapListField(result, 'ephemeralContainers', defaultContainer);
  result = mapField(result, 'overhead', roundUpToMilli);
  return mapField(result, 'resources', defaultResources);
}

/** `serviceAccount` is the deprecated alias of `serviceAccountName`: on the wire both are there, and the new name wins. */
export function syncServiceAccount(spec: PodSpec): PodSpec {
  const name = spec.serviceAccountName || spec.serviceAccount;
  return name ? withFields(spec, { serviceAccountName: name, serviceAccount: name }) : spec;
}

/** The defaults of a template's metadata and spec; a template without a spec gets an empty one, which validation then speaks of. */
export function defaultPodTemplate(template: PodTemplateSpec): PodTemplateSpec {
  return withFields(template, { spec: defaultPodSpec(template.spec ?? { containers: [] }) });
}

/** The defaults of a pod (SetDefaults_Pod). */
export const defaultPod = (pod: Pod): Pod =>
  withFields(pod, { spec: onceFor(pod.spec ?? { containers: [] }, defaultSpecOfPod, defaultSpecOfPod) });

function defaultSpecOfPod(given: PodSpec): PodSpec {
  let spec = mapListField(given, 'containers', requestsFromLimits);
  spec = mapListField(spec, 'initContainers', requestsFromLimits);
  if (spec.resources !== undefined) spec = defaultPodLevelResources(spec);
  spec = withMissing(spec, { enableServiceLinks: true });
  // Of pods only: templates keep it, and are warned of.
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) spec = withFields(spec, { terminationGracePeriodSeconds: 1 });
  if (spec.hostNetwork === true) {
    spec = mapListField(spec, 'containers', hostPorts);
    spec = mapListField(spec, 'initContainers', hostPorts);
  }
  return defaultPodSpec(spec);
}

/** A limit without a request is requested. Only in pods: a template keeps what its author wrote. */
function requestsFromLimits(container: Container): Container {
  const limits = container.resources?.limits;
  if (limits === undefined) return container;
  const requests = container.resources?.requests ?? {};
  if (Object.keys(limits).every((name) => name in requests)) return container;
  return { ...container, resources: { ...container.resources, requests: { ...limits, ...requests } } };
}

/** On the host's network a container port is a host port. */
function hostPorts(container: Container): Container {
  return mapListField(container, 'ports', (port: ContainerPort) =>
    port.hostPort ? port : withFields(port, { hostPort: port.containerPort }),
  );
}

function defaultContainer(container: Container): Container {
  let result = withMissing(container, {
    resources: noResources,
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  });
  if (!result.imagePullPolicy) result = { ...result, imagePullPolicy: defaultPullPolicy(result.image) };
  result = mapListField(result, 'ports', defaultPort);
  result = mapListField(result, 'env', defaultEnv);
  result = mapField(result, 'resources', defaultResources);
  result = mapField(result, 'livenessProbe', defaultProbe);
  result = mapField(result, 'readinessProbe', defaultProbe);
  result = mapField(result, 'startupProbe', defaultProbe);
  return mapField(result, 'lifecycle', (lifecycle) =>
    mapField(mapField(lifecycle, 'postStart', defaultHandler), 'preStop', defaultHandler),
  );
}

const defaultPort = (port: ContainerPort): ContainerPort => withMissing(port, { protocol: 'TCP' });

/** Quantities finer than a thousandth are rounded up (SetDefaults_ResourceList). */
function defaultResources(resources: ResourceRequirements): ResourceRequirements {
  return mapField(mapField(resources, 'limits', roundUpToMilli), 'requests', roundUpToMilli);
}

function defaultEnv(env: EnvVar): EnvVar {
  const from = env.valueFrom;
  if (from === undefined || (from.fieldRef === undefined && from.fileKeyRef === undefined)) return env;
  return mapField(env, 'valueFrom', (source) =>
    mapField(
      mapField(source, 'fieldRef', (ref) => withMissing(ref, { apiVersion: 'v1' })),
      'fileKeyRef',
      (ref) => withMissing(ref, { optional: false }),
    ),
  );
}

/** The numbers of a probe, whose zero means unset, and those of its handler. */
function defaultProbe(probe: Probe): Probe {
  const result = withFields(probe, {
    timeoutSeconds: probe.timeoutSeconds || 1,
    periodSeconds: probe.periodSeconds || 10,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
  });
  return mapField(defaultHandler(result), 'grpc', (grpc) => (grpc.service === undefined ? { ...grpc, service: '' } : grpc));
}

function defaultHandler<T extends LifecycleHandler | Probe>(handler: T): T {
  const get = handler.httpGet;
  if (get === undefined) return handler;
  const filled = withMissing(get, { path: '/', scheme: 'HTTP' });
  return filled === get ? handler : { ...handler, httpGet: filled };
}
