/** What a URL asks for: upstream's RequestInfo. Attributes of authorization are made from it. */
export interface RequestInfo {
  readonly isResourceRequest: boolean;
  readonly path: string;
  /** A resource verb, or the lower-case method. */
  readonly verb: string;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** What follows the subresource, for proxies: `/x/y`, with the slash; '' when nothing does. Still percent-encoded. */
  readonly rest: string;
  /** The name came from a field selector, not from the path. */
  readonly nameFromSelector: boolean;
}

const methodVerbs: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

const exactNameSelector = /^metadata\.name==?([^,=!]+)$/;

/**
 * Reads a request line. `path` is the URL's path, percent-encoded as it came; `query` undefined when there is none.
 * Unlike upstream, the deprecated `/watch/` prefix is answered as a watch of the collection and the `/proxy/` prefix not at all.
 */
export function parseRequestInfo(method: string, path: string, query: URLSearchParams | undefined): RequestInfo {
  const core = path.startsWith('/api/');
  if (!core && !path.startsWith('/apis/')) return nonResource(method, path);
  const parts = splitPath(path);
  let at = 1;
  let apiGroup = '';
  if (!core) {
    if (parts.length < 4) return nonResource(method, path);
    apiGroup = parts[1]!;
    at = 2;
  } else if (parts.length < 3) {
    return nonResource(method, path);
  }
  const apiVersion = parts[at++]!;
  let verb = methodVerbs[method] ?? '';
  let watchPrefix = false;
  if (parts[at] === 'watch' && parts.length > at + 1) {
    watchPrefix = true;
    at++;
  }
  let namespace = '';
  if (parts[at] === 'namespaces' && parts.length > at + 1) {
    namespace = parts[at + 1]!;
    const sub = parts[at + 2];
    if (sub !== undefined && sub !== 'status' && sub !== 'finalize') at += 2;
  }
  const resource = parts[at] ?? '';
  let name = parts[at + 1] ?? '';
  const subresource = watchPrefix ? '' : (parts[at + 2] ?? '');
  let nameFromSelector = false;
  if (watchPrefix) {
    verb = 'watch';
  } else if (name === '' && verb === 'get') {
    verb = isTrue(query?.get('watch')) ? 'watch' : 'list';
  } else if (name === '' && verb === 'delete') {
    verb = 'deletecollection';
  }
  if (name === '' && (verb === 'list' || verb === 'watch') && query !== undefined) {
    const exact = exactNameSelector.exec(query.get('fieldSelector') ?? '');
    if (exact !== null && !exact[1]!.includes('/') && exact[1] !== '.' && exact[1] !== '..') {
      name = exact[1]!;
      nameFromSelector = true;
    }
  }
  return {
    isResourceRequest: true,
    path,
    verb,
    apiGroup,
    apiVersion,
    namespace,
    resource,
    subresource,
    name,
    rest: subresource === '' ? '' : pathAfter(path, at + 3),
    nameFromSelector,
  };
}

function nonResource(method: string, path: string): RequestInfo {
  return {
    isResourceRequest: false,
    path,
    verb: method.toLowerCase(),
    apiGroup: '',
    apiVersion: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    rest: '',
    nameFromSelector: false,
  };
}

/** Segments of a path, decoded; leading and trailing slashes do not count. */
function splitPath(path: string): string[] {
  let start = 0;
  let end = path.length;
  while (start < end && path.charCodeAt(start) === 47) start++;
  while (end > start && path.charCodeAt(end - 1) === 47) end--;
  const parts = path.slice(start, end).split('/');
  if (path.includes('%')) {
    for (let i = 0; i < parts.length; i++) parts[i] = decodeSegment(parts[i]!);
  }
  return parts;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The tail of `path` after its first `count` segments, with its leading slash. */
function pathAfter(path: string, count: number): string {
  let at = 0;
  while (path.charCodeAt(at) === 47) at++;
  for (let i = 0; i < count; i++) {
    at = path.indexOf('/', at);
    if (at < 0) return '';
    if (i < count - 1) at++;
  }
  return path.slice(at);
}

/** A boolean query parameter as apimachinery reads it: anything but "false" and "0" is true. */
export function isTrue(value: string | null | undefined): boolean {
  if (value === null || value === undefined) return false;
  const lower = value.toLowerCase();
  return lower !== 'false' && lower !== '0';
}
