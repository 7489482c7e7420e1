import { copyBytes } from "../../../src/base/index.ts";
import type {
  NetworkPort,
  PeerHash,
  PeerInbox,
  PeerLease,
  PeerReply,
  PeerVersion,
  SnapshotImage,
  SnapshotSink,
} from "../../../src/member/index.ts";
import { MESSAGE_TYPE, type Message } from "../../../src/proto/index.ts";
import type { Network } from "./network.ts";

/** A process that is on the network: what `PeerLinks` reach of another member's life. */
export interface Peer {
  readonly inbox: PeerInbox;
  /** Whether the process runs, or runs no more but its machine does. */
  readonly isAlive: boolean;
  /** When it began, in the world's time. */
  readonly bornAt: number;
  arrive(work: () => void): void;
}

/** What the links know of the world. */
export interface Surroundings {
  readonly network: Network;
  /** The name of the machine they are on. */
  readonly name: string;
  /** The life that is on a machine now. */
  peerOn(machine: string): Peer | undefined;
  /** The world's time, and work in it that ends with this life. */
  now(): number;
  after(ms: number, work: () => void): void;
  /** The same, also when this life has ended by then. */
  afterAnyway(ms: number, work: () => void): void;
  /** The time as this life has it. */
  localNow(): number;
  say(what: string): void;
  /** A message leaves, whether or not it arrives. */
  sent(message: Message): void;
  /** Another member said that this one was removed. */
  removed(): void;
}

/** Bytes of an image in one message, and the time that none of them may take longer than. */
const PART_BYTES = 16 * 1024;
const SNAPSHOT_MS_MAX = 5000;
/** The time after which a call is given up (etcd's own time-outs are of this order). */
const CALL_MS = 2000;

/** How often a member tries to have streams from each of the others (`src/peer/stream-reader.ts`). */
const DIAL_MS = 1000;

/** The links of one life to the other members. */
export class PeerLinks implements NetworkPort {
  readonly #around: Surroundings;
  readonly #inbox: PeerInbox;
  readonly #hosts = new Map<bigint, string>();
  /** Snapshots that others are receiving. */
  readonly #uploads = new Set<{ readonly peer: Peer; readonly sink: SnapshotSink }>();
  #isStopped = false;

  constructor(around: Surroundings, inbox: PeerInbox) {
    this.#around = around;
    this.#inbox = inbox;
  }

  setPeer(id: bigint, peerUrls: readonly string[]): void {
    const isNew = !this.#hosts.has(id);
    this.#hosts.set(id, machineAt(peerUrls[0]!));
    if (isNew) this.#around.after(DIAL_MS, () => this.#dial(id));
  }

  /** Who has nothing to send hears that it was removed when it asks for its streams. */
  #dial(id: bigint): void {
    const host = this.#hosts.get(id);
    if (this.#isStopped || host === undefined) return;
    const isRemoved = this.#reach(host)?.inbox.isRemoved(this.#inbox.ids.memberId);
    if (isRemoved === true) this.#around.removed();
    else this.#around.after(DIAL_MS, () => this.#dial(id));
  }

  removePeer(id: bigint): void {
    this.#hosts.delete(id);
  }

  activeSince(id: bigint): number | undefined {
    const { network, name, localNow, now } = this.#around;
    const host = this.#hosts.get(id);
    const peer = host === undefined ? undefined : this.#around.peerOn(host);
    if (peer?.isAlive !== true) return undefined;
    const open = network.openSince(name, host!);
    if (open === undefined) return undefined;
    return localNow() - (now() - Math.max(open, peer.bornAt));
  }

  send(messages: readonly Message[]): void {
    if (this.#isStopped) return;
    for (const message of messages) this.#send(message);
  }

  #send(message: Message): void {
    const { to } = message;
    const host = this.#hosts.get(to);
    if (host === undefined) return;
    const { network, name } = this.#around;
    this.#around.sent(message);
    // A proposal that came twice would be carried out twice; connections see to that.
    const mayDouble = message.type !== MESSAGE_TYPE.prop;
    const arrivals = network.arrivals(name, host, mayDouble);
    const copies = arrivals.length === 1 ? "" : ` x${arrivals.length}`;
    this.#around.say(`-> ${host} ${describe(message)}${copies}`);
    if (arrivals.length === 0) this.#around.after(1, () => this.#inbox.reportUnreachable(to));
    const bytes = copyMessage(message);
    for (const ms of arrivals) this.#around.after(ms, () => this.#deliver(host, bytes));
  }

