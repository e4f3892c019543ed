import type { ConfigMap, Pod, Secret, Service } from '../../api/types/core-v1.ts';
import type { AnyContainer } from '../pods/pod-spec.ts';
import { ConfigError } from './config-error.ts';
import { type DownwardContext, fieldValue, resourceValue } from './downward.ts';
import { type EnvFiles, envFileKey } from './env-file.ts';
import { expand } from './expansion.ts';
import { serviceEnvironment } from './service-env.ts';

/** Where a container's environment comes from. Config maps and secrets are looked up in the pod's namespace; undefined when they do not exist. */
export interface EnvironmentSources {
  readonly downward: DownwardContext;
  readonly services: readonly Service[];
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  /** Of files in volumes, for `fileKeyRef`. */
  readonly files?: EnvFiles;
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
/** Names a container may give its variables: anything printable but `=` (RelaxedEnvironmentVariableValidation). */
const validName = /^[ -<>-~]+$/;

/**
 * The environment of a container, in order (kubelet.makeEnvironmentVariables): what `env` names may refer to is what stands before it
 * and the services; later sources win. `skipped` are keys of `envFrom` that are no names.
 */
export function containerEnvironment(
  pod: Pod,
  container: AnyContainer,
  sources: EnvironmentSources,
): { readonly env: ReadonlyMap<string, string>; readonly skipped: readonly string[] } {
  const namespace = pod.metadata?.namespace ?? 'default';
  const result = new Map<string, string>();
  const skipped: string[] = [];
  const take = (prefix: string, data: Readonly<Record<string, string>> | undefined): void => {
    for (const [key, value] of Object.entries(data ?? {})) {
      const name = prefix + key;
      if (validName.test(name)) result.set(name, value);
      else skipped.push(name);
    }
  };
  for (const from of container.envFrom ?? []) {
    const prefix = from.prefix ?? '';
    if (from.configMapRef !== undefined) {
      const name = from.configMapRef.name ?? '';
      const map = sources.configMap(name);
      if (map !== undefined) take(prefix, map.data);
      else if (from.configMapRef.optional !== true) throw new ConfigError(`configmap ${JSON.stringify(name)} not found`);
    }
    if (from.secretRef !== undefined) {
      const name = from.secretRef.name ?? '';
      const secret = sources.secret(name);
      if (secret !== undefined) {
        take(prefix, Object.fromEntries(Object.entries(secret.data ?? {}).map(([k, v]) => [k, decode(v)])));
      } else if (from.secretRef.optional !== true) throw new ConfigError(`secret ${JSON.stringify(name)} not found`);
    }
  }
  const services = serviceEnvironment(sources.services, namespace, pod.spec?.enableServiceLinks ?? true);
  // Only what `env` itself has set, and then the services, can be referred to.
  const named = new Map<string, string>();
  for (const variable of container.env ?? []) {
    let value: string | undefined = variable.value ?? '';
    const from = variable.valueFrom;
    if (variable.value !== undefined && variable.value !== '') {
      value = expand(variable.value, (name) => named.get(name) ?? services.get(name));
    } else if (from?.fieldRef !== undefined) {
      value = fieldValue(from.fieldRef.fieldPath, pod, sources.downward);
    } else if (from?.resourceFieldRef !== undefined) {
      value = resourceValue(from.resourceFieldRef, pod, container, sources.downward);
    } else if (from?.configMapKeyRef !== undefined) {
      const { name = '', key, optional } = from.configMapKeyRef;
      const map = sources.configMap(name);
      value = map?.data?.[key];
      if (value === undefined && optional !== true) {
        throw new ConfigError(
          map === undefined
            ? `configmap ${JSON.stringify(name)} not found`
            : `couldn't find key ${key} in ConfigMap ${namespace}/${name}`,
        );
      }
    } else if (from?.secretKeyRef !== undefined) {
      const { name = '', key, optional } = from.secretKeyRef;
      const secret = sources.secret(name);
      const encoded = secret?.data?.[key];
      value = encoded === undefined ? undefined : decode(encoded);
      if (value === undefined && optional !== true) {
        throw new ConfigError(
          secret === undefined
            ? `secret ${JSON.stringify(name)} not found`
            : `couldn't find key ${key} in Secret ${namespace}/${name}`,
        );
      }
    } else if (from?.fileKeyRef !== undefined) {
      const { volumeName, path, key, optional } = from.fileKeyRef;
      const file = sources.files?.get(envFileKey(volumeName, path));
      value = file?.get(key);
      if (value === undefined && optional !== true) {
        throw new ConfigError(
          file === undefined
            ? `env file ${JSON.stringify(path)} not found in volume ${JSON.stringify(volumeName)}`
            : `environment variable key ${JSON.stringify(key)} not found in file ${JSON.stringify(path)}`,
        );
      }
    }
    if (value === undefined) continue;
    named.set(variable.name, value);
    result.set(variable.name, value);
  }
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value);
  return { env: result, skipped };
}

/** Names of the config maps and secrets a pod refers to, for fetching them before it starts and watching them after. */
export function referencedObjects(pod: Pod): { readonly configMaps: ReadonlySet<string>; readonly secrets: ReadonlySet<string> } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const put = (set: Set<string>, name: string | undefined): void => {
    if (name !== undefined && name !== '') set.add(name);
  };
  const spec = pod.spec;
  for (const c of [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])]) {
    for (const from of c.envFrom ?? []) {
      put(configMaps, from.configMapRef?.name);
      put(secrets, from.secretRef?.name);
    }
    for (const variable of c.env ?? []) {
      put(configMaps, variable.valueFrom?.configMapKeyRef?.name);
      put(secrets, variable.valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of spec?.volumes ?? []) {
    put(configMaps, volume.configMap?.name);
    put(secrets, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      put(configMaps, source.configMap?.name);
      put(secrets, source.secret?.name);
    }
  }
  for (const pull of spec?.imagePullSecrets ?? []) put(secrets, pull.name);
  return { configMaps, secrets };
}
