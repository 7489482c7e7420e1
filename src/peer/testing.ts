import type {
  PeerHash,
  PeerInbox,
  PeerLease,
  PeerReply,
  PeerVersion,
  SnapshotSink,
} from "../member/index.ts";
import { type Failure, fail, type Message, message } from "../proto/index.ts";
import type { Lines, TransportOptions } from "./local.ts";

/** For tests: a message of which the fields not given are zero. */
export function messageOf(fields: Partial<Message> & Pick<Message, "type">): Message {
  return message({ to: 0n, ...fields });
}

/** A log that keeps its lines. */
export class KeptLines implements Lines {
  readonly kept: string[] = [];
  info = (message: string, fields: object = {}): void => this.#keep(message, fields);
  warn = (message: string, fields: object = {}): void => this.#keep(message, fields);
  error = (message: string, fields: object = {}): void => this.#keep(message, fields);

  #keep(message: string, fields: object): void {
    this.kept.push(`${message} ${JSON.stringify(fields)}`);
  }
}

export function transportOptions(
  peerUrls: readonly string[],
  more: Partial<TransportOptions> = {},
): TransportOptions {
  return {
    peerUrls,
    version: "3.7.3",
    minClusterVersion: "3.0.0",
    dialTimeoutMs: 2000,
    requestTimeoutMs: 7000,
    readTimeoutMs: 5000,
    writeTimeoutMs: 5000,
    lines: new KeptLines(),
    onRemoved: () => {},
    ...more,
  };
}

/** A member that notes what it is told and answers as the test wants. */
export class FakeInbox implements PeerInbox {
  readonly ids: { readonly clusterId: bigint; readonly memberId: bigint };
  readonly received: Message[] = [];
  readonly removed = new Set<bigint>();
  readonly unreachable: bigint[] = [];
  readonly gone: bigint[] = [];
  readonly snapshots: boolean[] = [];
  sink: SnapshotSink | Failure = fail("stopped");
  members = "[]";
  hash = (_revision: number): Promise<PeerReply<PeerHash>> =>
    Promise.resolve({ kind: "refused", failure: fail("compacted") });
  promoted: PeerReply<string> = { kind: "refused", failure: fail("memberNotFound") };
  ttl: PeerReply<number> = { kind: "refused", failure: fail("leaseNotFound") };
  lease: PeerReply<PeerLease> = { kind: "refused", failure: fail("leaseNotFound") };
  downgrade: PeerReply<boolean> = { kind: "value", value: false };
  versions: PeerVersion = { server: "3.7.3", cluster: "3.7.0", storage: "3.7.0" };
  #waiters: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];

  constructor(ids: { readonly clusterId: bigint; readonly memberId: bigint }) {
    this.ids = ids;
  }

  /** Resolves when something holds of what it was told. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ isMet, resolve }));
  }

  has(messages: number): Promise<void> {
    return this.until(() => this.received.length >= messages);
  }

  #changed(): void {
    const met = this.#waiters.filter(({ isMet }) => isMet());
    this.#waiters = this.#waiters.filter((waiter) => !met.includes(waiter));
    for (const { resolve } of met) resolve();
  }

  receive(m: Message): void {
    this.received.push(m);
    this.#changed();
  }

  isRemoved(id: bigint): boolean {
    return this.removed.has(id);
  }

  reportUnreachable(id: bigint): void {
    this.unreachable.push(id);
    this.#changed();
  }

  reportGone(id: bigint): void {
    this.gone.push(id);
    this.#changed();
  }

  reportSnapshot(_id: bigint, isOk: boolean): void {
    this.snapshots.push(isOk);
    this.#changed();
  }

  receiveSnapshot(): SnapshotSink | Failure {
    return this.sink;
  }

  membersJson(): string {
    return this.members;
  }

  version(): PeerVersion {
    return this.versions;
  }

  isDowngradeEnabled(): Promise<PeerReply<boolean>> {
    return Promise.resolve(this.downgrade);
  }

  hashKv(revision: number): Promise<PeerReply<PeerHash>> {
    return this.hash(revision);
  }

  promote(): Promise<PeerReply<string>> {
    return Promise.resolve(this.promoted);
  }

  renewLease(): Promise<PeerReply<number>> {
    return Promise.resolve(this.ttl);
  }

  timeToLive(): Promise<PeerReply<PeerLease>> {
    return Promise.resolve(this.lease);
  }
}
