/** A member without a store: raft over memory, on the real transport. */
import { createHash, type Hash } from "node:crypto";
import { once } from "node:events";
import type { Server } from "node:http";
import { memberFromJson, SERVER_VERSION } from "../../src/cluster/index.ts";
import type { SnapshotSink } from "../../src/member/index.ts";
import { createPeerServer, Transport } from "../../src/peer/index.ts";
import { FakeInbox, KeptLines, transportOptions } from "../../src/peer/testing.ts";
import type { Message } from "../../src/proto/index.ts";
import {
  CONF_CHANGE_TYPE,
  type ConfChange,
  decodeConfChange,
  ENTRY_TYPE,
  type Entry,
  MemoryStorage,
  RawNode,
  type Ready,
} from "../../src/raft/index.ts";

const TICK_MS = 100;

export interface ScriptedOptions {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly port: number;
  /** The members that are there already. */
  readonly peers: readonly { readonly id: bigint; readonly urls: readonly string[] }[];
}

class Inbox extends FakeInbox {
  readonly #member: ScriptedMember;

  constructor(member: ScriptedMember, ids: FakeInbox["ids"]) {
    super(ids);
    this.#member = member;
  }

  override receive(m: Message): void {
    this.#member.step(m);
  }

  override reportUnreachable(id: bigint): void {
    this.#member.node.reportUnreachable(id);
    this.#member.wake();
  }

  override receiveSnapshot(m?: Message): SnapshotSink {
    return this.#member.receiveSnapshot(m!);
  }
}

export class ScriptedMember {
  readonly node: RawNode;
  readonly storage = new MemoryStorage();
  readonly inbox: Inbox;
  readonly transport: Transport;
  readonly lines = new KeptLines();
  readonly server: Server;
  applied = 0;
  entries = 0;
  bytes = 0;
  removed = false;
  /** Page files received: index, size, digest. */
  readonly snapshots: { index: number; size: number; sha256: string; first: Buffer }[] = [];
  readonly #port: number;
  readonly #ticker: NodeJS.Timeout;
  #isAwake = false;

  constructor({ memberId, clusterId, port, peers }: ScriptedOptions) {
    this.#port = port;
    this.node = new RawNode({
      id: memberId,
      electionTicks: 10,
      heartbeatTicks: 1,
      storage: this.storage,
      random: (bound) => Math.floor(Math.random() * bound),
      messageBytesMax: 1024 * 1024,
      inflightMessagesMax: 512,
      checkQuorum: true,
      preVote: true,
    });
    this.inbox = new Inbox(this, { memberId, clusterId });
    const options = transportOptions([`http://127.0.0.1:${port}`], {
      version: SERVER_VERSION,
      lines: this.lines,
      onRemoved: () => (this.removed = true),
    });
    this.transport = new Transport(options, this.inbox);
    for (const { id, urls } of peers) this.transport.setPeer(id, urls);
    this.server = createPeerServer(Promise.resolve(this.transport));
    this.#ticker = setInterval(() => {
      this.node.tick();
      this.wake();
    }, TICK_MS);
  }

  async listen(): Promise<void> {
    this.server.listen(this.#port, "127.0.0.1");
    await once(this.server, "listening");
  }

  step(m: Message): void {
    this.node.step(m);
    this.wake();
  }

  wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    setImmediate(() => {
      this.#isAwake = false;
      while (this.node.hasReady) this.#turn(this.node.ready());
    });
  }

  #turn(ready: Ready): void {
    this.transport.send(ready.messages);
    if (ready.snapshot !== undefined) {
      this.storage.applySnapshot(ready.snapshot);
      this.applied = ready.snapshot.meta.index;
    }
    if (ready.hardState !== undefined) this.storage.setHardState(ready.hardState);
    this.storage.append(ready.entries);
    this.transport.send(ready.messagesAfterAppend);
    for (const entry of ready.committed) this.#apply(entry);
    this.node.advance();
  }

  #apply(entry: Entry): void {
    this.applied = entry.index;
    this.entries++;
    this.bytes += entry.data.length;
    if (entry.type !== ENTRY_TYPE.confChange) return;
    const change = decodeConfChange(entry.data);
    this.node.applyConfChange(change);
    this.#connect(change);
  }

  #connect({ type, nodeId, context }: ConfChange): void {
    if (type === CONF_CHANGE_TYPE.removeNode) {
      this.inbox.removed.add(nodeId);
      this.transport.removePeer(nodeId);
      return;
    }
    const { peerUrls } = memberFromJson(new TextDecoder().decode(context));
    if (peerUrls.length > 0) this.transport.setPeer(nodeId, peerUrls);
  }

  receiveSnapshot(m: Message): SnapshotSink {
    const hash: Hash = createHash("sha256");
    const begin: Buffer[] = [];
    let size = 0;
    return {
      write: (bytes) => {
        if (size < 8192) begin.push(Buffer.from(bytes.subarray(0, 8192 - size)));
        size += bytes.length;
        hash.update(bytes);
        return Promise.resolve();
      },
      finish: () => {
        const { index } = m.snapshot!.meta;
        const first = Buffer.concat(begin);
        this.snapshots.push({ index, size, sha256: hash.digest("hex"), first });
        this.step(m);
        return Promise.resolve();
      },
      abort: () => Promise.resolve(),
    };
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticker);
    this.server.close();
    await this.transport.stop();
    this.server.closeAllConnections();
  }
}
