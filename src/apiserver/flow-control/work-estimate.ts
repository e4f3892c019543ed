import type { RequestAttributes } from '../contract.ts';

/** What a request is taken to cost. */
export interface Work {
  /** Seats while it is worked on. */
  readonly seats: number;
  /** Seats for what comes after it: its events go to watchers. */
  readonly finalSeats: number;
  /** How long those are held after the answer. */
  readonly finalMs: number;
}

/** Upstream's bounds: MaximumListSeatsLimit, of lists from memory; MaximumMutatingSeatsLimit. */
const MAX_LIST_SEATS = 10;
const MAX_WRITE_SEATS = 10;
/** Bytes of a list for one seat. */
const BYTES_PER_SEAT = 100_000;
/** What an object is taken to be long: sizes are not counted, and what a list costs here hangs on them little. */
const BYTES_PER_OBJECT = 2_000;
/** Watchers of an object that one more seat is for. */
const WATCHERS_PER_SEAT = 10;
/**
 * How long an event is worked on after its write was answered. Upstream takes 5: here watchers share one event's bytes, and it costs each of
 * them less.
 */
const EVENT_MS = 1;

const ONE_SEAT: Work = { seats: 1, finalSeats: 0, finalMs: 0 };

const seatsOnly: readonly Work[] = Array.from({ length: MAX_LIST_SEATS + 1 }, (_, seats) =>
  seats <= 1 ? ONE_SEAT : { seats, finalSeats: 0, finalMs: 0 },
);

/** What the estimate looks at besides the request. */
export interface WorkContext {
  readonly query: URLSearchParams | undefined;
  /** Objects of the type asked for; undefined when it is not served here. */
  readonly objects: number | undefined;
  /** Watchers that would see a write. */
  readonly watchers: number;
  /** At most so many seats for one request of the level (`PriorityLevel.maxSeats`). */
  readonly maxSeats: number;
}

/** The work of a request, as upstream estimates it for what is served from memory. */
export function estimateWork(request: RequestAttributes, context: WorkContext): Work {
  switch (request.verb) {
    case 'list':
      return listWork(request, context);
    case 'watch':
      return watchSendsInitialEvents(context.query) ? listWork(request, context) : ONE_SEAT;
    case 'create':
    case 'update':
    case 'patch':
    case 'delete':
      // A token is no event for the watchers of service accounts.
      return context.watchers < WATCHERS_PER_SEAT || request.subresource === 'token' ? ONE_SEAT : writeWork(context);
    default:
      return ONE_SEAT;
  }
}

function watchSendsInitialEvents(query: URLSearchParams | undefined): boolean {
  const revision = query?.get('resourceVersion') ?? '';
  return revision === '' || revision === '0' || query?.get('sendInitialEvents') === 'true';
}

function listWork(request: RequestAttributes, { query, objects, maxSeats }: WorkContext): Work {
  if (objects === undefined || request.name !== '') return ONE_SEAT;
  const limit = Number(query?.get('limit') ?? 0);
  const count = limit > 0 && limit < objects ? limit : objects;
  const seats = Math.ceil((count * BYTES_PER_OBJECT) / BYTES_PER_SEAT);
  return seatsOnly[Math.max(1, Math.min(seats, maxSeats, MAX_LIST_SEATS))]!;
}

function writeWork({ watchers, maxSeats }: WorkContext): Work {
  const wanted = Math.ceil(watchers / WATCHERS_PER_SEAT);
  const finalSeats = Math.min(wanted, maxSeats, MAX_WRITE_SEATS);
  return { seats: 1, finalSeats, finalMs: (wanted * EVENT_MS) / finalSeats };
}
