import { bytesToText } from "../base/index.ts";
import type { Message } from "../proto/index.ts";
import { compareMajorMinor, INCOMPATIBLE, WRONG_CLUSTER } from "./compatibility.ts";
import { type Decoder, MessageDecoder, MsgAppDecoder } from "./decoders.ts";
import { type Connection, dial, isRefused, targetOf } from "./dial.ts";
import { STREAM_NAMES, type StreamKind } from "./encoders.ts";
import { identityFields } from "./identity.ts";
import { hex, type Local, reasonOf, type Remote, REMOVED } from "./local.ts";
import { type ResponseHead, ResponseParser } from "./response-parser.ts";

/** Attempts to open a stream begin so far apart (etcd: `DialRetryFrequency`). */
const RETRY_MS = 100;
/** Of a refusal's text no more is read. */
const REFUSAL_BYTES_MAX = 4096;
/** The first version whose servers have both kinds of stream. */
const STREAMS_SINCE = "2.1.0";

export interface StreamReaderEvents {
  message(m: Message, bytes: number): void;
  connected(): void;
  /** The stream ended because nothing has come over it for the time of a read. */
  silent(): void;
  /** Nobody listens at an URL of the peer. */
  refused(): void;
}

/** The reading end of a stream: a GET to the peer, again and again, of which the response is read. */
export class StreamReader {
  readonly #local: Local;
  readonly #remote: Remote;
  readonly #kind: StreamKind;
  readonly #events: StreamReaderEvents;
  readonly #stop = new AbortController();
  #isConnected = false;

