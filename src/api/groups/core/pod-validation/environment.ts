import { invalid, notFoundField, required } from '../../../meta/field-error.ts';
import { isConfigMapKey, isRelaxedEnvVarName, nameIsDNSSubdomain } from '../../../meta/names.ts';
import type { EnvFromSource, EnvVar, EnvVarSource, FileKeySelector, PodSpec, Volume } from '../../../types/core-v1.ts';
import { containersWithPaths } from './containers-with-paths.ts';
import { envFieldPaths, validateFieldRef, validateResourceFieldRef } from './downward.ts';
import { type Errors, report } from './options.ts';
import { validateNonReservedPath } from './paths.ts';

/** Environment variables and where their values come from. */
export function validateEnv(variables: readonly EnvVar[], at: string, errors: Errors): void {
  for (let i = 0; i < variables.length; i++) {
    const variable = variables[i] as EnvVar;
    if (!variable.name) errors.push(required(`${at}[${i}].name`));
    else report(errors, `${at}[${i}].name`, variable.name, isRelaxedEnvVarName(variable.name));
    if (variable.valueFrom !== undefined) {
      validateSource(variable, variable.valueFrom, `${at}[${i}].valueFrom`, errors);
    }
  }
}

function validateSource(variable: EnvVar, from: EnvVarSource, at: string, errors: Errors): void {
  let sources = 0;
  if (from.fieldRef !== undefined) {
    sources++;
    validateFieldRef(from.fieldRef, envFieldPaths, `${at}.fieldRef`, errors);
  }
  if (from.resourceFieldRef !== undefined) {
    sources++;
    validateResourceFieldRef(from.resourceFieldRef, `${at}.resourceFieldRef`, false, errors);
  }
  if (from.configMapKeyRef !== undefined) {
    sources++;
    validateKeyRef(from.configMapKeyRef, `${at}.configMapKeyRef`, errors);
  }
  if (from.secretKeyRef !== undefined) {
    sources++;
    validateKeyRef(from.secretKeyRef, `${at}.secretKeyRef`, errors);
  }
  if (from.fileKeyRef !== undefined) {
    sources++;
    validateFileKeyRef(from.fileKeyRef, `${at}.fileKeyRef`, errors);
  }
  if (sources === 0) {
    errors.push(
      invalid(at, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'),
    );
  } else if (variable.value) {
    errors.push(invalid(at, '', 'may not be specified when `value` is not empty'));
  } else if (sources > 1) {
    errors.push(invalid(at, '', 'may not have more than one field specified at a time'));
  }
}

function validateKeyRef(ref: { readonly name?: string; readonly key: string }, at: string, errors: Errors): void {
  report(errors, `${at}.name`, ref.name ?? '', nameIsDNSSubdomain(ref.name ?? '', false));
  validateKey(ref.key, `${at}.key`, errors);
}

function validateKey(key: string, at: string, errors: Errors): void {
  if (!key) errors.push(required(at));
  else report(errors, at, key, isConfigMapKey(key));
}

/** A variable from a file in an emptyDir that another container has written (KEP-3721). */
function validateFileKeyRef(ref: FileKeySelector, at: string, errors: Errors): void {
  if (!ref.key) errors.push(required(`${at}.key`));
  else report(errors, `${at}.key`, ref.key, isRelaxedEnvVarName(ref.key));
  if (!ref.volumeName) errors.push(required(`${at}.volumeName`));
  if (!ref.path) errors.push(required(`${at}.path`));
  else validateNonReservedPath(ref.path, `${at}.path`, errors);
}

/** Files with variables lie in volumes of the pod that its containers can write to. */
export function validateFileKeyVolumes(spec: PodSpec, volumes: ReadonlyMap<string, Volume>, at: string, errors: Errors): void {
  for (const [container, here] of containersWithPaths(spec, at)) {
    container.env?.forEach(({ valueFrom }, i) => {
      const name = valueFrom?.fileKeyRef?.volumeName;
      if (name === undefined) return;
      const volume = volumes.get(name);
      const path = `${here}.env[${i}].valueFrom.fileKeyRef.volumeName`;
      if (volume === undefined) errors.push(notFoundField(path, name));
      else if (volume.emptyDir === undefined) errors.push(invalid(path, name, 'referenced volume must be of type emptyDir'));
    });
  }
}

/** Whole config maps and secrets as variables. */
export function validateEnvFrom(sources: readonly EnvFromSource[], at: string, errors: Errors): void {
  for (let i = 0; i < sources.length; i++) {
    const source = sources[i] as EnvFromSource;
    if (source.prefix) report(errors, `${at}[${i}].prefix`, source.prefix, isRelaxedEnvVarName(source.prefix));
    let count = 0;
    if (source.configMapRef !== undefined) {
      count++;
      validateWhole(source.configMapRef.name, `${at}[${i}].configMapRef.name`, errors);
    }
    if (source.secretRef !== undefined) {
      count++;
      validateWhole(source.secretRef.name, `${at}[${i}].secretRef.name`, errors);
    }
    if (count === 0) errors.push(invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`'));
    else if (count > 1) errors.push(invalid(at, '', 'may not have more than one field specified at a time'));
  }
}

function validateWhole(name: string | undefined, at: string, errors: Errors): void {
  if (!name) errors.push(required(at));
  else report(errors, at, name, nameIsDNSSubdomain(name, true));
}
