import type { Agent } from "node:http";
import { type Message, Writer, writeRaftMessage } from "../proto/index.ts";
import { call } from "./call.ts";
import { identityFields } from "./identity.ts";
import { hex, type Local, reasonOf, type Remote } from "./local.ts";
import { checkPosted } from "./post.ts";

/** Requests under way at a time (etcd: `connPerPipeline`). */
const REQUESTS_MAX = 4;
/** Messages that wait for one of them (etcd: `pipelineBufSize`). */
export const PIPELINE_MESSAGES_MAX = 64;
/** Their bytes. */
export const PIPELINE_BYTES_MAX = 16 * 1024 * 1024;
/** A peer that has not answered by then will not. etcd waits for TCP to find out. */
const POST_TIMEOUT_MS = 10_000;

/** What carries messages while there is no stream: a POST for each. */
export class Pipeline {
  readonly #local: Local;
  readonly #remote: Remote;
  readonly #agent: () => Agent;
  readonly #stop = new AbortController();
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #requests = 0;

  constructor(local: Local, remote: Remote, agent: () => Agent) {
    this.#local = local;
    this.#remote = remote;
    this.#agent = agent;
    this.#log("started HTTP pipelining with remote peer");
  }

  /** False: there is no room, and the message is not sent. */
  send(m: Message): boolean {
    const isFull =
      this.#waiting.length >= PIPELINE_MESSAGES_MAX || this.#waitingBytes >= PIPELINE_BYTES_MAX;
    if (isFull || this.#stop.signal.aborted) return false;
    const w = new Writer(256);
    writeRaftMessage(w, m);
    this.#waiting.push(w.copy());
    this.#waitingBytes += w.length;
    if (this.#requests < REQUESTS_MAX) void this.#work();
    return true;
  }

  stop(): void {
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#stop.abort();
    this.#log("stopped HTTP pipelining with remote peer");
  }

  async #work(): Promise<void> {
    this.#requests++;
    for (let body = this.#waiting.shift(); body !== undefined; body = this.#waiting.shift()) {
      this.#waitingBytes -= body.length;
      await this.#deliver(body);
    }
    this.#requests--;
  }

  async #deliver(body: Uint8Array): Promise<void> {
    const { id, status } = this.#remote;
    const { meters, inbox } = this.#local;
    const failure = await this.#post(body);
    if (this.#stop.signal.aborted) return;
    if (failure === undefined) {
      status.activate();
      meters.sentBytes.add(id, body.length);
      return;
    }
    status.deactivate("pipeline", "write", failure);
    inbox.reportUnreachable(id);
    meters.sendFailures.add(id);
  }

  async #post(body: Uint8Array): Promise<string | undefined> {
    const { urls } = this.#remote;
    const url = urls.pick();
    let failure: string | undefined;
    try {
      const reply = await call({
        url,
        method: "POST",
        path: "/raft",
        fields: { "Content-Type": "application/protobuf", ...identityFields(this.#local) },
        body,
        agent: this.#agent(),
        identity: this.#local.identity,
        dialTimeoutMs: this.#local.dialTimeoutMs,
        timeoutMs: POST_TIMEOUT_MS,
        signal: this.#stop.signal,
      });
      failure = checkPosted(this.#local, this.#remote, reply);
    } catch (error) {
      failure = reasonOf(error);
    }
    if (failure !== undefined) urls.failed(url);
    return failure;
  }

  #log(message: string): void {
    this.#local.lines.info(message, {
      "local-member-id": hex(this.#local.memberId),
      "remote-peer-id": hex(this.#remote.id),
    });
  }
}
