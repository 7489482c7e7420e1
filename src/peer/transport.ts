import type { Agent } from "node:http";
import type { Socket } from "node:net";
import type {
  NetworkPort,
  PeerHash,
  PeerInbox,
  PeerLease,
  PeerReply,
  PeerVersion,
  SnapshotImage,
} from "../member/index.ts";
import type { Message } from "../proto/index.ts";
import { newAgent } from "./call.ts";
import * as calls from "./calls.ts";
import { targetOf } from "./dial.ts";
import { EntryBlock, type StreamKind } from "./encoders.ts";
import { hex, type Local, PeerStatus, type TransportOptions, UrlPicker } from "./local.ts";
import { Meters } from "./meters.ts";
import { Peer } from "./peer.ts";
import { Pipeline } from "./pipeline.ts";

/** Members that spoke to this one, and that it does not know yet. */
const STRANGERS_MAX = 64;
/** How long what is queued may take to leave when all ends. */
const STOP_MS = 200;

/** Links to all other members, and what their requests are answered from. */
export class Transport implements NetworkPort {
  readonly local: Local;
  readonly #peers = new Map<bigint, Peer>();
  /** A member that lags behind hears from those that it does not know, and answers them. */
  readonly #strangers = new Map<bigint, Pipeline>();
  readonly #agent: Agent;
  #isStopped = false;

  constructor(options: TransportOptions, inbox: PeerInbox) {
    this.#agent = newAgent(options.identity);
    this.local = {
      ...options,
      ...inbox.ids,
      inbox,
      meters: new Meters(),
      block: new EntryBlock(),
    };
  }

  get meters(): Meters {
    return this.local.meters;
  }

  send(messages: readonly Message[]): void {
    const sentTo = new Set<Peer>();
    for (const m of messages) {
      const peer = this.#peers.get(m.to);
      if (peer !== undefined) {
        peer.send(m);
        sentTo.add(peer);
      } else if (this.#strangers.get(m.to)?.send(m) === false) {
        this.meters.sendFailures.add(m.to);
      }
    }
    for (const peer of sentTo) peer.flush();
    this.local.block.forget();
  }

  sendSnapshot(message: Message, image: SnapshotImage): void {
    const peer = this.#peers.get(message.to);
    if (peer !== undefined) {
      peer.sendSnapshot(message, image);
      return;
    }
    image.close();
    this.local.inbox.reportSnapshot(message.to, false);
  }

  setPeer(id: bigint, urls: readonly string[]): void {
    if (this.#isStopped || id === this.local.memberId) return;
    const peer = this.#peers.get(id);
    if (peer !== undefined) {
      if (urls.join() !== peer.urls.join()) this.#update(id, peer, urls);
      return;
    }
    this.#dropStranger(id);
    this.#peers.set(id, new Peer(this.local, { id, urls }, (m) => this.deliver(m)));
    this.#log("added remote peer", { "remote-peer-id": hex(id), "remote-peer-urls": urls });
  }

  #update(id: bigint, peer: Peer, urls: readonly string[]): void {
    peer.update(urls);
    const facts = { "updated-remote-peer-id": hex(id), "updated-remote-peer-urls": urls };
    this.#log("updated remote peer", facts);
  }

  removePeer(id: bigint): void {
    this.#dropStranger(id);
    const peer = this.#peers.get(id);
    this.#peers.delete(id);
    peer?.stop();
    if (peer !== undefined) this.#log("removed remote peer", { "removed-remote-peer-id": hex(id) });
  }

  activeSince(id: bigint): number | undefined {
    return this.#peers.get(id)?.activeSince;
  }

  /**
   * Somebody who says where he can be reached. Throws when those are no URLs; then nothing he says
   * is worth an answer.
   */
  meet(id: bigint, urls: readonly string[]): void {
    if (this.#isStopped || this.#peers.has(id) || this.#strangers.has(id)) return;
    for (const url of urls) targetOf(url);
    if (this.#strangers.size >= STRANGERS_MAX) return;
    const status = new PeerStatus(this.local, id);
    const remote = { id, urls: new UrlPicker(urls), status };
    this.#strangers.set(id, new Pipeline(this.local, remote, () => this.#agent));
    this.#log("added new remote peer", { "remote-peer-id": hex(id), "remote-peer-urls": urls });
  }

  isPeer(id: bigint): boolean {
    return this.#peers.has(id);
  }

  /** A stream that a peer has opened. */
  attach(id: bigint, kind: StreamKind, socket: Socket): void {
    const peer = this.#peers.get(id);
    if (peer === undefined || this.#isStopped) socket.destroy();
    else peer.attach(kind, socket);
  }

  /** Hands a message to the member. A text: why not. */
  deliver(m: Message): string | undefined {
    const refusal = this.refusalOf(m);
    if (refusal === undefined) this.local.inbox.receive(m);
    return refusal;
  }

  /** Why a message is not for this member, or its sender not one any more. */
  refusalOf(m: Message): string | undefined {
    const { inbox, memberId, lines } = this.local;
    const isRemoved = inbox.isRemoved(m.from);
    if (!isRemoved && m.to === memberId) return undefined;
    const what = isRemoved ? "from removed member" : "to mismatch member";
    const facts = { "local-member-id": hex(memberId), from: hex(m.from), to: hex(m.to) };
    lines.warn(`rejected Raft message ${what}`, facts);
    return `cannot process message ${what}`;
  }

  hashKv(peer: bigint, revision: number): Promise<PeerReply<PeerHash>> {
    return calls.hashKv(this.#way(peer), revision);
  }

  promote(peer: bigint, learner: bigint): Promise<PeerReply<string>> {
    return calls.promote(this.#way(peer), learner);
  }

  renewLease(peer: bigint, lease: bigint, timeoutMs: number): Promise<PeerReply<number>> {
    return calls.renewLease({ ...this.#way(peer), timeoutMs }, lease);
  }

  timeToLive(
    peer: bigint,
    query: { readonly lease: bigint; readonly keys: boolean },
    timeoutMs: number,
  ): Promise<PeerReply<PeerLease>> {
    return calls.timeToLive({ ...this.#way(peer), timeoutMs }, query);
  }

  version(peer: bigint): Promise<PeerReply<PeerVersion>> {
    const failed = calls.notReachedLines(this.local.lines, peer);
    return calls.version({ ...this.#way(peer), failed });
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const peers = [...this.#peers.values()];
    for (const peer of peers) peer.flush();
    for (const peer of peers) peer.stop();
    for (const id of this.#strangers.keys()) this.#dropStranger(id);
    this.#peers.clear();
    if (peers.length > 0) await new Promise((resolve) => setTimeout(resolve, STOP_MS));
    this.#agent.destroy();
  }

  #way(id: bigint) {
    const { dialTimeoutMs, requestTimeoutMs, clusterId, identity } = this.local;
    return {
      identity,
      urls: this.#peers.get(id)?.urls ?? [],
      agent: this.#agent,
      clusterId,
      dialTimeoutMs,
      timeoutMs: requestTimeoutMs,
    };
  }

  #dropStranger(id: bigint): void {
    this.#strangers.get(id)?.stop();
    this.#strangers.delete(id);
  }

  #log(message: string, facts: object): void {
    this.local.lines.info(message, { "local-member-id": hex(this.local.memberId), ...facts });
  }
}
