import type { Agent } from "node:http";
import type { Socket } from "node:net";
import type { SnapshotImage } from "../member/index.ts";
import { MESSAGE_TYPE, type Message } from "../proto/index.ts";
import { newAgent } from "./call.ts";
import { isLinkHeartbeat } from "./decoders.ts";
import { MessageEncoder, MsgAppEncoder, STREAM_NAMES, type StreamKind } from "./encoders.ts";
import { hex, type Local, PeerStatus, type Remote, UrlPicker } from "./local.ts";
import { Pipeline } from "./pipeline.ts";
import { Prober } from "./prober.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { StreamReader } from "./stream-reader.ts";
import { StreamWriter } from "./stream-writer.ts";

/**
 * How often the writing ends of streams are looked at (etcd: a third of its own `ConnReadTimeout`,
 * but the reader may be a member with a shorter one: 5 s is the shortest that there is).
 */
const TICK_MS = 5000 / 3;

const KINDS = ["msgapp", "message"] as const;

/** All links to another member: two streams each way, POSTs where there is none, snapshots. */
export class Peer {
  readonly #local: Local;
  readonly #remote: Remote;
  readonly #receive: (m: Message, bytes: number) => void;
  readonly #writers: Partial<Record<StreamKind, StreamWriter>> = {};
  readonly #readers: readonly StreamReader[];
  readonly #pipeline: Pipeline;
  readonly #snapshots: SnapshotSender;
  readonly #ticker: NodeJS.Timeout;
  #probers: readonly Prober[] = [];
  #agent: Agent | undefined;
  /** Whether it was told already that the peer's process is gone. */
  #isGone = false;
  #refusals = 0;
  /** Since when it was not heard, as a reader found that has not been connected again yet. */
  #silentSince: number | undefined;

