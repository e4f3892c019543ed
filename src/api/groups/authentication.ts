import { type FieldError, invalid } from '../meta/field-error.ts';
import type { Resource } from '../resource.ts';
import type { SelfSubjectReview, TokenRequest, TokenReview } from '../types/authentication-v1.ts';
import { groupVersion, plainColumns, plainRow } from './define.ts';

const define = groupVersion('authentication.k8s.io', 'v1');

/** Bounds and default of a token's life, in seconds. */
export const tokenSeconds = { least: 600, most: 2 ** 32, default: 3600 } as const;

/** A TokenRequest as the server reads it: an hour, unless it says otherwise. */
export function defaultTokenRequest(object: TokenRequest): TokenRequest {
  if (object.spec?.expirationSeconds !== undefined) return object;
  return { ...object, spec: { ...object.spec, expirationSeconds: tokenSeconds.default } };
}

/** Everything wrong with a defaulted TokenRequest. */
export function validateTokenRequest(object: TokenRequest): readonly FieldError[] {
  const seconds = object.spec?.expirationSeconds ?? 0;
  const path = 'spec.expirationSeconds';
  if (seconds < tokenSeconds.least) return [invalid(path, seconds, 'may not specify a duration less than 10 minutes')];
  if (seconds > tokenSeconds.most) return [invalid(path, seconds, 'may not specify a duration larger than 2^32 seconds')];
  return [];
}

/** Reviews are answered and never stored. */
const tokenReview = define<TokenReview>({
  kind: 'TokenReview',
  plural: 'tokenreviews',
  namespaced: false,
  verbs: ['create'],
  // That there is a token is seen to where it is looked at.
  validate: () => [],
  validateName: () => [],
  columns: plainColumns,
  row: plainRow,
});

const selfSubjectReview = define<SelfSubjectReview>({
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  namespaced: false,
  verbs: ['create'],
  validate: () => [],
  validateName: () => [],
  columns: plainColumns,
  row: plainRow,
});

export const authenticationResources: readonly Resource[] = [selfSubjectReview, tokenReview];
