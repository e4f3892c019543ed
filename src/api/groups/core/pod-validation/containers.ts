import { duplicate, forbidden, invalid, notFoundField, notSupported, required, tooMany } from '../../../meta/field-error.ts';
import { isDNS1123Label, isValidPortName, isValidPortNum } from '../../../meta/names.ts';
import type {
  Container,
  ContainerPort,
  ContainerResizePolicy,
  ContainerRestartRule,
  EphemeralContainer,
  PodSpec,
  Volume,
} from '../../../types/core-v1.ts';
import { validateEnv, validateEnvFrom } from './environment.ts';
import { validateMounts } from './mounts.ts';
import { type Errors, type PodValidationOptions, report } from './options.ts';
import { validateLifecycle, validateLivenessProbe, validateReadinessProbe, validateStartupProbe } from './probes.ts';
import { validateContainerResources } from './resources.ts';
import { validateSecurityContext } from './security.ts';

/** The containers of a pod: regular, init and ephemeral ones. */

/** What the containers of one pod are validated against. */
export interface PodScope {
  readonly spec: PodSpec;
  /** The volumes that are in order. */
  readonly volumes: ReadonlyMap<string, Volume>;
  /** The names in spec.resourceClaims. */
  readonly claimNames: ReadonlySet<string>;
  readonly options: PodValidationOptions;
}

const protocols = ['SCTP', 'TCP', 'UDP'];
const pullPolicies = ['Always', 'IfNotPresent', 'Never'];
const messagePolicies = ['File', 'FallbackToLogsOnError'];
const restartPolicies = ['Always', 'Never', 'OnFailure'];
const ruleActions = ['Restart', 'RestartAllContainers'];
const ruleOperators = ['In', 'NotIn'];
const resizableResources = ['cpu', 'memory'];
const resizePolicies = ['NotRequired', 'RestartContainer'];

/** Rules a container may have for its restart, and exit codes a rule may name. */
const maxRestartRules = 20;
const maxRuleExitCodes = 255;

/** `at` is the path of the list. */
export function validateContainers(scope: PodScope, at: string, errors: Errors): void {
  const { containers } = scope.spec;
  if (containers === undefined || containers.length === 0) {
    errors.push(required(at));
    return;
  }
  const names = new Set<string>();
  for (let i = 0; i < containers.length; i++) {
    const container = containers[i] as Container;
    const here = `${at}[${i}]`;
    validateCommon(container, scope, here, errors);
    if (names.has(container.name)) errors.push(duplicate(`${here}.name`, container.name));
    names.add(container.name);
    validateLongRunning(container, scope, here, errors);
    validateRestartRules(container, here, errors);
  }
  validateHostPortConflicts(containers, at, errors);
}

/** Hooks and probes: what a container has that is meant to go on. */
function validateLongRunning(container: Container, { spec }: PodScope, at: string, errors: Errors): void {
  const grace = spec.terminationGracePeriodSeconds;
  if (container.lifecycle !== undefined) {
    validateLifecycle(container.lifecycle, grace, spec.os?.name, `${at}.lifecycle`, errors);
  }
  validateLivenessProbe(container.livenessProbe, grace, `${at}.livenessProbe`, errors);
  validateReadinessProbe(container.readinessProbe, grace, `${at}.readinessProbe`, errors);
  validateStartupProbe(container.startupProbe, grace, `${at}.startupProbe`, errors);
}

/** `at` is the path of the list. */
export function validateInitContainers(scope: PodScope, at: string, errors: Errors): void {
  const { initContainers = [], containers = [] } = scope.spec;
  if (initContainers.length === 0) return;
  const names = new Set(containers.map((c) => c.name));
  for (let i = 0; i < initContainers.length; i++) {
    const container = initContainers[i] as Container;
    const here = `${at}[${i}]`;
    validateCommon(container, scope, here, errors);
    const sidecar = container.restartPolicy === 'Always';
    validateRestartRules(container, here, errors);
    if (names.has(container.name)) errors.push(duplicate(`${here}.name`, container.name));
    else if (container.name) names.add(container.name);
    // One at a time: only a container's own ports can be in its way.
    validateHostPortConflicts([container], at, errors);
    if (sidecar) {
      validateLongRunning(container, scope, here, errors);
    } else {
      for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
        if (container[field] !== undefined) {
          errors.push(forbidden(`${here}.${field}`, 'may not be set for init containers without restartPolicy=Always'));
        }
      }
    }
  }
}

