import type { FieldError } from '../../api/meta/field-error.ts';
import { forbidden, notSupported } from '../../api/meta/field-error.ts';
import { badRequest, expired, invalidObject, tooLargeResourceVersion } from '../../api/meta/status.ts';
import type { ApiRequest, RequestOptions } from '../../api/request.ts';
import type { Collection } from '../../store/collection.ts';
import type { Clock } from '../../util/clock.ts';

/** How long a read waits for a revision that is not there yet (upstream's watch cache: 3 s). */
const FRESHNESS_WAIT_MS = 3_000;

/** Throws the 422 that upstream's ValidateListOptions gives. */
export function validateListOptions(options: RequestOptions, watch: boolean): void {
  const { resourceVersionMatch: match } = options;
  if (match === undefined && options.sendInitialEvents === undefined) return;
  const errors: FieldError[] = [];
  if (watch) {
    if (options.sendInitialEvents !== undefined && match !== 'NotOlderThan') {
      errors.push(forbidden('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
    }
    if (match !== undefined) {
      if (options.sendInitialEvents === undefined) {
        errors.push(
          forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'),
        );
      }
      if (match !== 'NotOlderThan') errors.push(notSupported('resourceVersionMatch', match, ['NotOlderThan']));
      if (options.continue !== undefined) {
        errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'));
      }
    }
  } else {
    if (match !== undefined) {
      if (options.resourceVersion === undefined) {
        errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided'));
      }
      if (options.continue !== undefined) {
        errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'));
      }
      if (match !== 'Exact' && match !== 'NotOlderThan') {
        errors.push(notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']));
      }
      if (match === 'Exact' && options.resourceVersion === '0') {
        errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
      }
    }
    if (options.sendInitialEvents !== undefined) {
      errors.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
    }
  }
  if (errors.length > 0) throw invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
}

/** A resourceVersion as a number; 0 when none was given. */
export function parseResourceVersion(text: string | undefined): number {
  if (text === undefined || text === '' || text === '0') return 0;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw invalidObject({ group: '', kind: '' }, '', [
      {
        type: 'FieldValueInvalid',
        path: 'resourceVersion',
        value: text,
        detail: `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
      },
    ]);
  }
  return value;
}

/** Waits until the collection is at `revision`; undefined when it is already. Rejects with upstream's "Too large resource version". */
export function waitForRevision(
  collection: Collection<never> | Collection<import('../../api/meta/object.ts').KubernetesObject>,
  revision: number,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> | undefined {
  if (revision <= collection.revision) return undefined;
  const giveUp = new AbortController();
  const timer = clock.setTimer(FRESHNESS_WAIT_MS, () => giveUp.abort(tooLargeResourceVersion(revision, collection.revision)));
  const either = signal === undefined ? giveUp.signal : AbortSignal.any([signal, giveUp.signal]);
  return collection.waitFor(revision, either).then(
    () => timer.cancel(),
    (err: unknown) => {
      timer.cancel();
      throw giveUp.signal.aborted ? giveUp.signal.reason : err;
    },
  );
}

/**
 * Waits until a request that wants the newest state finds it, where several servers share a store; undefined when there is nothing to wait for.
 * What names a revision, or goes on with a list, says itself how new its answer must be.
 */
export function newestFor(
  collection: Collection<import('../../api/meta/object.ts').KubernetesObject>,
  request: ApiRequest,
  clock: Clock,
): Promise<void> | undefined {
  const { resourceVersion = '', continue: token = '' } = request.options;
  // A name that is taken is the store's to tell.
  if (resourceVersion !== '' || token !== '' || request.verb === 'create') return undefined;
  return collection.newest()?.then((revision) => waitForRevision(collection, revision, clock, request.signal));
}

const CONTINUE_EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter';

/** Where a list goes on. `revision` is -1 when consistency has been given up. */
export interface ContinuePoint {
  readonly revision: number;
  /** The first key that may follow: relative to the list's prefix, with its trailing NUL. */
  readonly start: string;
}

/** Upstream's opaque token, byte for byte the same form: clients have been seen to decode it. */
export function encodeContinue(point: ContinuePoint): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: point.revision, start: point.start })).toString('base64url');
}

export function decodeContinue(token: string): ContinuePoint {
  let parsed: { readonly v?: unknown; readonly rv?: unknown; readonly start?: unknown };
  try {
    // JSON's null is an empty token to Go.
    parsed = JSON.parse(Buffer.from(token, 'base64url').toString()) ?? {};
  } catch (err) {
    throw badRequest(`continue key is not valid: ${(err as Error).message}`);
  }
  const { v, rv, start } = parsed;
  if (v !== 'meta.k8s.io/v1')
    throw badRequest(`continue key is not valid: server does not recognize this encoded version ${String(v ?? '')}`);
  if (typeof rv !== 'number' || rv === 0) {
    throw badRequest('continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  }
  if (typeof start !== 'string' || start === '') {
    throw badRequest('continue key is not valid: encoded start key empty (version meta.k8s.io/v1)');
  }
  if (start.split('/').some((s, i) => s === '.' || s === '..' || (s === '' && i > 0))) {
    throw badRequest(`continue key is not valid: ${start}`);
  }
  return { revision: rv, start: start.startsWith('/') ? start.slice(1) : start };
}

/** 410 for a plain list at a revision that is gone. */
export const listExpired = (): Error => expired('The resourceVersion for the provided list is too old.');

/** 410 for a continue token whose revision is gone; its metadata carries a token to go on inconsistently. */
export function continueExpired(start: string): Error {
  const error = expired(
    `${CONTINUE_EXPIRED}, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.`,
  );
  Object.assign(error.status, { metadata: { continue: encodeContinue({ revision: -1, start }) } });
  return error;
}
