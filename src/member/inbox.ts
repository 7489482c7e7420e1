import type { State } from "../apply/index.ts";
import { membersToJson, SERVER_VERSION } from "../cluster/index.ts";
import { type Failure, fail, MESSAGE_TYPE, type Message } from "../proto/index.ts";
import type { RawNode } from "../raft/index.ts";
import type { Leadership } from "./leadership.ts";
import type {
  PeerHash,
  PeerInbox,
  PeerLease,
  PeerReply,
  PeerVersion,
  SnapshotSink,
} from "./ports.ts";
import type { ReceivedSnapshots } from "./received-snapshots.ts";
import type { Renewals } from "./renewals.ts";
import type { Replica } from "./replica.ts";
import type { SentSnapshots } from "./sent-snapshots.ts";
import type { Slicer } from "./slices.ts";

/** The parts of a member that answer its peers. */
export interface InboxParts {
  readonly state: State;
  readonly node: RawNode;
  readonly replica: Replica;
  readonly leadership: Leadership;
  readonly renewals: Renewals;
  readonly slicer: Slicer;
  readonly caughtUp: () => Promise<Failure | undefined>;
  readonly sentSnapshots: SentSnapshots;
  readonly receivedSnapshots: ReceivedSnapshots;
  readonly promote: (learner: bigint) => Promise<PeerReply<string>>;
  readonly wake: () => void;
}

/** What peers may ask of this member, and tell it. */
export class Inbox implements PeerInbox {
  readonly ids: { readonly clusterId: bigint; readonly memberId: bigint };
  readonly #parts: () => InboxParts;

  /** The parts are asked for when the first peer calls: the links are made before some of them. */
  constructor(ids: Inbox["ids"], parts: () => InboxParts) {
    this.ids = ids;
    this.#parts = parts;
  }

  receive(message: Message): void {
    // They come with a page file, or not at all.
    if (message.type === MESSAGE_TYPE.snap) return;
    const { replica, wake } = this.#parts();
    if (replica.receive(message)) wake();
  }

  isRemoved(id: bigint): boolean {
    return this.#parts().state.members.isRemoved(id);
  }

  reportUnreachable(id: bigint): void {
    const { node, wake } = this.#parts();
    node.reportUnreachable(id);
    wake();
  }

  reportGone(id: bigint): void {
    this.reportUnreachable(id);
    this.#parts().leadership.gone(id);
  }

  reportSnapshot(id: bigint, isOk: boolean): void {
    const { node, sentSnapshots, wake } = this.#parts();
    sentSnapshots.sent(id, isOk);
    node.reportSnapshot(id, isOk ? "finished" : "failed");
    wake();
  }

  receiveSnapshot(message: Message): SnapshotSink | Failure {
    return this.#parts().receivedSnapshots.receive(message);
  }

  membersJson(): string {
    return membersToJson(this.#parts().state.members.list());
  }

  version(): PeerVersion {
    const { version, storageVersion } = this.#parts().state.members;
    return {
      server: SERVER_VERSION,
      cluster: version === "" ? "not_decided" : version,
      storage: storageVersion,
    };
  }

  async isDowngradeEnabled(): Promise<PeerReply<boolean>> {
    const { state, caughtUp } = this.#parts();
    const failure = await caughtUp();
    if (failure !== undefined) return { kind: "refused", failure };
    return { kind: "value", value: state.members.downgrade.enabled };
  }

  async hashKv(revision: number): Promise<PeerReply<PeerHash>> {
    const { state, slicer } = this.#parts();
    const found = await slicer.run(state.store.comparableHash(revision));
    if (typeof found === "string") return { kind: "refused", failure: fail(found) };
    return { kind: "value", value: { ...found, revision: state.store.currentRevision } };
  }

  promote(learner: bigint): Promise<PeerReply<string>> {
    return this.#parts().promote(learner);
  }

  renewLease(lease: bigint): Promise<PeerReply<number>> {
    return this.#parts().renewals.answerRenewal(lease);
  }

  timeToLive({ lease, keys }: { lease: bigint; keys: boolean }): Promise<PeerReply<PeerLease>> {
    return this.#parts().renewals.answerTimeToLive(lease, keys);
  }
}
