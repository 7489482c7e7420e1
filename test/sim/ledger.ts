import { bytesToHex, copyBytes, equalBytes } from "../../src/base/index.ts";
import type { Member } from "../../src/member/index.ts";
import { type Entry, InternalRequest } from "../../src/proto/index.ts";
import { FreshReplay } from "./fresh-replay.ts";
import { Model } from "./model.ts";

/** A promise that the member broke. */
export class Broken extends Error {}

/** What a client was told of its request. */
export interface Answered {
  readonly index: number;
  readonly field: number;
  readonly request: Uint8Array;
  readonly answer: string;
}

/**
 * What all lives of a member have applied and promised, and what must be true of the next. An entry
 * that was applied once is at its index for ever, and an answer that was given is the model's.
 */
export class Ledger {
  readonly model = new Model();
  /** The first promise that was seen to be broken. */
  broken: Broken | undefined;
  /** Lives begun so far. */
  lives = 0;
  /** The last entry of which a client was told. */
  lastPromised = 0;
  readonly #entries: Entry[] = [];
  readonly #ids = new Set<string>();
  readonly #promises: Answered[] = [];
  /** The model's answers, by entry; and how many promises were compared with them. */
  readonly #answers: string[] = [];
  #compared = 0;
  #replay: FreshReplay | undefined;

  /** Index of the last entry that any life has applied. */
  get lastIndex(): number {
    return this.#entries.length;
  }

  /** How many requests were answered. */
  get promises(): number {
    return this.#promises.length;
  }

  /** One that goes on by itself. */
  fork(): Ledger {
    const ledger = new Ledger();
    ledger.lives = this.lives;
    ledger.lastPromised = this.lastPromised;
    ledger.#entries.push(...this.#entries);
    ledger.#promises.push(...this.#promises);
    for (const id of this.#ids) ledger.#ids.add(id);
    return ledger;
  }

  /** Sees every entry that this life applies. */
  observe({ state }: Member): void {
    const apply = state.apply.bind(state);
    const applyConfChange = state.applyConfChange.bind(state);
    state.apply = (entry, waiting) => {
      this.#applied(entry);
      return apply(entry, waiting);
    };
    state.applyConfChange = (entry, toRaft) => {
      this.#applied(entry);
      return applyConfChange(entry, toRaft);
    };
  }

  /** The member has told a client that its request is done. */
  promise(answered: Answered): void {
    this.#promises.push(answered);
    this.lastPromised = answered.index;
  }

  /** Brings the model to the last entry, and sees whether the answers given were right. */
  settle(): void {
    for (const entry of this.#entries.slice(this.#answers.length)) {
      this.#answers.push(this.model.apply(entry));
    }
    for (; this.#compared < this.#promises.length; this.#compared++) {
      this.#compare(this.#promises[this.#compared]!);
    }
  }

  /** All entries, applied once more from the first. */
  replay(): FreshReplay {
    this.#replay ??= new FreshReplay();
    const { appliedIndex } = this.#replay.state;
    for (const entry of this.#entries.slice(appliedIndex)) this.#replay.apply(entry);
    return this.#replay;
  }

  break(what: string): never {
    this.broken ??= new Broken(what);
    throw this.broken;
  }

  #compare({ index, field, request, answer }: Answered): void {
    const found = new InternalRequest().decode(this.#entries[index - 1]!.data);
    if (found.field !== field || !equalBytes(found.body.rest(), request)) {
      this.break(`entry ${index} is not what its proposer was answered for`);
    }
    const right = this.#answers[index - 1];
    if (right !== answer) this.break(`entry ${index} was answered "${answer}", not "${right}"`);
  }

  #applied(entry: Entry): void {
    const { index, term, type, data } = entry;
    if (index > this.#entries.length + 1) this.break(`entry ${index} leaves a gap`);
    const known = this.#entries[index - 1];
    if (known === undefined) {
      this.#entries.push({ index, term, type, data: copyBytes(data) });
      this.#checkId(entry);
    } else if (known.term !== term || known.type !== type || !equalBytes(known.data, data)) {
      const [was, is] = [bytesToHex(known.data), bytesToHex(data)];
      this.break(`entry ${index} was ${known.term} ${was} and is ${term} ${is}`);
    }
  }

  #checkId({ index, type, data }: Entry): void {
    if (type !== 0 || data.length === 0) return;
    const { member, sequence } = new InternalRequest().decode(data);
    const id = `${member}/${sequence}`;
    if (this.#ids.has(id)) this.break(`the request of entry ${index} is in the log twice`);
    this.#ids.add(id);
  }
}
