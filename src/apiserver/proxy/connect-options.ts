import { type FieldError, forbidden, invalid, notSupported } from '../../api/meta/field-error.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, invalidObject } from '../../api/meta/status.ts';
import type {
  PodAttachOptions,
  PodExecOptions,
  PodLogOptions,
  PodPortForwardOptions,
  PodProxyOptions,
} from '../../api/types/core-v1.ts';
import { isTrue } from '../http/request-info.ts';

type Query = URLSearchParams | undefined;

const flag = (query: Query, name: string): boolean => query?.has(name) === true && isTrue(query.get(name));

const whole = (query: Query, name: string): number | undefined => {
  const text = query?.get(name) ?? '';
  if (text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
};

/** The parameters of `pods/log`, checked as upstream does. Throws 400 and 422. */
export function podLogOptions(query: Query, name: string): PodLogOptions {
  const container = query?.get('container') ?? '';
  const sinceTime = query?.get('sinceTime') ?? '';
  const stream = query?.get('stream') ?? '';
  if (sinceTime !== '' && Number.isNaN(Date.parse(sinceTime))) {
    throw badRequest(`parsing time ${JSON.stringify(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse it`);
  }
  const numbers = {
    sinceSeconds: whole(query, 'sinceSeconds'),
    tailLines: whole(query, 'tailLines'),
    limitBytes: whole(query, 'limitBytes'),
  };
  const options: PodLogOptions = {
    kind: 'PodLogOptions',
    apiVersion: 'v1',
    ...(container === '' ? {} : { container }),
    ...(flag(query, 'follow') ? { follow: true } : {}),
    ...(flag(query, 'previous') ? { previous: true } : {}),
    ...(flag(query, 'timestamps') ? { timestamps: true } : {}),
    ...(flag(query, 'insecureSkipTLSVerifyBackend') ? { insecureSkipTLSVerifyBackend: true } : {}),
    ...(sinceTime === '' ? {} : { sinceTime }),
    ...(stream === '' ? {} : { stream }),
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)),
  };
  const errors = logFaults(options);
  if (errors.length > 0) throw invalidObject({ group: '', kind: 'PodLogOptions' }, name, errors);
  return options;
}

function logFaults({ tailLines, limitBytes, sinceSeconds, sinceTime, stream = 'All' }: PodLogOptions): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (tailLines !== undefined && tailLines < 0) {
    errors.push(invalid('tailLines', tailLines, 'must be greater than or equal to 0'));
  }
  if (limitBytes !== undefined && limitBytes < 1) errors.push(invalid('limitBytes', limitBytes, 'must be greater than 0'));
  if (sinceSeconds !== undefined && sinceTime !== undefined) {
    errors.push(forbidden('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  } else if (sinceSeconds !== undefined && sinceSeconds < 1) {
    errors.push(invalid('sinceSeconds', sinceSeconds, 'must be greater than 0'));
  }
  if (!['All', 'Stdout', 'Stderr'].includes(stream)) errors.push(notSupported('stream', stream, ['All', 'Stdout', 'Stderr']));
  else if (stream !== 'All' && tailLines !== undefined) {
    errors.push(forbidden('', '`tailLines` and specific `stream` are mutually exclusive for now'));
  }
  return errors;
}

function streams(query: Query): Pick<PodAttachOptions, 'stdin' | 'stdout' | 'stderr' | 'tty' | 'container'> {
  const container = query?.get('container') ?? '';
  return {
    ...(flag(query, 'stdin') ? { stdin: true } : {}),
    ...(flag(query, 'stdout') ? { stdout: true } : {}),
    ...(flag(query, 'stderr') ? { stderr: true } : {}),
    ...(flag(query, 'tty') ? { tty: true } : {}),
    ...(container === '' ? {} : { container }),
  };
}

export const podExecOptions = (query: Query): PodExecOptions => ({
  kind: 'PodExecOptions',
  apiVersion: 'v1',
  ...streams(query),
  command: query?.getAll('command') ?? [],
});

export const podAttachOptions = (query: Query): PodAttachOptions => ({
  kind: 'PodAttachOptions',
  apiVersion: 'v1',
  ...streams(query),
});

export function podPortForwardOptions(query: Query): PodPortForwardOptions {
  const ports = (query?.getAll('ports') ?? []).map((text) => {
    if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    return Number(text);
  });
  return { kind: 'PodPortForwardOptions', apiVersion: 'v1', ...(ports.length === 0 ? {} : { ports }) };
}

/** What admission sees of a proxied request: `PodProxyOptions`, `NodeProxyOptions`, `ServiceProxyOptions`. */
export const proxyOptions = (kind: string, path: string): PodProxyOptions & KubernetesObject => ({
  kind,
  apiVersion: 'v1',
  path,
});

/** The query that the kubelet is asked with for a log. */
export function logQuery(options: PodLogOptions): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of [
    'follow',
    'previous',
    'timestamps',
    'sinceSeconds',
    'sinceTime',
    'tailLines',
    'limitBytes',
    'stream',
  ] as const) {
    const value = options[name];
    if (value !== undefined) query.set(name, String(value));
  }
  return query;
}

/** The query that the kubelet is asked with for an exec or an attach: its own names for the streams. */
export function streamQuery(options: PodAttachOptions & { readonly command?: readonly string[] }): URLSearchParams {
  const query = new URLSearchParams();
  if (options.stdin === true) query.set('input', '1');
  if (options.stdout === true) query.set('output', '1');
  if (options.stderr === true) query.set('error', '1');
  if (options.tty === true) query.set('tty', '1');
  for (const word of options.command ?? []) query.append('command', word);
  return query;
}