  constructor(local: Local, remote: Remote, kind: StreamKind, events: StreamReaderEvents) {
    this.#local = local;
    this.#remote = remote;
    this.#kind = kind;
    this.#events = events;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  start(): void {
    this.#log("info", "started stream reader with remote peer");
    void this.#run();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const begun = performance.now();
      await this.#attempt();
      if (!signal.aborted) await pause(begun + RETRY_MS - performance.now(), signal);
    }
    this.#log("info", "stopped stream reader with remote peer");
  }

  /** Opens the stream and reads it until it ends. */
  async #attempt(): Promise<void> {
    const { urls, status } = this.#remote;
    const url = urls.pick();
    const source = STREAM_NAMES[this.#kind];
    let stream: Stream;
    try {
      stream = await this.#open(url);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      urls.failed(url);
      if (error !== UNSUPPORTED) status.deactivate(source, "dial", reasonOf(error));
      if (isRefused(error)) this.#events.refused();
      return;
    }
    this.#isConnected = true;
    status.activate();
    this.#events.connected();
    this.#log("info", "established TCP streaming connection with remote peer");
    const reason = await stream.ended;
    this.#isConnected = false;
    if (this.#stop.signal.aborted) return;
    this.#log("warn", "lost TCP streaming connection with remote peer", { error: reason });
    if (reason !== END) status.deactivate(source, "read", reason);
    if (reason === SILENCE) this.#events.silent();
  }

  async #open(url: string): Promise<Stream> {
    const { memberId, dialTimeoutMs, readTimeoutMs, identity } = this.#local;
    const target = targetOf(url);
    const connection = await dial(
      target,
      { identity, timeoutMs: dialTimeoutMs },
      this.#stop.signal,
    );
    const fields = { ...identityFields(this.#local), "X-Raft-To": hex(this.#remote.id) };
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    const path = `/raft/stream/${this.#kind}/${hex(memberId)}`;
    const stream = new Stream(connection, this.#newDecoder(), this.#events, {
      signal: this.#stop.signal,
      timeoutMs: readTimeoutMs,
    });
    connection.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${target.host}\r\n${lines.join("")}\r\n`,
    );
    const { status, fields: found } = await stream.head;
    const version = found.get("x-server-version") ?? "2.0.0";
    if (
      compareMajorMinor(version, this.#local.version) < 0 &&
      compareMajorMinor(version, STREAMS_SINCE) < 0
    ) {
      connection.socket.destroy();
      throw UNSUPPORTED;
    }
    if (status !== 200) await this.#refuse(status, found, stream);
    return stream;
  }

  async #refuse(
    status: number,
    fields: ResponseHead["fields"],
    { refusal }: Stream,
  ): Promise<never> {
    const text = (await refusal).replace(/\n$/, "");
    const { id } = this.#remote;
    const { memberId, clusterId, onRemoved } = this.#local;
    if (status === 410) {
      onRemoved(REMOVED);
      throw new Error(REMOVED);
    }
    if (status === 404)
      throw new Error(`peer ${hex(id)} failed to find local node ${hex(memberId)}`);
    if (status !== 412) throw new Error(`unhandled http status ${status}`);
    if (text === INCOMPATIBLE) {
      const why = "request sent was ignored by remote peer due to server version incompatibility";
      this.#log("warn", why, { error: text });
    } else if (text === WRONG_CLUSTER) {
      this.#log("warn", "request sent was ignored by remote peer due to cluster ID mismatch", {
        "remote-peer-cluster-id": fields.get("x-etcd-cluster-id") ?? "",
        "local-member-cluster-id": hex(clusterId),
        error: text,
      });
    } else throw new Error(`unhandled error ${JSON.stringify(text)} when precondition failed`);
    throw new Error(text);
  }

  #newDecoder(): Decoder {
    if (this.#kind === "message") return new MessageDecoder();
    return new MsgAppDecoder({ local: this.#local.memberId, remote: this.#remote.id });
  }

  #log(level: "info" | "warn", message: string, more: object = {}): void {
    this.#local.lines[level](message, {
      "stream-reader-type": STREAM_NAMES[this.#kind],
      "local-member-id": hex(this.#local.memberId),
      "remote-peer-id": hex(this.#remote.id),
      ...more,
    });
  }
}

const UNSUPPORTED = new Error("unsupported stream type");
const END = "EOF";
const SILENCE = "i/o timeout";

/** One connection: its response's head, then messages, or the text of a refusal. */
class Stream {
  readonly head: Promise<ResponseHead>;
  /** What the response of a refusal says. */
  readonly refusal: Promise<string>;
  /** Why there is no more to read. */
  readonly ended: Promise<string>;
  readonly #decoder: Decoder;
  readonly #events: StreamReaderEvents;
  readonly #connection: Connection;
  #isOpen = false;
  #text = "";
  #reason = END;

  constructor(
    connection: Connection,
    decoder: Decoder,
    events: StreamReaderEvents,
    { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ) {
    this.#connection = connection;
    this.#decoder = decoder;
    this.#events = events;
    const { socket } = connection;
    const stop = (): void => this.#fail("stream reader is stopped");
    signal.addEventListener("abort", stop);
    socket.setTimeout(timeoutMs, () => this.#fail(SILENCE));
    socket.on("error", (error) => this.#fail(error.message));
    socket.on("end", () => socket.destroy());
    this.ended = new Promise((resolve) => {
      socket.on("close", () => {
        signal.removeEventListener("abort", stop);
        resolve(this.#reason);
      });
    });
    const head = Promise.withResolvers<ResponseHead>();
    const body = Promise.withResolvers<void>();
    this.head = head.promise;
    this.head.catch(() => {});
    this.refusal = Promise.race([body.promise, this.ended]).then(() => {
      socket.destroy();
      return this.#text;
    });
    void this.ended.then((reason) => head.reject(new Error(reason)));
    const parser = new ResponseParser({
      head: (found) => {
        this.#isOpen = found.status === 200;
        head.resolve(found);
      },
      body: (bytes) => this.#body(bytes),
      end: () => (this.#isOpen ? socket.destroy() : body.resolve()),
    });
    connection.onBytes = (bytes) => {
      try {
        parser.feed(bytes);
      } catch (error) {
        this.#fail(reasonOf(error));
      }
    };
  }

  #body(bytes: Uint8Array): void {
    if (this.#isOpen) this.#decoder.feed(bytes, (m, size) => this.#events.message(m, size));
    else if (this.#text.length < REFUSAL_BYTES_MAX) this.#text += bytesToText(bytes);
  }

  #fail(reason: string): void {
    const { socket } = this.#connection;
    if (socket.destroyed) return;
    this.#reason = reason;
    socket.destroy();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener("abort", done);
  });
}
