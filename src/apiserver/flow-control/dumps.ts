import { genericNotFound } from '../../api/meta/status.ts';
import type { Clock } from '../../util/clock.ts';
import { type RouteAnswer, type RouteRequest, textAnswer } from '../http/routes.ts';
import type { FlowControl } from './flow-control.ts';
import type { Ticket } from './priority-level.ts';

/** Where the dumps are. */
export const DUMPS = '/debug/api_priority_and_fairness/';
/** Narrowest column, as upstream's tab writer has it. */
const MIN_WIDTH = 8;

/** Answers upstream's dumps: one row for each level, queue or request. Queues that are empty are not told one by one. */
export function flowControlDump(flow: FlowControl, clock: Clock, request: RouteRequest): RouteAnswer {
  switch (request.path.slice(DUMPS.length)) {
    case 'dump_priority_levels':
      return textAnswer(200, aligned(priorityLevels(flow)));
    case 'dump_queues':
      return textAnswer(200, aligned(queues(flow)));
    case 'dump_requests':
      return textAnswer(200, aligned(requests(flow, clock, (request.query?.get('includeRequestDetails') ?? '') !== '')));
    default:
      throw genericNotFound();
  }
}

function priorityLevels(flow: FlowControl): string[][] {
  const rows = flow.levels().map((level) => {
    const active = [...level.queues()].filter((queue) => queue.waiting.size > 0).length;
    const { waiting, executing, dispatched, refused, timedOut, cancelled } = level;
    return [level.name, active, level.idle, level.quiescing, waiting, executing, dispatched, refused, timedOut, cancelled];
  });
  const head =
    'PriorityLevelName ActiveQueues IsIdle IsQuiescing WaitingRequests ExecutingRequests DispatchedRequests RejectedRequests TimedoutRequests CancelledRequests';
  return [head.split(' '), ...rows.map((row) => row.map(String))];
}

function queues(flow: FlowControl): string[][] {
  const head =
    'PriorityLevelName Index PendingRequests ExecutingRequests SeatsInUse NextDispatchR InitialSeatsSum MaxSeatsSum TotalWorkSum';
  const rows = [head.split(' ')];
  for (const level of flow.levels()) {
    for (const queue of [...level.queues()].sort((a, b) => a.index - b.index)) {
      const waiting = [...queue.waiting];
      const sum = (of: (ticket: Ticket) => number): number => waiting.reduce((total, ticket) => total + of(ticket), 0);
      rows.push(
        [
          level.name,
          queue.index,
          waiting.length,
          queue.running.size,
          queue.seatsInUse,
          seatSeconds(queue.next),
          sum((t) => t.work.seats),
          sum((t) => t.maxSeats),
          seatSeconds(queue.waitingWork),
        ].map(String),
      );
    }
  }
  return rows;
}

const seatSeconds = (seatMilliseconds: number): string => `${(seatMilliseconds / 1000).toFixed(8)}ss`;

function requests(flow: FlowControl, clock: Clock, details: boolean): string[][] {
  const head =
    'PriorityLevelName FlowSchemaName QueueIndex RequestIndexInQueue FlowDistingsher ArriveTime InitialSeats FinalSeats AdditionalLatency StartTime';
  const more = ' UserName Verb APIPath Namespace Name APIVersion Resource SubResource';
  const rows = [(details ? head + more : head).split(' ')];
  const wall = clock.now() - clock.monotonic();
  const time = (at: number): string => (at === 0 ? '0001-01-01T00:00:00Z' : new Date(wall + at).toISOString());
  const add = (ticket: Ticket, queue: number, index: number): void => {
    const { level, series, work, request: r } = ticket;
    const row = [
      level.name,
      series.schema,
      queue,
      index,
      ticket.distinguisher,
      time(ticket.arrivedAt),
      work.seats,
      work.finalSeats,
      `${work.finalMs}ms`,
      time(ticket.startedAt),
    ];
    const version = r.apiGroup === '' ? r.apiVersion : `${r.apiGroup}/${r.apiVersion}`;
    if (details) row.push(r.user.name, r.verb, r.path, r.namespace, r.name, version, r.resource, r.subresource);
    rows.push(row.map(String));
  };
  for (const level of flow.levels()) {
    for (const queue of level.queues()) {
      let index = 0;
      for (const ticket of queue.waiting) add(ticket, queue.index, index++);
      for (const ticket of queue.running) add(ticket, queue.index, -1);
    }
    for (const ticket of level.queueless) add(ticket, -1, -1);
  }
  return rows;
}

/** Columns of one width each, apart by commas; the last one as it comes. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(MIN_WIDTH, ...rows.map((row) => (row[i] ?? '').length + 2)));
  return rows
    .map((row) => `${row.map((cell, i) => (i === row.length - 1 ? cell : `${cell},`.padEnd(widths[i]!))).join('')}\n`)
    .join('');
}
