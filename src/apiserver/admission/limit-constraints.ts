import { Quantity } from '../../api/meta/quantity.ts';
import type { ResourceList } from '../../api/types/core-v1.ts';

/** What is wrong with requests and limits under one bound of a LimitRange; undefined: nothing. `type` is the bound's: `Container`, `Pod`. */

const read = (list: ResourceList, name: string): Quantity | undefined =>
  list[name] === undefined ? undefined : Quantity.parse(String(list[name]));

export function minimumFault(
  type: string,
  name: string,
  bound: string,
  requests: ResourceList,
  limits: ResourceList,
): string | undefined {
  const least = Quantity.parse(String(bound));
  const request = read(requests, name);
  const limit = read(limits, name);
  const rule = `minimum ${name} usage per ${type} is ${least}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  if (request.compare(least) < 0) return `${rule}, but request is ${request}`;
  if (limit !== undefined && limit.compare(least) < 0) return `${rule}, but limit is ${limit}`;
  return undefined;
}

export function maximumFault(
  type: string,
  name: string,
  bound: string,
  requests: ResourceList,
  limits: ResourceList,
): string | undefined {
  const most = Quantity.parse(String(bound));
  const request = read(requests, name);
  const limit = read(limits, name);
  const rule = `maximum ${name} usage per ${type} is ${most}`;
  if (limit === undefined) return `${rule}.  No limit is specified`;
  if (limit.compare(most) > 0) return `${rule}, but limit is ${limit}`;
  if (request !== undefined && request.compare(most) > 0) return `${rule}, but request is ${request}`;
  return undefined;
}

/** For types that have no limits: claims. */
export function requestMaximumFault(type: string, name: string, bound: string, requests: ResourceList): string | undefined {
  const most = Quantity.parse(String(bound));
  const request = read(requests, name);
  const rule = `maximum ${name} usage per ${type} is ${most}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  return request.compare(most) > 0 ? `${rule}, but request is ${request}` : undefined;
}

export function ratioFault(
  type: string,
  name: string,
  bound: string,
  requests: ResourceList,
  limits: ResourceList,
): string | undefined {
  const most = Quantity.parse(String(bound));
  const request = read(requests, name);
  const limit = read(limits, name);
  const rule = `${name} max limit to request ratio per ${type} is ${most}`;
  if (request === undefined || request.isZero) return `${rule}, but no request is specified or request is 0`;
  if (limit === undefined || limit.isZero) return `${rule}, but no limit is specified or limit is 0`;
  const ratio = limit.toNumber() / request.toNumber();
  return ratio > most.toNumber() ? `${rule}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}