  constructor(
    local: Local,
    peer: { readonly id: bigint; readonly urls: readonly string[] },
    receive: (m: Message) => void,
  ) {
    const { id } = peer;
    local.lines.info("starting remote peer", { "remote-peer-id": hex(id) });
    this.#local = local;
    const status = new PeerStatus(local, id);
    this.#remote = { id, urls: new UrlPicker(peer.urls), status };
    this.#receive = (m, bytes) => {
      local.meters.receivedBytes.add(id, bytes);
      if (!isLinkHeartbeat(m)) receive(m);
    };
    const agent = () => (this.#agent ??= newAgent(local.identity));
    this.#pipeline = new Pipeline(local, this.#remote, agent);
    this.#snapshots = new SnapshotSender(local, this.#remote, agent);
    this.#readers = KINDS.map((kind) => this.#newReader(kind));
    for (const reader of this.#readers) reader.start();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS).unref();
    this.#probe();
    local.lines.info("started remote peer", { "remote-peer-id": hex(id) });
  }

  get activeSince(): number | undefined {
    return this.#remote.status.activeSince;
  }

  get urls(): readonly string[] {
    return this.#remote.urls.all;
  }

  /** Takes other URLs for what is done from now on. */
  update(urls: readonly string[]): void {
    this.#remote.urls.update(urls);
    for (const prober of this.#probers) prober.stop();
    this.#probe();
  }

  /** Queues a message; what is in no queue is reported. `flush` follows. */
  send(m: Message): void {
    const { msgapp, message } = this.#writers;
    const stream = m.type === MESSAGE_TYPE.app ? (msgapp ?? message) : message;
    if (stream === undefined ? this.#pipeline.send(m) : stream.write(m)) return;
    const { id, status } = this.#remote;
    this.#local.inbox.reportUnreachable(id);
    this.#local.meters.sendFailures.add(id);
    this.#local.lines.warn("dropped internal Raft message since sending buffer is full", {
      "message-type": m.type,
      "local-member-id": hex(this.#local.memberId),
      from: hex(m.from),
      "remote-peer-id": hex(id),
      "remote-peer-active": status.activeSince !== undefined,
    });
  }

  flush(): void {
    this.#writers.msgapp?.flush();
    this.#writers.message?.flush();
  }

  sendSnapshot(m: Message, image: SnapshotImage): void {
    void this.#snapshots.send(m, image);
  }

  /** The peer has opened a stream; the head of its response has left. */
  attach(kind: StreamKind, socket: Socket): void {
    const { id, status } = this.#remote;
    this.#drop(kind, "close");
    const encoder =
      kind === "message" ? new MessageEncoder() : new MsgAppEncoder(this.#local.block);
    const timeoutMs = this.#local.writeTimeoutMs;
    const writer: StreamWriter = new StreamWriter(
      socket,
      { encoder, timeoutMs },
      {
        sent: (bytes) => this.#local.meters.sentBytes.add(id, bytes),
        lost: (reason) => this.#lost(kind, writer, reason),
      },
    );
    this.#writers[kind] = writer;
    status.activate();
    this.#log("info", "established TCP streaming connection with remote peer", kind);
  }

  stop(): void {
    const id = { "remote-peer-id": hex(this.#remote.id) };
    this.#local.lines.info("stopping remote peer", id);
    clearInterval(this.#ticker);
    for (const kind of KINDS) this.#writers[kind]?.close();
    for (const reader of this.#readers) reader.stop();
    for (const prober of this.#probers) prober.stop();
    this.#pipeline.stop();
    this.#snapshots.stop();
    this.#agent?.destroy();
    this.#local.lines.info("stopped remote peer", id);
  }

  #newReader(kind: StreamKind): StreamReader {
    return new StreamReader(this.#local, this.#remote, kind, {
      message: this.#receive,
      connected: () => {
        this.#isGone = false;
        this.#refusals = 0;
        this.#renew();
      },
      silent: () => {
        this.#silentSince ??= performance.now() - this.#local.readTimeoutMs;
      },
      refused: () => this.#refused(),
    });
  }

  /** Nobody listens at one of its URLs. At none of them, and no stream is left: it is gone. */
  #refused(): void {
    this.#refusals++;
    if (this.#isGone || this.#refusals < this.urls.length) return;
    if (this.#readers.some((reader) => reader.isConnected)) return;
    this.#isGone = true;
    this.#local.inbox.reportGone(this.#remote.id);
  }

  /**
   * The peer is reached again. What was sent while it could not be waits for TCP to repeat it,
   * after longer and longer times: the peer shall open its streams anew, as it would by itself
   * after a silence (members of etcd 3.7 do not, their streams have no read timeout).
   */
  #renew(): void {
    const since = this.#silentSince;
    if (since === undefined) return;
    this.#silentSince = undefined;
    for (const kind of KINDS) {
      const writer = this.#writers[kind];
      if (writer !== undefined && writer.openedAt < since) this.#drop(kind, "reset");
    }
  }

  #probe(): void {
    const peer = { id: this.#remote.id, urls: this.urls };
    this.#probers = [
      new Prober(
        this.#local,
        peer,
        "ROUND_TRIPPER_SNAPSHOT",
        () => (this.#agent ??= newAgent(this.#local.identity)),
      ),
      new Prober(this.#local, peer, "ROUND_TRIPPER_RAFT_MESSAGE"),
    ];
  }

  #tick(): void {
    const now = performance.now();
    for (const kind of KINDS) this.#writers[kind]?.tick(now);
  }

  /** A stream is given up for another. A reset loses also what was written to the socket. */
  #drop(kind: StreamKind, how: "close" | "reset"): void {
    const writer = this.#writers[kind];
    if (writer === undefined) return;
    delete this.#writers[kind];
    if (how === "reset" || writer.hasMessages) {
      this.#local.inbox.reportUnreachable(this.#remote.id);
    }
    writer[how]();
    this.#log("warn", "closed TCP streaming connection with remote peer", kind);
  }

  #lost(kind: StreamKind, writer: StreamWriter, reason: string): void {
    if (this.#writers[kind] !== writer) return;
    delete this.#writers[kind];
    const { id, status } = this.#remote;
    status.deactivate(STREAM_NAMES[kind], "write", reason);
    this.#log("warn", "lost TCP streaming connection with remote peer", kind);
    this.#local.inbox.reportUnreachable(id);
    this.#local.meters.sendFailures.add(id);
  }

  #log(level: "info" | "warn", message: string, kind: StreamKind): void {
    this.#local.lines[level](message, {
      "stream-writer-type": STREAM_NAMES[kind],
      "local-member-id": hex(this.#local.memberId),
      "remote-peer-id": hex(this.#remote.id),
    });
  }
}
