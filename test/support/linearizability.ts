/**
 * Whether what clients were told about one object can have happened one after another, each at some moment between its question and its
 * answer. The order of the changes is given (the store's history), which makes the search a walk: every answer is put at the earliest moment
 * at which it is true and that is not before an answer which was complete when it was asked.
 */

/** One change of an object, oldest first. */
export interface Version {
  readonly revision: number;
  /** Undefined: the object was deleted. */
  readonly content: { readonly uid: string; readonly data: Readonly<Record<string, string>> } | undefined;
}

/** What a client asked and was told. Times in milliseconds of one clock. */
export interface Operation {
  readonly client: string;
  readonly asked: number;
  readonly answered: number;
  readonly outcome: /** A write was acknowledged with this revision. */
    | { readonly type: 'written'; readonly revision: number }
    /** A read showed the version of this revision. */
    | { readonly type: 'read'; readonly revision: number }
    /** The incarnation was deleted. */
    | { readonly type: 'deleted'; readonly uid: string }
    /** There is no such object. */
    | { readonly type: 'absent' }
    /** It exists already. */
    | { readonly type: 'present' }
    /** It is not at this revision. */
    | { readonly type: 'elsewhere'; readonly revision: number };
}

/** Where in the history (index of the version in force; -1 before the first) the outcome is true, at `from` or later; undefined: nowhere. */
function earliest(history: readonly Version[], { outcome }: Operation, from: number): number | undefined {
  const search = (isTrue: (version: Version | undefined) => boolean): number | undefined => {
    for (let i = from; i < history.length; i++) if (isTrue(history[i])) return i;
    return undefined;
  };
  switch (outcome.type) {
    case 'written':
    case 'read':
      return search((v) => v?.revision === outcome.revision && v.content !== undefined);
    case 'deleted': {
      const last = history.findLastIndex((v) => v.content?.uid === outcome.uid);
      return last >= 0 && last + 1 < history.length && last + 1 >= from ? last + 1 : undefined;
    }
    case 'absent':
      return search((v) => v?.content === undefined);
    case 'present':
      return search((v) => v?.content !== undefined);
    case 'elsewhere':
      return search((v) => v?.revision !== outcome.revision);
    default:
      return outcome satisfies never;
  }
}

/** The first thing that cannot have happened; undefined when all can. */
export function contradiction(history: readonly Version[], operations: readonly Operation[]): string | undefined {
  const byStart = operations.toSorted((a, b) => a.asked - b.asked);
  const byEnd = operations.toSorted((a, b) => a.answered - b.answered);
  const placed = new Map<Operation, number>();
  // The latest moment among answers complete before the question at hand.
  let bound = -1;
  let next = 0;
  for (const operation of byStart) {
    for (; next < byEnd.length && byEnd[next]!.answered < operation.asked; next++)
      bound = Math.max(bound, placed.get(byEnd[next]!)!);
    const at = earliest(history, operation, bound);
    if (at === undefined) {
      const known = bound < 0 ? 'the beginning' : `revision ${history[bound]!.revision}`;
      return `${operation.client} was told ${JSON.stringify(operation.outcome)}, which is nowhere true from ${known} on`;
    }
    placed.set(operation, at);
  }
  return undefined;
}