const ephemeralFields = new Set([
  'name',
  'targetContainerName',
  'image',
  'command',
  'args',
  'workingDir',
  'env',
  'envFrom',
  'volumeMounts',
  'volumeDevices',
  'terminationMessagePath',
  'terminationMessagePolicy',
  'imagePullPolicy',
  'securityContext',
  'stdin',
  'stdinOnce',
  'tty',
]);

/** `at` is the path of the list. */
export function validateEphemeralContainers(scope: PodScope, at: string, errors: Errors): void {
  const { ephemeralContainers = [], containers = [], initContainers = [] } = scope.spec;
  if (ephemeralContainers.length === 0) return;
  const others = new Set([...containers, ...initContainers].map((c) => c.name));
  const names = new Set(others);
  const detail = 'cannot be set for an Ephemeral Container';
  for (let i = 0; i < ephemeralContainers.length; i++) {
    const container = ephemeralContainers[i] as EphemeralContainer;
    const here = `${at}[${i}]`;
    validateCommon(container, scope, here, errors);
    validateImageSpace(container, here, errors);
    if (names.has(container.name)) errors.push(duplicate(`${here}.name`, container.name));
    names.add(container.name);
    const target = container.targetContainerName;
    if (target && !others.has(target)) errors.push(notFoundField(`${here}.targetContainerName`, target));
    for (const field of Object.keys(container) as (keyof EphemeralContainer)[]) {
      if (ephemeralFields.has(field) || isUnset(container[field])) continue;
      errors.push(forbidden(`${here}.${field}`, detail));
    }
    const mounts = container.volumeMounts ?? [];
    for (let j = 0; j < mounts.length; j++) {
      if (mounts[j]?.subPath) errors.push(forbidden(`${here}.volumeMounts[${j}].subPath`, detail));
      if (mounts[j]?.subPathExpr) errors.push(forbidden(`${here}.volumeMounts[${j}].subPathExpr`, detail));
    }
  }
}

const isUnset = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);

/** A pod's images may not have blanks around them; a template's may, since some tools make use of it. */
export function validateImageSpace(container: Container, at: string, errors: Errors): void {
  const image = container.image ?? '';
  if (image.trim() !== image) {
    errors.push(invalid(`${at}.image`, image, 'must not have leading or trailing whitespace'));
  }
}

/** What holds for every kind of container. */
function validateCommon(container: Container, scope: PodScope, at: string, errors: Errors): void {
  const { spec, volumes, claimNames, options } = scope;
  if (!container.name) errors.push(required(`${at}.name`));
  else report(errors, `${at}.name`, container.name, isDNS1123Label(container.name));
  if (!container.image) errors.push(required(`${at}.image`));
  const { terminationMessagePolicy, imagePullPolicy } = container;
  if (!terminationMessagePolicy) errors.push(required(`${at}.terminationMessagePolicy`));
  else if (!messagePolicies.includes(terminationMessagePolicy)) {
    errors.push(notSupported(`${at}.terminationMessagePolicy`, terminationMessagePolicy, messagePolicies));
  }
  if (container.ports !== undefined) validatePorts(container.ports, `${at}.ports`, errors);
  if (container.env !== undefined) validateEnv(container.env, `${at}.env`, errors);
  if (container.envFrom !== undefined) validateEnvFrom(container.envFrom, `${at}.envFrom`, errors);
  validateMounts(container, volumes, at, errors);
  if (!imagePullPolicy) errors.push(required(`${at}.imagePullPolicy`));
  else if (!pullPolicies.includes(imagePullPolicy)) {
    errors.push(notSupported(`${at}.imagePullPolicy`, imagePullPolicy, pullPolicies));
  }
  if (container.resources !== undefined) {
    validateContainerResources(container.resources, claimNames, `${at}.resources`, options, errors);
  }
  if (container.resizePolicy !== undefined) {
    validateResizePolicy(container.resizePolicy, spec.restartPolicy, `${at}.resizePolicy`, errors);
  }
  validateSecurityContext(container.securityContext, spec.hostUsers !== false, `${at}.securityContext`, errors);
}

