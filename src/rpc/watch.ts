import { allocBytes, textToBytes } from "../base/index.ts";
import { codeName, type ServerCall } from "../grpc/index.ts";
import type {
  EventBatch,
  Watcher,
  WatchHub,
  WatchRefusal,
  WatchSink,
  WatchStream,
} from "../mvcc/index.ts";
import {
  decodeWatchRequest,
  type Failure,
  fail,
  FRAGMENT_FIELD,
  HeaderWriter,
  type WatchControl,
  type WatchCreateRequest,
  Writer,
  writeWatchControl,
} from "../proto/index.ts";

/** What the service needs from around it. */
export interface WatchPorts {
  readonly hub: WatchHub;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly raftTerm: () => number;
  /** Why the caller may not read that range, asked once for each watch. */
  readonly permit: (call: ServerCall, key: Uint8Array, rangeEnd: Uint8Array) => Failure | undefined;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Time between the notices that idle watchers get. */
  readonly progressIntervalMs: number;
  /** The size at which responses of watches with `fragment` are split. */
  readonly fragmentBytes: number;
}

/** Shorter intervals are raised to this. */
const PROGRESS_INTERVAL_MS_MIN = 100;
/** Part of the interval that is added by chance, so that watches made together part company. */
const PROGRESS_JITTER = 0.1;
/** Responses up to this size are put together in one reused array. */
const SCRATCH_BYTES = 64 * 1024;
/** A client that makes requests but reads no replies is cut off once so much waits for it. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;
/** The least key there can be, which an empty one stands for. */
const FIRST_KEY = Uint8Array.of(0);
/** The id in responses that concern no watch. */
const NO_WATCH_ID = -1n;

const REFUSALS: Record<WatchRefusal, string> = {
  "empty range": "mvcc: watcher range is empty",
  "duplicate id": "mvcc: duplicate watch ID provided on the WatchStream",
};

/** etcdserverpb.Watch: many watches on each call, told by the hub. */
export class WatchService {
  readonly ports: WatchPorts;
  readonly #streams = new Set<StreamCall>();
  readonly #writer = new Writer();
  readonly #headers: HeaderWriter;
  readonly #scratch = allocBytes(SCRATCH_BYTES);
  /** The header that was made last, which serves all watchers of one event. */
  #header = { revision: -1, raftTerm: -1, bytes: allocBytes(0) };

  constructor(ports: WatchPorts) {
    this.ports = ports;
    this.#headers = new HeaderWriter(ports.clusterId, ports.memberId, this.#writer);
  }

