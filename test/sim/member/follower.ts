/** A member that follows a leader which only these files know: it is sent what the test wants. */
import { Arena, bytesToKey, concatBytes, deferred } from "../../../src/base/index.ts";
import { toEnd } from "../../../src/base/testing.ts";
import { Logger } from "../../../src/observe/index.ts";
import type { Member, PeerInbox, SnapshotSink } from "../../../src/member/index.ts";
import {
  api,
  decodeMessage,
  encodeInternalRequest,
  ENTRY_TYPE,
  type Entry,
  type Failure,
} from "../../../src/proto/index.ts";
import { EMPTY_CONF_STATE, MESSAGE_TYPE, type Message, message } from "../../../src/raft/index.ts";
import { bootIn } from "../../../src/server/boot.ts";
import { NO_NETWORK } from "../../../src/server/no-network.ts";
import { DIR, isOfDisk } from "../data-dir.ts";
import type { Disk } from "../disk.ts";
import { DiskCalls, type Fault } from "../disk-calls.ts";
import { CONFIG, PAGE_GROWTH_BYTES, SEGMENT_BYTES } from "./life.ts";
import { put, type Request } from "./requests.ts";
import { SimTime } from "./time.ts";

const LEADER = 99n;
const LEADER_TERM = 50;
const PIECE_BYTES = 3000;

/** A page file, and the entry that it ends with. */
export interface Image {
  readonly bytes: Uint8Array;
  readonly index: number;
  readonly term: number;
}

/** What a member has promised and must not forget, whatever happens. */
export interface Promises {
  /** The last entry that the leader was told it has. */
  acknowledged: number;
  /** Puts that clients were told of. */
  puts: number;
}

export class Follower {
  readonly member: Member;
  readonly time: SimTime;
  readonly #inbox: PeerInbox;
  readonly promises: Promises;
  readonly #arena = new Arena();

  constructor(member: Member, inbox: PeerInbox, time: SimTime, promises: Promises) {
    this.member = member;
    this.#inbox = inbox;
    this.time = time;
    this.promises = promises;
  }

  ask({ field, bytes }: Request): Promise<boolean> {
    const { promise, resolve } = deferred<boolean>();
    this.member.propose(field, bytes, {
      settle: () => {
        this.promises.puts++;
        resolve(true);
      },
      fail: () => resolve(false),
    });
    return promise;
  }

  /** Sends a snapshot. Resolves when the member says that it has it. */
  async sendSnapshot(image: Image): Promise<void> {
    await this.sendInto(this.open(image), image);
  }

  async sendInto(sink: SnapshotSink, { bytes }: Image): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        await sink.write(bytes.subarray(at, at + PIECE_BYTES));
      }
      await sink.finish();
    } catch (error) {
      await sink.abort();
      throw error;
    }
  }

  /** Begins to send a snapshot. Throws when it is refused. */
  open(image: Image): SnapshotSink {
    const sink = this.#open(image);
    if ("message" in sink) throw new Error(sink.message);
    return sink;
  }

  /** The same; undefined when it is refused. */
  tryOpen(image: Image): SnapshotSink | undefined {
    const sink = this.#open(image);
    return "message" in sink ? undefined : sink;
  }

  #open({ index, term }: Image): SnapshotSink | Failure {
    const confState = { ...EMPTY_CONF_STATE, voters: [this.member.ids.memberId, LEADER] };
    const snapshot = { meta: { index, term, confState }, data: new Uint8Array(0) };
    return this.#inbox.receiveSnapshot(this.#from({ type: MESSAGE_TYPE.snap, snapshot }));
  }

  /** Appends puts of `KEY + index`, and commits them. */
  append(after: { readonly index: number; readonly term: number }, count: number): void {
    const entries = Array.from({ length: count }, (_, i) => this.#entry(after.index + 1 + i));
    const commit = after.index + count;
    this.#inbox.receive(
      this.#from({
        type: MESSAGE_TYPE.app,
        index: after.index,
        logTerm: after.term,
        entries,
        commit,
      }),
    );
  }

  #entry(index: number): Entry {
    const { field, bytes } = put(`l${index}`, "of the leader");
    const data = encodeInternalRequest(this.#arena, field, bytes, { member: 9, sequence: index });
    return { type: ENTRY_TYPE.normal, term: LEADER_TERM, index, data };
  }

  #from(fields: Partial<Message> & Pick<Message, "type">): Message {
    const to = this.member.ids.memberId;
    return message({ from: LEADER, to, term: LEADER_TERM, ...fields });
  }

  async applied(index: number): Promise<void> {
    while (this.member.state.appliedIndex < index) await this.time.sleep(1);
  }

  /** The page file as of now. */
  async image(): Promise<Image> {
    const image = await this.member.openSnapshot();
    const { appliedIndex: index, appliedTerm: term } = this.member.state;
    const bytes = await image.read(image.sizeBytes);
    image.close();
    return { bytes, index, term };
  }
}

/** Keys that are there, and a hash of all history. */
export function contentOf({ state }: Member): { keys: string[]; hash: number } {
  const everything = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), keysOnly: true };
  const found = toEnd(state.store.range(everything));
  const hash = toEnd(state.store.hashKv(0));
  if (typeof found === "string" || typeof hash === "string") throw new Error("cannot be read");
  const { kvs } = decodeMessage(api.RangeResponse, concatBytes(found.kvs.chunks));
  return { keys: kvs.map(({ key }) => bytesToKey(key)), hash: hash.hash };
}

/** Runs a member on a disk until `work` is done, or it ends before. */
export async function follow(options: {
  readonly disk: Disk;
  readonly seed: number;
  readonly fault?: Fault;
  readonly promises?: Promises;
  readonly onRestored?: () => void;
  readonly work: (follower: Follower) => Promise<void>;
}): Promise<DiskCalls> {
  const { disk, seed, fault, work, promises = { acknowledged: 0, puts: 0 } } = options;
  const time = new SimTime(seed);
  const ended = deferred<unknown>();
  const io = new DiskCalls({ disk, time, seed, fault, onEnd: () => ended.resolve(undefined) });
  const live = async () => {
    let inbox: PeerInbox | undefined;
    const { member } = await bootIn(
      DIR,
      {
        config: CONFIG,
        logger: new Logger({ level: "fatal" }),
        onRevision: () => {},
        ...(options.onRestored && { onRestored: options.onRestored }),
        flush: () => {},
        connect: (own) => {
          inbox = own;
          return { ...NO_NETWORK, send: (messages) => note(messages, promises) };
        },
        onFatal: ended.resolve,
      },
      {
        io,
        lock: async () => {},
        time,
        wallMs: () => 1_700_000_000_000 + seed * 1000,
        random: (bound) => seed % bound,
        segmentBytes: SEGMENT_BYTES,
        pageGrowthBytes: PAGE_GROWTH_BYTES,
      },
    );
    member.start();
    await work(new Follower(member, inbox!, time, promises));
    await member.stop();
  };
  live().then(ended.resolve, ended.resolve);
  const error = await time.run(ended.promise);
  io.end();
  if (error !== undefined && (fault === undefined || !isOfDisk(error))) throw error;
  return io;
}

function note(messages: readonly Message[], promises: Promises): void {
  for (const { type, to, reject, index } of messages) {
    if (type !== MESSAGE_TYPE.appResp || to !== LEADER || reject) continue;
    promises.acknowledged = Math.max(promises.acknowledged, index);
  }
}