  #deliver(host: string, message: Message): void {
    const peer = this.#reach(host);
    if (peer === undefined) return this.#inbox.reportUnreachable(message.to);
    if (peer.inbox.isRemoved(message.from)) return this.#around.removed();
    if (peer.inbox.ids.memberId !== message.to) return;
    peer.arrive(() => peer.inbox.receive(copyMessage(message)));
  }

  /** The life on another machine, if there is a way to it just now. */
  #reach(host: string): Peer | undefined {
    const { network, name } = this.#around;
    const peer = network.isOpen(name, host) ? this.#around.peerOn(host) : undefined;
    return peer?.isAlive === true ? peer : undefined;
  }

  sendSnapshot(message: Message, image: SnapshotImage): void {
    const { to } = message;
    const meta = message.snapshot?.meta;
    this.#around.say(`=> ${this.#hosts.get(to)} snapshot ${meta?.term}/${meta?.index}`);
    const done = (isOk: boolean) => {
      this.#around.say(`=> ${this.#hosts.get(to)} snapshot ${isOk ? "is there" : "failed"}`);
      this.#inbox.reportSnapshot(to, isOk);
    };
    this.#upload(copyMessage(message), image).then(done, () => done(false));
  }

  /** Resolves to whether all of it arrived, and was taken. */
  async #upload(message: Message, image: SnapshotImage): Promise<boolean> {
    const host = this.#hosts.get(message.to);
    const peer = host === undefined ? undefined : this.#reach(host);
    try {
      if (host === undefined || peer === undefined) return false;
      const sink = await this.#over(host, peer, async () => peer.inbox.receiveSnapshot(message));
      if (sink === undefined || !("write" in sink)) return false;
      const upload = { peer, sink };
      this.#uploads.add(upload);
      const isTaken = await this.#copy(image, host, upload);
      this.#uploads.delete(upload);
      return isTaken;
    } finally {
      image.close();
    }
  }

  async #copy(
    image: SnapshotImage,
    host: string,
    { peer, sink }: { readonly peer: Peer; readonly sink: SnapshotSink },
  ): Promise<boolean> {
    const there = (work: () => Promise<void>) =>
      this.#over(host, peer, () => work().then(() => true));
    for (let at = 0; at < image.sizeBytes; ) {
      const part = new Uint8Array(Math.min(PART_BYTES, image.sizeBytes - at));
      await image.read(at, part);
      at += part.length;
      if ((await there(() => sink.write(part))) === true) continue;
      peer.arrive(() => void sink.abort());
      return false;
    }
    return (await there(() => sink.finish())) === true;
  }

  /** This life is over: whoever was receiving from it notices. */
  ended(): void {
    this.#isStopped = true;
    for (const { peer, sink } of this.#uploads) {
      this.#around.afterAnyway(this.#around.network.delay(), () =>
        peer.arrive(() => void sink.abort()),
      );
    }
  }

  /** Does something at a peer: there, and back. Undefined: the way was cut, or one of them died. */
  #over<T>(host: string, peer: Peer, work: () => Promise<T>): Promise<T | undefined> {
    const { network, name } = this.#around;
    return new Promise((resolve) => {
      const fail = () => resolve(undefined);
      this.#around.after(SNAPSHOT_MS_MAX, fail);
      const begin = () => {
        if (!network.isOpen(name, host) || !peer.isAlive) return fail();
        peer.arrive(() => {
          const back = (value: T) => {
            if (network.isOpen(host, name))
              this.#around.after(network.delay(), () => resolve(value));
          };
          work().then(back, () => this.#around.after(network.delay(), fail));
        });
      };
      this.#around.after(network.delay(), begin);
    });
  }

  hashKv(peer: bigint, revision: number): Promise<PeerReply<PeerHash>> {
    return this.#call(peer, (inbox) => inbox.hashKv(revision));
  }

  promote(peer: bigint, learner: bigint): Promise<PeerReply<string>> {
    return this.#call(peer, (inbox) => inbox.promote(learner));
  }

  renewLease(peer: bigint, lease: bigint, timeoutMs: number): Promise<PeerReply<number>> {
    return this.#call(peer, (inbox) => inbox.renewLease(lease), timeoutMs);
  }

  timeToLive(
    peer: bigint,
    query: { readonly lease: bigint; readonly keys: boolean },
    timeoutMs: number,
  ): Promise<PeerReply<PeerLease>> {
    return this.#call(peer, (inbox) => inbox.timeToLive(query), timeoutMs);
  }

  version(peer: bigint): Promise<PeerReply<PeerVersion>> {
    return this.#call(peer, async (inbox) => ({ kind: "value", value: inbox.version() }));
  }

  /** A question over HTTP and its answer. It may have been carried out where none comes. */
  async #call<T>(
    id: bigint,
    ask: (inbox: PeerInbox) => Promise<PeerReply<T>>,
    timeoutMs = CALL_MS,
  ): Promise<PeerReply<T>> {
    const host = this.#hosts.get(id);
    const peer = host === undefined ? undefined : this.#reach(host);
    const unreached = { kind: "unreached", reason: "no way there" } as const;
    if (host === undefined || peer === undefined) return unreached;
    const late = new Promise<undefined>((resolve) =>
      this.#around.after(timeoutMs, () => resolve(undefined)),
    );
    const answer = this.#over(host, peer, () => ask(peer.inbox));
    return (await Promise.race([answer, late])) ?? unreached;
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return Promise.resolve();
  }
}

/** A machine has many names: `m1`, `m1-7`. */
function machineAt(url: string): string {
  return new URL(url).hostname.split("-")[0]!;
}

/** A message that shares no bytes with another. */
export function copyMessage(message: Message): Message {
  return {
    ...message,
    entries: message.entries.map((entry) => ({ ...entry, data: copyBytes(entry.data) })),
    context: copyBytes(message.context),
    snapshot: message.snapshot && { ...message.snapshot, data: copyBytes(message.snapshot.data) },
  };
}

const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(MESSAGE_TYPE).map(([name, type]) => [type, name]),
);

function describe(message: Message): string {
  const { type, term, logTerm, index, entries, commit, reject, rejectHint } = message;
  const parts = [`${TYPE_NAMES.get(type)} term ${term} at ${logTerm}/${index}`];
  if (entries.length > 0) parts.push(`entries ${entries.length}`);
  if (commit > 0) parts.push(`commit ${commit}`);
  if (reject) parts.push(`refused, hint ${rejectHint}`);
  return parts.join(", ");
}