  /** Serves a call from its head on. */
  serve(call: ServerCall): void {
    const stream = new StreamCall(this, call, () => this.#streams.delete(stream));
    this.#streams.add(stream);
  }

  /** Gives the periodic notices that are due. Call several times within an interval. */
  tick(nowMs: number): void {
    for (const stream of this.#streams) stream.tick(nowMs);
  }

  /** Ends the calls that are meant, as when the server stops or has no leader any more. */
  end(failure: Failure, isMeant: (call: ServerCall) => boolean = () => true): void {
    for (const stream of this.#streams) if (isMeant(stream.call)) stream.end(failure);
  }

  /** Time between two notices of a stream. */
  progressPeriodMs(): number {
    const intervalMs = Math.max(this.ports.progressIntervalMs, PROGRESS_INTERVAL_MS_MIN);
    return intervalMs * (1 + PROGRESS_JITTER * this.ports.random());
  }

  /** The header field of a response. Valid until the next call. */
  header(revision: number): Uint8Array {
    const raftTerm = this.ports.raftTerm();
    const last = this.#header;
    if (last.revision === revision && last.raftTerm === raftTerm) return last.bytes;
    this.#writer.reset();
    this.#headers.write(this.#writer, revision, raftTerm);
    this.#header = { revision, raftTerm, bytes: this.#writer.copy() };
    return this.#header.bytes;
  }

  /** A response without events. Valid until the next call. */
  control(revision: number, control: WatchControl): Uint8Array {
    const w = this.#writer;
    w.reset();
    this.#headers.write(w, revision, this.ports.raftTerm());
    writeWatchControl(w, control);
    return w.view();
  }

  /** Sends the parts back to back as one message. False when the call has no room for more. */
  send(call: ServerCall, parts: readonly Uint8Array[], byteLength: number): boolean {
    const isSmall = byteLength <= SCRATCH_BYTES;
    const message = isSmall ? this.#scratch : allocBytes(byteLength);
    let at = 0;
    for (const part of parts) {
      message.set(part, at);
      at += part.length;
    }
    return isSmall ? call.send(message.subarray(0, at)) : call.send(message, "owned");
  }
}

/** One call of `Watch`. */
class StreamCall implements WatchSink {
  readonly call: ServerCall;
  readonly #service: WatchService;
  readonly #hub: WatchHub;
  readonly #stream: WatchStream;
  readonly #onClose: () => void;
  #isClosed = false;
  readonly #periodMs: number;
  #noticeAtMs: number | undefined;

  constructor(service: WatchService, call: ServerCall, onClose: () => void) {
    this.call = call;
    this.#service = service;
    this.#hub = service.ports.hub;
    this.#stream = this.#hub.open(this);
    this.#onClose = onClose;
    this.#periodMs = service.progressPeriodMs();
    // The client closing its half does not end the call: its watches go on.
    call.onMessage = (message) => this.#receive(message);
    call.onDrain = () => this.#stream.drained();
    call.onCancel = () => this.#close();
  }

  tick(nowMs: number): void {
    this.#noticeAtMs ??= nowMs + this.#periodMs;
    if (nowMs < this.#noticeAtMs) return;
    this.#noticeAtMs = nowMs + this.#periodMs;
    this.#stream.noticeIdle();
  }

  end(failure: Failure): void {
    this.#close();
    this.call.end(failure);
  }

  // --- WatchSink -------------------------------------------------------------------------------

  events(watcher: Watcher, revision: number, batch: EventBatch): boolean {
    const header = this.#service.header(revision);
    const byteLength = header.length + watcher.idField.length + batch.byteLength;
    const { fields } = batch;
    const isSplit = watcher.fragment && byteLength >= this.#service.ports.fragmentBytes;
    if (isSplit && fields.length > 1) return this.#sendFragments(header, watcher, fields);
    return this.#sendParts([header, watcher.idField, ...fields], byteLength);
  }

  compacted(watcher: Watcher, compactRevision: number): boolean {
    return this.#sendControl(0, { watchId: watcher.id, canceled: true, compactRevision });
  }

  progress(watcher: Watcher | undefined, revision: number): boolean {
    return this.#sendControl(revision, { watchId: watcher?.id ?? NO_WATCH_ID });
  }

  // --- Requests --------------------------------------------------------------------------------

  #receive(message: Uint8Array): void {
    const request = this.#decode(message);
    switch (request.kind) {
      case "create":
        return this.#create(request.create);
      case "cancel":
        if (this.#stream.cancel(request.watchId)) {
          this.#reply({ watchId: request.watchId, canceled: true });
        }
        return;
      case "progress":
        return this.#stream.requestProgress();
      case "none":
    }
  }

  /** A message that is none is left to the caller to answer, but the call is over with it. */
  #decode(message: Uint8Array) {
    try {
      return decodeWatchRequest(message);
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  #create(asked: WatchCreateRequest): void {
    const request = asked.key.length === 0 ? { ...asked, key: FIRST_KEY } : asked;
    const failure = this.#refuse(request);
    if (failure !== undefined) return this.#replyRefused(failure);
    const made = this.#stream.create(request);
    if (typeof made === "string") return this.#replyRefused(REFUSALS[made]);
    this.#reply({ watchId: made.id, created: true });
  }

  #refuse({ startRevision, key, rangeEnd }: WatchCreateRequest): string | undefined {
    // etcd #20707: a watch from a negative revision would never come to its start.
    if (startRevision < 0) return fail("compacted").message;
    const failure = this.#service.ports.permit(this.call, key, rangeEnd);
    if (failure === undefined) return undefined;
    return `rpc error: code = ${codeName(failure.code)} desc = ${failure.message}`;
  }

  #replyRefused(reason: string): void {
    const cancelReason = textToBytes(reason);
    this.#reply({ watchId: NO_WATCH_ID, created: true, canceled: true, cancelReason });
  }

  /** Replies are sent whether there is room or not: their number is the client's choice. */
  #reply(control: WatchControl): void {
    this.#sendControl(this.#hub.revision, control);
    if (this.call.bufferedBytes > UNREAD_BYTES_MAX) this.end(fail("tooManyRequests"));
  }

  // --- Responses -------------------------------------------------------------------------------

  #sendControl(revision: number, control: WatchControl): boolean {
    return this.#sent(this.call.send(this.#service.control(revision, control)));
  }

  #sendParts(parts: readonly Uint8Array[], byteLength: number): boolean {
    return this.#sent(this.#service.send(this.call, parts, byteLength));
  }

  /** Packs greedily: every fragment but the last has as many events as stay below the limit. */
  #sendFragments(header: Uint8Array, watcher: Watcher, fields: readonly Uint8Array[]): boolean {
    const head = [header, watcher.idField, FRAGMENT_FIELD];
    const headBytes = head.reduce((sum, part) => sum + part.length, 0);
    const limit = this.#service.ports.fragmentBytes;
    let parts = [...head];
    let bytes = headBytes;
    for (const field of fields) {
      if (parts.length > head.length && bytes + field.length >= limit) {
        this.#sendParts(parts, bytes);
        parts = [...head];
        bytes = headBytes;
      }
      parts.push(field);
      bytes += field.length;
    }
    parts.splice(head.indexOf(FRAGMENT_FIELD), 1);
    return this.#sendParts(parts, bytes - FRAGMENT_FIELD.length);
  }

  /** Passes on whether there is room. A call that ended in the meantime is noticed here. */
  #sent(hasRoom: boolean): boolean {
    if (!this.call.isOpen) this.#close();
    return hasRoom;
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stream.close();
    this.#onClose();
  }
}

/** The row of the methods table. */
export function watch(service: { readonly watches: WatchService }, call: ServerCall): void {
  service.watches.serve(call);
}
