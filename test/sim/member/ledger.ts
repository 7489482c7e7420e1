import { equalBytes } from "../../../src/base/index.ts";
import type { Member } from "../../../src/member/index.ts";
import { type Entry, InternalRequest } from "../../../src/proto/index.ts";
import { EntryHistory } from "../entry-history.ts";
import { Model } from "../model.ts";
import { FreshReplay } from "./fresh-replay.ts";

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
  #entries = new EntryHistory();
  readonly #promises: Answered[] = [];
  /** The model's answers, by entry; and how many promises were compared with them. */
  readonly #answers: string[] = [];
  #compared = 0;
  #replay: FreshReplay | undefined;

  /** Index of the last entry that any life has applied. */
  get lastIndex(): number {
    return this.#entries.lastIndex;
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
    ledger.#entries = this.#entries.fork();
    ledger.#promises.push(...this.#promises);
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
    for (const entry of this.#entries.after(this.#answers.length)) {
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
    for (const entry of this.#entries.after(appliedIndex)) this.#replay.apply(entry);
    return this.#replay;
  }

  break(what: string): never {
    this.broken ??= new Broken(what);
    throw this.broken;
  }

  #compare({ index, field, request, answer }: Answered): void {
    const found = new InternalRequest().decode(this.#entries.at(index).data);
    if (found.field !== field || !equalBytes(found.body.rest(), request)) {
      this.break(`entry ${index} is not what its proposer was answered for`);
    }
    const right = this.#answers[index - 1];
    if (right !== answer) this.break(`entry ${index} was answered "${answer}", not "${right}"`);
  }

  #applied(entry: Entry): void {
    this.#entries.applied(entry, (what) => this.break(what));
  }
}
