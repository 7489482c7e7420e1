import { MESSAGE_TYPE, type Message } from "../proto/index.ts";

/** How many messages behind one are looked at: what belongs together leaves together. */
const NEAR = 8;

/** Bytes of entries up to which two appends become one. */
const JOINED_BYTES_MAX = 256 * 1024;

/**
 * The messages of one turn, without those that a later one to the same member makes superfluous,
 * and with appends that follow one another as one. A turn takes in what many have sent, and raft
 * answers each of them; whoever gets the answers needs the last only. (etcd keeps the last of the
 * acknowledgements, too.)
 */
export function compacted(messages: readonly Message[]): readonly Message[] {
  if (messages.length < 2) return messages;
  const kept: Message[] = [];
  for (let i = messages.length - 1; i >= 0; i--) add(kept, messages[i]!);
  return kept.toReversed();
}

/** Adds a message to those that leave after it, the next one last. */
function add(kept: Message[], m: Message): void {
  for (let at = kept.length - 1; at >= Math.max(0, kept.length - NEAR); at--) {
    const later = kept[at]!;
    if (later.to !== m.to || later.type !== m.type || later.term !== m.term) continue;
    if (covers(later, m)) return;
    if (continues(later, m)) {
      kept[at] = { ...m, entries: [...m.entries, ...later.entries], commit: later.commit };
      return;
    }
    break;
  }
  kept.push(m);
}

/** Whether the later of two messages of one type, term and target says all that `m` does. */
function covers(later: Message, m: Message): boolean {
  switch (m.type) {
    case MESSAGE_TYPE.app:
      return m.entries.length === 0 && later.index === m.index;
    case MESSAGE_TYPE.appResp:
      return !m.reject && !later.reject && later.index >= m.index;
    case MESSAGE_TYPE.heartbeat:
    case MESSAGE_TYPE.heartbeatResp:
      // Which confirms all reads that an earlier one would.
      return later.context.length > 0 || m.context.length === 0;
    default:
      return false;
  }
}

/** Whether the later append begins where this one ends, and both are small. */
function continues(later: Message, m: Message): boolean {
  if (m.type !== MESSAGE_TYPE.app || later.logTerm !== m.term) return false;
  const last = m.entries.at(-1);
  if (last === undefined || last.index !== later.index || last.term !== later.logTerm) return false;
  return bytesOf(m) + bytesOf(later) <= JOINED_BYTES_MAX;
}

function bytesOf({ entries }: Message): number {
  let bytes = 0;
  for (const { data } of entries) bytes += data.length;
  return bytes;
}

/** How long an acknowledgement is not repeated: less than lies between two heartbeats. */
const REPEAT_MS = 50;

/**
 * The last acknowledgement. A leader tells the commit index in appends without entries, and raft
 * acknowledges those, too, with what the leader has heard a moment before. If that was lost, it is
 * asked for again at a heartbeat: so an acknowledgement is repeated, but not at once.
 */
export class Acknowledged {
  readonly #now: () => number;
  #to = 0n;
  #term = 0;
  #index = 0;
  #at = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether a message is to be sent: all are but acknowledgements that were sent just now. */
  isNews(m: Message): boolean {
    if (m.type !== MESSAGE_TYPE.appResp) return true;
    if (m.reject) {
      this.#at = Number.NEGATIVE_INFINITY;
      return true;
    }
    const now = this.#now();
    const isSame = m.to === this.#to && m.term === this.#term && m.index === this.#index;
    if (isSame && now - this.#at < REPEAT_MS) return false;
    this.#to = m.to;
    this.#term = m.term;
    this.#index = m.index;
    this.#at = now;
    return true;
  }
}
