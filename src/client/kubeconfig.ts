import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import type { HttpTransportOptions } from './http.ts';

export interface KubeconfigCluster {
  readonly server: string;
  readonly 'certificate-authority'?: string;
  /** Base64 of PEM, as every `-data` field. */
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
}

export interface KubeconfigUser {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly as?: string;
  readonly 'as-groups'?: readonly string[];
}

export interface KubeconfigContext {
  readonly cluster: string;
  readonly user: string;
  readonly namespace?: string;
}

/** A kubeconfig file, as client-go's clientcmd/api/v1.Config. Fields not named here are kept by a merge. */
export interface Kubeconfig {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly clusters?: readonly { readonly name: string; readonly cluster: KubeconfigCluster }[];
  readonly users?: readonly { readonly name: string; readonly user: KubeconfigUser }[];
  readonly contexts?: readonly { readonly name: string; readonly context: KubeconfigContext }[];
  readonly 'current-context'?: string;
  readonly preferences?: unknown;
}

/** One cluster with the user that reaches it: what `mergeKubeconfig` adds under one name. */
export interface KubeconfigEntry {
  readonly name: string;
  readonly cluster: KubeconfigCluster;
  readonly user: KubeconfigUser;
  readonly namespace?: string;
  /** The user's name in the file; the entry's when left out. */
  readonly userName?: string;
}

/** Reads the text of a kubeconfig (YAML or JSON). An empty text is an empty config. Throws on what is none. */
export function parseKubeconfig(text: string): Kubeconfig {
  const parsed: unknown = parse(text);
  if (parsed === null || parsed === undefined) return {};
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw new Error('not a kubeconfig: a mapping was expected');
  return parsed as Kubeconfig;
}

/** The text of a kubeconfig, as kubectl writes it: keys sorted. */
export function serializeKubeconfig(config: Kubeconfig): string {
  return stringify({ apiVersion: 'v1', kind: 'Config', preferences: {}, ...config }, { sortMapEntries: true, lineWidth: 0 });
}

/** `existing` with the entry's cluster, user and context set, and its context made current. Everything else is kept. */
export function mergeKubeconfig(existing: Kubeconfig, entry: KubeconfigEntry): Kubeconfig {
  const { name, cluster, user, namespace, userName = name } = entry;
  const context = { cluster: name, user: userName, ...(namespace === undefined ? {} : { namespace }) };
  return {
    ...existing,
    apiVersion: 'v1',
    kind: 'Config',
    clusters: withNamed(existing.clusters, { name, cluster }),
    users: withNamed(existing.users, { name: userName, user }),
    contexts: withNamed(existing.contexts, { name, context }),
    'current-context': name,
  };
}

/** `existing` without the cluster, user and context of `name`; no context is current any more if it was this one. */
export function removeFromKubeconfig(existing: Kubeconfig, name: string): Kubeconfig {
  const without = <T extends { readonly name: string }>(list: readonly T[] | undefined): readonly T[] =>
    (list ?? []).filter((item) => item.name !== name);
  return {
    ...existing,
    clusters: without(existing.clusters),
    users: without(existing.users),
    contexts: without(existing.contexts),
    'current-context': existing['current-context'] === name ? '' : (existing['current-context'] ?? ''),
  };
}

/**
 * What `httpTransport` needs to reach the cluster of a context (the current one unless named), and the context's namespace.
 * File names in it are relative to `directory`. Throws with the name of what is missing.
 */
export function kubeconfigTransport(
  config: Kubeconfig,
  options: { readonly context?: string; readonly directory?: string } = {},
): { readonly http: HttpTransportOptions; readonly namespace: string } {
  const contextName = options.context ?? config['current-context'];
  if (!contextName) throw new Error('kubeconfig has no current-context');
  const context = named(config.contexts, 'context', contextName).context;
  const cluster = named(config.clusters, 'cluster', context.cluster).cluster;
  const user = named(config.users, 'user', context.user).user;
  const directory = options.directory ?? '.';
  const ca = pem(cluster['certificate-authority-data'], cluster['certificate-authority'], directory);
  const cert = pem(user['client-certificate-data'], user['client-certificate'], directory);
  const key = pem(user['client-key-data'], user['client-key'], directory);
  const groups = user['as-groups'];
  return {
    namespace: context.namespace ?? 'default',
    http: {
      server: cluster.server,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(user.token === undefined ? {} : { token: user.token }),
      ...(user.tokenFile === undefined ? {} : { tokenFile: path.resolve(directory, user.tokenFile) }),
      ...(user.username === undefined ? {} : { username: user.username }),
      ...(user.password === undefined ? {} : { password: user.password }),
      ...(cluster['insecure-skip-tls-verify'] === undefined
        ? {}
        : { insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] }),
      ...(cluster['tls-server-name'] === undefined ? {} : { tlsServerName: cluster['tls-server-name'] }),
      ...(user.as === undefined ? {} : { impersonate: { user: user.as, ...(groups === undefined ? {} : { groups }) } }),
    },
  };
}

/** Reads a kubeconfig file; the options for `httpTransport` and the context's namespace. */
export function loadKubeconfig(
  file: string,
  context?: string,
): { readonly http: HttpTransportOptions; readonly namespace: string } {
  const config = parseKubeconfig(readFileSync(file, 'utf8'));
  return kubeconfigTransport(config, { directory: path.dirname(file), ...(context === undefined ? {} : { context }) });
}

function withNamed<T extends { readonly name: string }>(list: readonly T[] | undefined, item: T): readonly T[] {
  const rest = list ?? [];
  return rest.some((one) => one.name === item.name) ? rest.map((one) => (one.name === item.name ? item : one)) : [...rest, item];
}

function named<T extends { readonly name: string }>(list: readonly T[] | undefined, what: string, name: string): T {
  const found = list?.find((item) => item.name === name);
  if (found === undefined) throw new Error(`kubeconfig has no ${what} ${JSON.stringify(name)}`);
  return found;
}

function pem(data: string | undefined, file: string | undefined, directory: string): string | undefined {
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
  return file === undefined ? undefined : readFileSync(path.resolve(directory, file), 'utf8');
}
