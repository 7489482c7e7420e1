import { bytesToHex, copyBytes, equalBytes } from "../../src/base/index.ts";
import { type Entry, ENTRY_TYPE, InternalRequest } from "../../src/proto/index.ts";

/**
 * All entries that anybody has applied. What was applied once is at its index for ever, and no
 * request is in the log twice.
 */
export class EntryHistory {
  readonly #entries: Entry[] = [];
  /** Sequences of requests by the member's part of their ids. */
  readonly #ids = new Map<number, Set<number>>();
  readonly #request = new InternalRequest();

  /** Index of the last entry. */
  get lastIndex(): number {
    return this.#entries.length;
  }

  at(index: number): Entry {
    return this.#entries[index - 1]!;
  }

  /** Those behind an index. */
  after(index: number): readonly Entry[] {
    return this.#entries.slice(index);
  }

  /** One that goes on by itself. */
  fork(): EntryHistory {
    const history = new EntryHistory();
    history.#entries.push(...this.#entries);
    for (const [member, known] of this.#ids) history.#ids.set(member, new Set(known));
    return history;
  }

  /** Somebody applies an entry. Returns whether nobody had; says what must not be. */
  applied(entry: Entry, say: (what: string) => void): boolean {
    const { index, term, type, data } = entry;
    if (index > this.lastIndex + 1) {
      say(`entry ${index} comes after ${this.lastIndex}`);
      return false;
    }
    const known = this.#entries[index - 1];
    if (known === undefined) {
      this.#entries.push({ index, term, type, data: copyBytes(data) });
      this.#checkId(entry, say);
      return true;
    }
    if (known.term !== term || known.type !== type || !equalBytes(known.data, data)) {
      const [was, is] = [bytesToHex(known.data), bytesToHex(data)];
      say(`entry ${index} was ${known.term} ${was} and is ${term} ${is}`);
    }
    return false;
  }

  #checkId({ index, type, data }: Entry, say: (what: string) => void): void {
    if (type !== ENTRY_TYPE.normal || data.length === 0) return;
    const { member, sequence } = this.#request.decode(data);
    const known = this.#ids.get(member) ?? new Set();
    if (known.has(sequence)) say(`the request of entry ${index} is in the log twice`);
    this.#ids.set(member, known.add(sequence));
  }
}
