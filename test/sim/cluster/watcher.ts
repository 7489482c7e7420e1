import { Prng } from "../../../src/base/index.ts";
import { api, decodeMessage, encodeMessage, type Init } from "../../../src/proto/index.ts";
import type { Change, Span, Told, Watched } from "../../lib/history/index.ts";
import type { ClientCall } from "./call.ts";
import { Caller, type World } from "./caller.ts";
import { changeOf, revisionOf, spanOf } from "./encode.ts";

const RECONNECT_MS = 100;
/** A stream on which nothing comes for so long is given up: its member may hang. */
const SILENCE_MS = 6000;

export interface WatcherOptions extends Span {
  readonly name: string;
  readonly world: World;
  readonly seed: number;
  /** Where it begins, looked up then; 0: at whatever comes next. */
  readonly from: () => number;
  readonly hasFragments: boolean;
  /** Whether it reads nothing for a while, now and then. */
  readonly isSlow: boolean;
}

/** A watch that goes on over every break, wherever it was, and keeps all that it was told. */
export class Watcher {
  /** One, and one more after each compaction that it fell behind of. */
  readonly watched: (Watched & { messages: Told[] })[] = [];
  readonly #options: WatcherOptions;
  readonly #caller: Caller;
  readonly #random: Prng;
  #call: ClientCall | undefined;
  #next = 0;
  #heardAt = 0;
  #fragments: Change[] = [];
  /** Everything up to here has been told. */
  reached = 0;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#caller = new Caller(options.name, options.world);
    this.#random = new Prng(options.seed);
  }

  async run(isOver: () => boolean): Promise<void> {
    const { clock } = this.#options.world;
    this.#next = this.#options.from();
    if (this.#next > 0) this.#begin(this.#next);
    this.#connect();
    while (!isOver()) {
      await clock.sleep(this.#random.below(2000));
      const isSilent = clock.now - this.#heardAt > SILENCE_MS;
      if (isSilent || this.#random.oneIn(25)) this.#call?.cancel();
      else if (this.#random.oneIn(3)) this.#ask({ progressRequest: {} });
      if (this.#options.isSlow && this.#random.oneIn(3))
        this.#call?.beDeaf(this.#random.below(3000));
    }
  }

  #begin(from: number): void {
    const { name, key, end } = this.#options;
    this.watched.push({ by: name, key, ...(end !== undefined && { end }), from, messages: [] });
    this.reached = Math.max(this.reached, from - 1);
  }

  #connect(): void {
    const { clock, machines, say } = this.#options.world;
    const machine = machines[this.#random.below(machines.length)]!.name;
    say(this.#caller.name, `watches ${machine} from ${this.#next}`);
    this.#heardAt = clock.now;
    this.#fragments = [];
    let isCurrent = true;
    const call = this.#caller.open(machine, "/etcdserverpb.Watch/Watch", {
      message: (bytes) => {
        if (isCurrent) this.#receive(bytes);
      },
      end: ({ code, message }) => {
        isCurrent = false;
        say(this.#caller.name, `is left by ${machine}: ${code} ${message}`);
        clock.after(RECONNECT_MS, () => this.#connect());
      },
    });
    this.#call = call;
    const { hasFragments: fragment } = this.#options;
    const startRevision = this.#next;
    this.#ask({
      createRequest: { ...spanOf(this.#options), startRevision, progressNotify: true, fragment },
    });
  }

  #ask(request: Init<api.WatchRequest>): void {
    this.#call?.write(encodeMessage(api.WatchRequest, request));
  }

  #receive(bytes: Uint8Array): void {
    const answer = decodeMessage(api.WatchResponse, bytes);
    const { clock } = this.#options.world;
    this.#heardAt = clock.now;
    if (answer.canceled) return this.#canceled(answer);
    if (answer.created) return this.#created(revisionOf(answer));
    const at = clock.now;
    if (answer.events.length === 0) {
      this.#tell({ at, changes: [], bookmark: revisionOf(answer) });
      return;
    }
    this.#fragments.push(...answer.events.map(changeOf));
    if (answer.fragment) return;
    const changes = this.#fragments;
    this.#fragments = [];
    this.#tell({ at, changes });
  }

  /** A watch from now on sees what comes behind the revision at which it was made. */
  #created(revision: number): void {
    if (this.#next > 0) return;
    this.#next = revision + 1;
    this.#begin(this.#next);
  }

  #tell(told: Told): void {
    const revision = told.bookmark ?? told.changes.at(-1)!.revision;
    const what = told.bookmark === undefined ? `${told.changes.length} changes` : "nothing";
    this.#options.world.say(this.#caller.name, `is told ${what} up to ${revision}`);
    this.watched.at(-1)!.messages.push(told);
    this.reached = Math.max(this.reached, revision);
    this.#next = Math.max(this.#next, revision + 1);
  }

  /** What is compacted cannot be told any more: a new watch begins behind it. */
  #canceled({ compactRevision, cancelReason }: api.WatchResponse): void {
    const { say } = this.#options.world;
    say(this.#caller.name, `is cancelled: compacted at ${compactRevision} ${cancelReason}`);
    if (compactRevision > 0) {
      this.#next = Math.max(this.#next, compactRevision);
      this.#begin(this.#next);
    }
    this.#call?.cancel();
  }
}
