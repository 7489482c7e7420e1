import type { Agent, ClientRequest } from "node:http";
import type { SnapshotImage } from "../member/index.ts";
import { type Message, Writer } from "../proto/index.ts";
import { begin, readReply, type Reply } from "./call.ts";
import { writeFramedMessage } from "./encoders.ts";
import { identityFields } from "./identity.ts";
import { hex, type Local, reasonOf, type Remote } from "./local.ts";
import { checkPosted } from "./post.ts";

/** A snapshot is read and sent in pieces, each in a turn of its own. */
const PIECE_BYTES = 256 * 1024;
/** Faster than that it would take the processor from those who wait for answers. */
const BYTES_PER_MS_MAX = 128 * 1024;
/** From the head of the answer to its end (etcd: `snapResponseReadTimeout`). */
const REPLY_TIMEOUT_MS = 5000;
const REPLY_BYTES_MAX = 64 * 1024;

/** Uploads page files to a peer: the message, then the bytes of the file. */
export class SnapshotSender {
  readonly #local: Local;
  readonly #remote: Remote;
  readonly #agent: () => Agent;
  readonly #stop = new AbortController();

  constructor(local: Local, remote: Remote, agent: () => Agent) {
    this.#local = local;
    this.#remote = remote;
    this.#agent = agent;
  }

  /** Tells the inbox how it went, once, and closes the image. */
  async send(m: Message, image: SnapshotImage): Promise<void> {
    const { lines, meters, inbox } = this.#local;
    const { id, status, urls } = this.#remote;
    const facts = {
      "snapshot-index": m.snapshot!.meta.index,
      "remote-peer-id": hex(id),
      bytes: image.sizeBytes,
    };
    lines.info("sending database snapshot", facts);
    meters.snapshotsSending.add(id);
    const begun = performance.now();
    const url = urls.pick();
    const failure = await this.#post(url, m, image).catch(reasonOf);
    image.close();
    meters.snapshotsSending.add(id, -1);
    if (failure === undefined) {
      status.activate();
      inbox.reportSnapshot(id, true);
      lines.info("sent database snapshot", facts);
      meters.sentBytes.add(id, image.sizeBytes);
      meters.snapshotsSent.add(id);
      meters.snapshotSendSeconds.observe(id, (performance.now() - begun) / 1000);
      return;
    }
    lines.warn("failed to send database snapshot", { ...facts, error: failure });
    urls.failed(url);
    status.deactivate("sendMsgSnap", "post", failure);
    inbox.reportUnreachable(id);
    inbox.reportSnapshot(id, false);
    meters.sendFailures.add(id);
    meters.snapshotSendFailures.add(id);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #post(url: string, m: Message, image: SnapshotImage): Promise<string | undefined> {
    const request = begin({
      url,
      method: "POST",
      path: "/raft/snapshot",
      fields: { "Content-Type": "application/octet-stream", ...identityFields(this.#local) },
      agent: this.#agent(),
      identity: this.#local.identity,
      dialTimeoutMs: this.#local.dialTimeoutMs,
      signal: this.#stop.signal,
    });
    const answer = replyTo(request);
    try {
      await upload(request, answer, m, image);
      return checkPosted(this.#local, this.#remote, await answer);
    } finally {
      if (!request.writableEnded) request.destroy();
    }
  }
}

async function upload(
  request: ClientRequest,
  answer: Promise<Reply>,
  m: Message,
  image: SnapshotImage,
): Promise<void> {
  // An answer that comes early is a refusal, and the rest of the file of no use.
  let isAnswered = false;
  const answered = answer.then(
    () => (isAnswered = true),
    () => (isAnswered = true),
  );
  const closed = new Promise<void>((resolve) => {
    request.once("close", resolve);
  });
  // Two pieces in turn: while one leaves, the next is read.
  const pieces = [new Uint8Array(PIECE_BYTES), new Uint8Array(PIECE_BYTES)];
  const left: Promise<unknown>[] = [];
  const head = new Writer(4096);
  writeFramedMessage(head, m);
  request.write(head.copy());
  const begun = performance.now();
  for (let offset = 0; offset < image.sizeBytes && !isAnswered; offset += PIECE_BYTES) {
    const which = (offset / PIECE_BYTES) % 2;
    await Promise.race([left[which], closed, answered]);
    const piece = pieces[which]!.subarray(0, image.sizeBytes - offset);
    await image.read(offset, piece);
    left[which] = written(request, piece);
    await rest(begun + offset / BYTES_PER_MS_MAX - performance.now());
  }
  if (!isAnswered) request.end();
}

function replyTo(request: ClientRequest): Promise<Reply> {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("close", () => reject(new Error("connection closed")));
    request.on("response", (response) => {
      const timer = setTimeout(() => response.destroy(new Error("i/o timeout")), REPLY_TIMEOUT_MS);
      readReply(response, REPLY_BYTES_MAX, (reply) => {
        clearTimeout(timer);
        if (reply instanceof Error) reject(reply);
        else resolve(reply);
      });
    });
  });
}

/** Resolves when the bytes may be used again. */
function written(request: ClientRequest, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    request.write(bytes, () => resolve());
  });
}

/** At least until the next turn. */
function rest(ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms >= 1) setTimeout(resolve, ms);
    else setImmediate(resolve);
  });
}