function validatePorts(ports: readonly ContainerPort[], at: string, errors: Errors): void {
  const names = new Set<string>();
  for (let i = 0; i < ports.length; i++) {
    const { name, containerPort, hostPort, protocol } = ports[i] as ContainerPort;
    const here = `${at}[${i}]`;
    if (name) {
      const messages = isValidPortName(name);
      report(errors, `${here}.name`, name, messages);
      if (messages.length === 0) {
        if (names.has(name)) errors.push(duplicate(`${here}.name`, name));
        names.add(name);
      }
    }
    if (!containerPort) errors.push(required(`${here}.containerPort`));
    else report(errors, `${here}.containerPort`, containerPort, isValidPortNum(containerPort));
    if (hostPort) report(errors, `${here}.hostPort`, hostPort, isValidPortNum(hostPort));
    if (!protocol) errors.push(required(`${here}.protocol`));
    else if (!protocols.includes(protocol)) errors.push(notSupported(`${here}.protocol`, protocol, protocols));
  }
}

/** Two containers that run together cannot have the same port of the host. */
function validateHostPortConflicts(containers: readonly Container[], at: string, errors: Errors): void {
  const taken = new Set<string>();
  for (let i = 0; i < containers.length; i++) {
    const ports = containers[i]?.ports ?? [];
    for (let j = 0; j < ports.length; j++) {
      const { protocol = '', hostIP = '', hostPort } = ports[j] as ContainerPort;
      if (!hostPort) continue;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(key)) errors.push(duplicate(`${at}[${i}].ports[${j}].hostPort`, key));
      taken.add(key);
    }
  }
}

function validateResizePolicy(
  policies: readonly ContainerResizePolicy[],
  podRestartPolicy: string | undefined,
  at: string,
  errors: Errors,
): void {
  const seen = new Set<string>();
  for (let i = 0; i < policies.length; i++) {
    const { resourceName = '', restartPolicy = '' } = policies[i] as ContainerResizePolicy;
    if (seen.has(resourceName)) errors.push(duplicate(`${at}[${i}]`, resourceName));
    seen.add(resourceName);
    if (resourceName === '') errors.push(required(at));
    else if (!resizableResources.includes(resourceName)) {
      errors.push(notSupported(at, resourceName, resizableResources));
    }
    if (restartPolicy === '') errors.push(required(at));
    else if (!resizePolicies.includes(restartPolicy)) errors.push(notSupported(at, restartPolicy, resizePolicies));
    if (podRestartPolicy === 'Never' && restartPolicy !== 'NotRequired') {
      errors.push(invalid(at, restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"));
    }
  }
}

/** When one container is restarted whatever the pod's policy says (KEP-5307, KEP-5532). */
function validateRestartRules(container: Container, at: string, errors: Errors): void {
  const { restartPolicy, restartPolicyRules = [] } = container;
  if (restartPolicy !== undefined && !restartPolicies.includes(restartPolicy)) {
    errors.push(notSupported(`${at}.restartPolicy`, restartPolicy, restartPolicies));
  }
  if (restartPolicyRules.length === 0) return;
  if (restartPolicy === undefined) {
    errors.push(required(`${at}.restartPolicy`, 'must specify restartPolicy when restart rules are used'));
  }
  const rulesAt = `${at}.restartPolicyRules`;
  if (restartPolicyRules.length > maxRestartRules) {
    errors.push(tooMany(rulesAt, restartPolicyRules.length, maxRestartRules));
  }
  for (let i = 0; i < restartPolicyRules.length; i++) {
    const { action = '', exitCodes } = restartPolicyRules[i] as ContainerRestartRule;
    const here = `${rulesAt}[${i}]`;
    if (!ruleActions.includes(action)) errors.push(notSupported(`${here}.action`, action, ruleActions));
    if (exitCodes === undefined) {
      errors.push(required(`${here}.exitCodes`, 'must be specified'));
      continue;
    }
    const { operator = '', values = [] } = exitCodes;
    if (!ruleOperators.includes(operator)) {
      errors.push(notSupported(`${here}.exitCodes.operator`, operator, ruleOperators));
    }
    if (values.length > maxRuleExitCodes) {
      errors.push(tooMany(`${here}.exitCodes.values`, values.length, maxRuleExitCodes));
    }
  }
}
