import { DurationError, durationMs } from '../../api/meta/duration.ts';
import { badRequest } from '../../api/meta/status.ts';

/** Longest time for a request that is neither a watch nor a stream (upstream's --request-timeout). */
export const REQUEST_TIMEOUT_MS = 60_000;

/** The time that a request has, in milliseconds: what its `timeout` says, if that is less than others have. Throws a 400 for what is none. */
export function requestTimeout(query: URLSearchParams | undefined): number {
  const text = query?.get('timeout') ?? '';
  if (text === '') return REQUEST_TIMEOUT_MS;
  try {
    const asked = durationMs(text);
    return asked > 0 && asked < REQUEST_TIMEOUT_MS ? asked : REQUEST_TIMEOUT_MS;
  } catch (err) {
    if (!(err instanceof DurationError)) throw err;
    throw badRequest(`invalid timeout specified in the request URL - ${err.message}`);
  }
}
