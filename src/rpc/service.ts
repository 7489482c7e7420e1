import { Replies, type State } from "../apply/index.ts";
import { Arena } from "../base/index.ts";
import type { LogLines, Member, Slicer } from "../member/index.ts";
import { encodeMessage, type Failure, fail, type Init, type Schema } from "../proto/index.ts";
import type { Answer } from "./answer.ts";
import { Health } from "./health.ts";
import { Callers } from "./recipes.ts";
import type { WatchService } from "./watch.ts";

export interface Limits {
  readonly txnOpsMax: number;
  readonly requestBytesMax: number;
  /** `--quota-backend-bytes` as it was given. */
  readonly quotaBytes: number;
  /** Whether the server counts as not serving while it defragments. */
  readonly stopsOnDefragment: boolean;
}

/** Where the process stands with the memory that it may have. */
export interface MemoryPort {
  /** Whether work may begin, or go on, that needs about so many bytes more. */
  admits(bytes: number): boolean;
}

/** What all services share: the member, the way to read its state and the way to write replies. */
export class Service {
  readonly member: Member;
  readonly state: State;
  readonly slicer: Slicer;
  readonly replies: Replies;
  readonly limits: Limits;
  readonly watches: WatchService;
  /** Those in locks and elections. */
  readonly callers = new Callers();
  readonly memory: MemoryPort;
  readonly lines: LogLines;
  readonly health: Health;
  /** Names of all gRPC services, for reflection. */
  readonly serviceNames: readonly string[];
  /** For requests that wait: what they were read from is gone by then. */
  readonly arena = new Arena();

  constructor(options: {
    member: Member;
    watches: WatchService;
    limits: Limits;
    memory: MemoryPort;
    lines: LogLines;
    serviceNames: readonly string[];
  }) {
    this.member = options.member;
    this.state = options.member.state;
    this.slicer = options.member.slicer;
    this.replies = new Replies(options.member.ids);
    this.limits = options.limits;
    this.watches = options.watches;
    this.memory = options.memory;
    this.lines = options.lines;
    this.health = new Health(options.lines);
    this.serviceNames = options.serviceNames;
  }

  /** Whether this member has no vote yet; its store may be far behind the others'. */
  get isLearner(): boolean {
    return this.state.members.get(this.member.ids.memberId)?.isLearner === true;
  }

  get raftTerm(): number {
    return this.state.appliedTerm;
  }

  get revision(): number {
    return this.state.store.currentRevision;
  }

  /** The header of replies that are not on the hot path. */
  header(revision = this.revision) {
    return { ...this.member.ids, revision, raftTerm: this.raftTerm };
  }

  answer<T>(answer: Answer, schema: Schema<T>, message: Init<T>): void {
    answer.reply(encodeMessage(schema, message));
  }

  /**
   * Refuses what the quota has no room for, by its cost, and says so. The alarm stands before that
   * is told.
   */
  refuseForQuota(cost: number, answer: Answer): boolean {
    if (this.state.quota.hasRoom(cost)) return false;
    const { space } = this.member;
    this.member.spawn(space.raise().then(() => answer.fail(fail("noSpace"))));
    return true;
  }

  /** Proposes what needs memory until it is applied, and is refused where that is scarce. */
  propose(field: number, request: Uint8Array, answer: Answer): void {
    if (this.memory.admits(request.length)) this.member.propose(field, request, answer);
    else answer.fail(fail("tooManyRequests"));
  }

  /** Calls `read` when everything acknowledged before now is applied. */
  linearizable(answer: { fail(failure: Failure): void }, read: () => void): void {
    this.member.linearizable({ ready: read, fail: (failure) => answer.fail(failure) });
  }

  /** Runs sliced work and hands its result on; at once when it ends in its first slice. */
  run<T>(slices: Generator<unknown, T, void>, done: (result: T) => void): void {
    const step = slices.next();
    if (step.done === true) done(step.value);
    else this.member.spawn(this.slicer.resume(slices, step).then(done));
  }
}
