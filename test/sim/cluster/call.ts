import { concatBytes, copyBytes } from "../../../src/base/index.ts";
import { type Message, Metadata, type ServerCall } from "../../../src/grpc/index.ts";
import type { Clock } from "./clock.ts";
import type { Network } from "./network.ts";

/** Bytes that may wait for a client to read: little, so that watches fall behind. */
const ROOM_BYTES = 1500;

export interface Status {
  readonly code: number;
  readonly message: string;
}

/** What a client hears of a call. */
export interface CallEvents {
  message(bytes: Uint8Array): void;
  /** Once, as the last thing. */
  end(status: Status): void;
}

/** The life of a member, as its clients reach it. */
export interface Host {
  readonly name: string;
  readonly isAlive: boolean;
  serve(call: ServerCall): void;
  arrive(work: () => void): void;
  /** Calls that are to be told when this life ends. */
  readonly calls: Set<ClientCall>;
}

const UNAVAILABLE: Status = { code: 14, message: "the connection broke" };
const CANCELLED: Status = { code: 1, message: "cancelled" };

/**
 * One call, with both ends. What one end says arrives at the other in order, as long as the
 * connection holds; when it breaks each end hears of that, sooner or later.
 */
export class ClientCall implements ServerCall {
  readonly path: string;
  readonly metadata = new Metadata([["client-api-version", "3.7"]]);
  readonly deadlineMs = undefined;
  context: unknown;
  bufferedBytes = 0;
  onMessage: ServerCall["onMessage"] = () => {};
  onHalfClose: ServerCall["onHalfClose"] = () => {};
  onCancel: ServerCall["onCancel"] = () => {};
  onDrain: ServerCall["onDrain"] = () => {};
  readonly #clock: Clock;
  readonly #network: Network;
  readonly #client: string;
  readonly #host: Host;
  readonly #events: CallEvents;
  #isServerOpen = true;
  #isClientOpen = true;
  #isBroken = false;
  #isFull = false;
  #upAt = 0;
  #downAt = 0;
  /** Until then the client reads nothing. */
  #deafUntil = 0;

  constructor(options: {
    clock: Clock;
    network: Network;
    client: string;
    host: Host;
    path: string;
    events: CallEvents;
  }) {
    this.#clock = options.clock;
    this.#network = options.network;
    this.#client = options.client;
    this.#host = options.host;
    this.path = options.path;
    this.#events = options.events;
    this.#host.calls.add(this);
    this.#up(() => this.#host.serve(this));
  }

  // ---- the client's end

  write(bytes: Uint8Array): void {
    this.#up(() => {
      if (this.#isServerOpen) this.onMessage(copyBytes(bytes), this);
    });
  }

  halfClose(): void {
    this.#up(() => {
      if (this.#isServerOpen) this.onHalfClose(this);
    });
  }

  cancel(): void {
    if (!this.#isClientOpen) return;
    this.#isClientOpen = false;
    this.#up(() => this.#cancelServer("reset by client"));
    this.#events.end(CANCELLED);
  }

  /** The client reads nothing for so long. */
  beDeaf(ms: number): void {
    this.#deafUntil = this.#clock.now + ms;
  }

  // ---- the server's end

  get isOpen(): boolean {
    return this.#isServerOpen;
  }

  reply(message: Message): void {
    if (!this.#isServerOpen) return;
    this.send(message);
    this.end({ code: 0, message: "" });
  }

  send(message: Message): boolean {
    if (!this.#isServerOpen) return false;
    const bytes = message instanceof Uint8Array ? copyBytes(message) : concatBytes(message);
    this.bufferedBytes += bytes.length;
    if (this.bufferedBytes >= ROOM_BYTES) this.#isFull = true;
    this.#down(() => {
      this.#left(bytes.length);
      if (this.#isClientOpen) this.#events.message(bytes);
    });
    return !this.#isFull;
  }

  end({ code, message }: Status): void {
    if (!this.#isServerOpen) return;
    this.#isServerOpen = false;
    this.#host.calls.delete(this);
    this.#down(() => this.#endClient({ code, message }));
  }

  // ---- between them

  /** The process that served it is gone, and its machine says so, or is gone as well. */
  hostEnded(how: "process" | "machine"): void {
    this.#isServerOpen = false;
    this.#isBroken = true;
    const { network, name } = { network: this.#network, name: this.#host.name };
    const isTold = how === "process" && network.isOpen(name, this.#client);
    this.#clock.after(isTold ? network.delay() : KEEPALIVE_MS, () => this.#endClient(UNAVAILABLE));
  }

  #up(work: () => void): void {
    if (this.#isBroken) return;
    if (this.#network.breaks(this.#client, this.#host.name)) return this.#break();
    this.#upAt = Math.max(this.#upAt, this.#clock.now + this.#network.delay());
    this.#clock.at(this.#upAt, () => {
      if (!this.#host.isAlive) this.hostEnded("process");
      else this.#host.arrive(() => this.#isBroken || work());
    });
  }

  #down(work: () => void): void {
    if (this.#isBroken) return;
    if (this.#network.breaks(this.#host.name, this.#client)) return this.#break();
    this.#downAt = Math.max(this.#downAt, this.#clock.now + this.#network.delay());
    this.#downAt = Math.max(this.#downAt, this.#deafUntil);
    this.#clock.at(this.#downAt, () => this.#isBroken || work());
  }

  #left(bytes: number): void {
    this.bufferedBytes -= bytes;
    if (!this.#isFull || this.bufferedBytes > 0 || !this.#isServerOpen) return;
    this.#host.arrive(() => {
      if (!this.#isFull || this.bufferedBytes > 0 || !this.#isServerOpen) return;
      this.#isFull = false;
      this.onDrain(this);
    });
  }

  #break(): void {
    this.#isBroken = true;
    this.#clock.after(KEEPALIVE_MS, () => this.#endClient(UNAVAILABLE));
    this.#clock.after(KEEPALIVE_MS, () => {
      if (this.#host.isAlive) this.#host.arrive(() => this.#cancelServer("connection lost"));
    });
  }

  #endClient(status: Status): void {
    if (!this.#isClientOpen) return;
    this.#isClientOpen = false;
    this.#events.end(status);
  }

  #cancelServer(reason: "reset by client" | "connection lost"): void {
    if (!this.#isServerOpen) return;
    this.#isServerOpen = false;
    this.#host.calls.delete(this);
    this.onCancel(reason, this);
  }
}

/** When an end notices that the other does not answer. */
const KEEPALIVE_MS = 1500;
