import { forbidden, invalid, notSupported, required } from '../../../meta/field-error.ts';
import { isHTTPHeaderName, isValidPortName, isValidPortNum } from '../../../meta/names.ts';
import type { HTTPGetAction, Lifecycle, LifecycleHandler, Probe, ProbeHandler, SleepAction } from '../../../types/core-v1.ts';
import { type Errors, nonNegativeAt, report } from './options.ts';

/** Probes, lifecycle hooks and what they do. `gracePeriod` is the pod's, undefined when it has none (which is told elsewhere). */

export function validateLivenessProbe(
  probe: Probe | undefined,
  gracePeriod: number | undefined,
  at: string,
  errors: Errors,
): void {
  if (probe === undefined) return;
  validateProbe(probe, gracePeriod, at, errors);
  if ((probe.successThreshold ?? 0) !== 1) {
    errors.push(invalid(`${at}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'));
  }
}

export function validateReadinessProbe(
  probe: Probe | undefined,
  gracePeriod: number | undefined,
  at: string,
  errors: Errors,
): void {
  if (probe === undefined) return;
  validateProbe(probe, gracePeriod, at, errors);
  if (probe.terminationGracePeriodSeconds !== undefined) {
    errors.push(
      invalid(`${at}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, 'must not be set for readinessProbes'),
    );
  }
}

/** The same rules hold for a startup probe as for a liveness probe. */
export const validateStartupProbe = validateLivenessProbe;

function validateProbe(probe: Probe, gracePeriod: number | undefined, at: string, errors: Errors): void {
  validateHandler(probe, gracePeriod, at, errors);
  nonNegativeAt(errors, `${at}.initialDelaySeconds`, probe.initialDelaySeconds);
  nonNegativeAt(errors, `${at}.timeoutSeconds`, probe.timeoutSeconds);
  nonNegativeAt(errors, `${at}.periodSeconds`, probe.periodSeconds);
  nonNegativeAt(errors, `${at}.successThreshold`, probe.successThreshold);
  nonNegativeAt(errors, `${at}.failureThreshold`, probe.failureThreshold);
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0) {
    errors.push(invalid(`${at}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'));
  }
}

/** Every signal a container may be stopped with, by the operating system of its pod. */
const windowsSignals = ['SIGKILL', 'SIGTERM'];

export function validateLifecycle(
  lifecycle: Lifecycle,
  gracePeriod: number | undefined,
  os: string | undefined,
  at: string,
  errors: Errors,
): void {
  if (lifecycle.postStart !== undefined) validateHandler(lifecycle.postStart, gracePeriod, `${at}.postStart`, errors);
  if (lifecycle.preStop !== undefined) validateHandler(lifecycle.preStop, gracePeriod, `${at}.preStop`, errors);
  const signal = lifecycle.stopSignal;
  if (signal === undefined) return;
  // Which signals there are depends on the system: it must be told.
  if (os === undefined) errors.push(forbidden(`${at}.stopSignal`, 'may not be set for containers with empty `spec.os.name`'));
  else if (os === 'windows' ? !windowsSignals.includes(signal) : !linuxSignal.test(signal)) {
    errors.push(notSupported(`${at}.stopSignal`, signal, os === 'windows' ? windowsSignals : linuxSignals()));
  }
}

const namedSignals =
  'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ'.split(
    ' ',
  );
const linuxSignal = new RegExp(`^SIG(?:${namedSignals.join('|')}|RTMIN(?:\\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?)$`);

function linuxSignals(): readonly string[] {
  const signals = namedSignals.map((name) => `SIG${name}`);
  signals.push('SIGRTMIN', 'SIGRTMAX');
  for (let i = 1; i <= 15; i++) signals.push(`SIGRTMIN+${i}`);
  for (let i = 1; i <= 14; i++) signals.push(`SIGRTMAX-${i}`);
  return signals.sort();
}

/** Exactly one of the ways to ask a container something. */
function validateHandler(
  handler: LifecycleHandler & ProbeHandler,
  gracePeriod: number | undefined,
  at: string,
  errors: Errors,
): void {
  let handlers = 0;
  const one = (name: string, present: boolean): boolean => {
    if (!present) return false;
    if (handlers++ === 0) return true;
    errors.push(forbidden(`${at}.${name}`, 'may not specify more than 1 handler type'));
    return false;
  };
  if (one('exec', handler.exec !== undefined) && !handler.exec?.command?.length) errors.push(required(`${at}.exec.command`));
  if (one('httpGet', handler.httpGet !== undefined)) validateHttpGet(handler.httpGet!, `${at}.httpGet`, errors);
  if (one('tcpSocket', handler.tcpSocket !== undefined)) {
    validatePort(handler.tcpSocket!.port, `${at}.tcpSocket.port`, errors);
  }
  if (one('grpc', handler.grpc !== undefined)) validatePort(handler.grpc!.port, `${at}.grpc.port`, errors);
  if (one('sleep', handler.sleep !== undefined)) validateSleep(handler.sleep!, gracePeriod, `${at}.sleep`, errors);
  if (handlers === 0) errors.push(required(at, 'must specify a handler type'));
}

function validateHttpGet(get: HTTPGetAction, at: string, errors: Errors): void {
  if (!get.path) errors.push(required(`${at}.path`));
  validatePort(get.port, `${at}.port`, errors);
  if (get.scheme !== 'HTTP' && get.scheme !== 'HTTPS') {
    errors.push(notSupported(`${at}.scheme`, get.scheme ?? '', ['HTTP', 'HTTPS']));
  }
  for (const header of get.httpHeaders ?? []) {
    report(errors, `${at}.httpHeaders`, header.name, isHTTPHeaderName(header.name));
  }
}

/** A port by number or by name. */
export function validatePort(port: number | string | undefined, at: string, errors: Errors): void {
  if (typeof port === 'string') report(errors, at, port, isValidPortName(port));
  else report(errors, at, port ?? 0, isValidPortNum(port ?? 0));
}

function validateSleep(sleep: SleepAction, gracePeriod: number | undefined, at: string, errors: Errors): void {
  if (gracePeriod !== undefined && (sleep.seconds < 0 || sleep.seconds > gracePeriod)) {
    errors.push(invalid(at, sleep.seconds, `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriod})`));
  }
}
