import { type FieldError, type FieldPath, invalid, required } from '../meta/field-error.ts';
import { isDNS1123Subdomain, isValidPortNum } from '../meta/names.ts';

/** How an API server reaches a webhook: admission and CRD conversion have the same form. */
export interface WebhookClientConfig {
  readonly caBundle?: string;
  readonly service?: { readonly name: string; readonly namespace: string; readonly path?: string; readonly port?: number };
  readonly url?: string;
}

/** The port of a webhook's service when it names none. */
const defaultPort = 443;

/** A service without a port is on 443. The same object when nothing is missing. */
export function defaultClientConfig<C extends WebhookClientConfig>(config: C): C {
  if (config?.service === undefined || config.service.port !== undefined) return config;
  return { ...config, service: { ...config.service, port: defaultPort } };
}

/** Exactly one of url and service, and that one well-formed. */
export function clientConfigFaults(config: WebhookClientConfig | undefined, path: FieldPath): readonly FieldError[] {
  const { url, service } = config ?? {};
  if ((url === undefined) === (service === undefined)) return [required(path, 'exactly one of url or service is required')];
  return url !== undefined ? urlFaults(url, path.child('url')) : serviceFaults(service!, path.child('service'));
}

const form = '; desired format: https://host[/path]';

function urlFaults(text: string, path: FieldPath): readonly FieldError[] {
  // Taken apart by hand: the platform's parser mends what upstream's reports.
  const match = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/(?:([^@/?#]*)@)?([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/.exec(text);
  const [, scheme = '', user, host = '', , query = '', fragment = ''] = match ?? [];
  const errors: FieldError[] = [];
  if (scheme.toLowerCase() !== 'https') errors.push(invalid(path, scheme, `'https' is the only allowed URL scheme${form}`));
  if (host === '') errors.push(invalid(path, host, `host must be specified${form}`));
  if (user !== undefined) errors.push(invalid(path, user, 'user information is not permitted in the URL'));
  if (fragment !== '') errors.push(invalid(path, fragment, 'fragments are not permitted in the URL'));
  if (query !== '') errors.push(invalid(path, query, 'query parameters are not permitted in the URL'));
  return errors;
}

function serviceFaults(service: NonNullable<WebhookClientConfig['service']>, path: FieldPath): readonly FieldError[] {
  const { name = '', namespace = '', port = 0, path: url = '' } = service;
  const errors: FieldError[] = [];
  if (name === '') errors.push(required(path.child('name'), 'service name is required'));
  if (namespace === '') errors.push(required(path.child('namespace'), 'service namespace is required'));
  const bad = isValidPortNum(port);
  if (bad.length > 0) errors.push(invalid(path.child('port'), port, `port is not valid: ${bad.join(',')}`));
  const at = path.child('path');
  if (url === '' || url === '/') return errors;
  if (url === '//') return [...errors, invalid(at, url, 'segment[0] may not be empty')];
  if (!url.startsWith('/')) errors.push(invalid(at, url, "must start with a '/'"));
  const steps = url.slice(1).replace(/\/$/, '').split('/');
  steps.forEach((step, i) => {
    if (step === '') errors.push(invalid(at, url, `segment[${i}] may not be empty`));
    else for (const fault of isDNS1123Subdomain(step)) errors.push(invalid(at, url, `segment[${i}]: ${fault}`));
  });
  return errors;
}

/** The versions of a review that a webhook says it understands; one of `accepted` must be among them. */
export function reviewVersionFaults(
  versions: readonly string[],
  accepted: readonly string[],
  path: FieldPath,
  missing: string,
  isVersion: (text: string) => readonly string[],
): readonly FieldError[] {
  if (versions.length === 0) return [required(path, missing)];
  const errors = versions.flatMap((version, i) => {
    if (versions.indexOf(version) < i) return [invalid(path.index(i), version, 'duplicate version')];
    return isVersion(version).map((detail) => invalid(path.index(i), version, detail));
  });
  if (versions.some((version) => accepted.includes(version))) return errors;
  return [...errors, invalid(path, versions, `must include at least one of ${accepted.join(', ')}`)];
}
