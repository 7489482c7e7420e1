import { Arena } from "../base/index.ts";
import { encodeEventField, type StoredEvent, withPreviousPair } from "../proto/index.ts";

/** What a watcher left out of its events, or wants with them. */
export interface WatchTaste {
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
}

const NO_PUT = 1;
const NO_DELETE = 2;
const PREV_KV = 4;

/** A taste as a small number: watchers of one range and one taste get equal responses. */
export function tasteNumber(taste: WatchTaste): number {
  return (
    (taste.noPut ? NO_PUT : 0) | (taste.noDelete ? NO_DELETE : 0) | (taste.prevKv ? PREV_KV : 0)
  );
}

/** Encoded events live until they are copied into responses, so their chunks soon go. */
const arena = new Arena();
const alloc = (length: number) => arena.alloc(length);

/** One event, encoded once for all who get it: a field of a WatchResponse. */
export class WatchEvent {
  readonly revision: number;
  readonly isDelete: boolean;
  readonly plain: Uint8Array;
  /** With the pair before it; the same as `plain` while none is known. */
  withPrevious: Uint8Array;

  constructor(stored: StoredEvent) {
    this.revision = stored.revision;
    this.isDelete = stored.isDelete;
    this.plain = encodeEventField(stored, alloc);
    this.withPrevious = this.plain;
  }

  addPrevious(pair: Uint8Array | undefined): void {
    if (pair !== undefined) this.withPrevious = withPreviousPair(this.plain, pair, alloc);
  }
}

/** The events of one response, in order. */
export interface EventBatch {
  /** Each a field of a WatchResponse. */
  readonly fields: readonly Uint8Array[];
  readonly byteLength: number;
}

/** The same events for every taste, each batch made when it is first asked for. */
export class Batches {
  readonly #events: readonly WatchEvent[];
  readonly #byTaste: (EventBatch | null | undefined)[] = [];

  constructor(events: readonly WatchEvent[]) {
    this.#events = events;
  }

  /** Null when the taste leaves nothing. */
  of(taste: number): EventBatch | null {
    const made = this.#byTaste[taste];
    if (made !== undefined) return made;
    const batch = select(this.#events, taste);
    this.#byTaste[taste] = batch;
    return batch;
  }
}

function select(events: readonly WatchEvent[], taste: number): EventBatch | null {
  const fields: Uint8Array[] = [];
  let byteLength = 0;
  for (const event of events) {
    if ((taste & (event.isDelete ? NO_DELETE : NO_PUT)) !== 0) continue;
    const field = (taste & PREV_KV) !== 0 ? event.withPrevious : event.plain;
    fields.push(field);
    byteLength += field.length;
  }
  return fields.length === 0 ? null : { fields, byteLength };
}
