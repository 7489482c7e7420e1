import { CODE } from "../proto/index.ts";
import { type Dial, type DialOptions, StatusError, type Transport } from "./transport.ts";

const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 120_000;
const BACKOFF_GROWTH = 1.6;

/** Ends a wait: what to do with the result, or what went wrong on the way. */
interface Waiter {
  resolve(transport: Transport): void;
  reject(error: StatusError): void;
}

/**
 * Connections to a list of endpoints, opened when first wanted and again when they break. Calls go
 * around over those that are open; a call that finds none waits for one until its time is out.
 */
export class Balancer {
  readonly #dial: Dial;
  readonly #options: DialOptions;
  #slots: Slot[];
  /** Their connections end with those who use them, at the latest with the client. */
  readonly #dropped: Slot[] = [];
  readonly #waiters = new Set<Waiter>();
  #turn = 0;
  #closed = false;
  #lastError: string | undefined;

  constructor(endpoints: readonly string[], dial: Dial, options: DialOptions) {
    this.#dial = dial;
    this.#options = options;
    this.#slots = endpoints.map((endpoint) => new Slot(endpoint));
  }

  get size(): number {
    return this.#slots.length;
  }

  /** Calls on their way to endpoints that are dropped go on; new ones go to those given. */
  setEndpoints(endpoints: readonly string[]): void {
    const known = new Map(this.#slots.map((slot) => [slot.endpoint, slot]));
    this.#slots = endpoints.map((endpoint) => known.get(endpoint) ?? new Slot(endpoint));
    for (const slot of this.#slots) known.delete(slot.endpoint);
    for (const slot of known.values()) this.#dropped.push(slot);
    if (this.#waiters.size > 0) for (const slot of this.#slots) this.#connect(slot);
  }

  /** Rejects with DeadlineExceeded. */
  async pick(timeoutMs: number | undefined): Promise<Transport> {
    const open = this.#slots.flatMap((slot) => (slot.open === undefined ? [] : [slot.open]));
    // Who was gone may be back.
    if (open.length < this.#slots.length) for (const slot of this.#slots) this.#connect(slot);
    if (open.length > 0) return open[this.#turn++ % open.length]!;
    const { promise, resolve, reject } = Promise.withResolvers<Transport>();
    const waiter = { resolve, reject };
    this.#waiters.add(waiter);
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => reject(this.#late()), timeoutMs);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    });
  }

  close(): void {
    this.#closed = true;
    for (const slot of [...this.#slots, ...this.#dropped]) slot.close();
    for (const waiter of this.#waiters) {
      waiter.reject(new StatusError(CODE.canceled, "grpc: the client connection is closing"));
    }
  }

  #late(): StatusError {
    const why =
      this.#lastError === undefined
        ? "received context error while waiting for new LB policy update: context deadline exceeded"
        : `latest balancer error: connection error: desc = "${this.#lastError}"`;
    return new StatusError(CODE.deadlineExceeded, why);
  }

  #connect(slot: Slot): void {
    if (slot.busy || slot.open !== undefined || this.#closed) return;
    slot.busy = true;
    this.#dial(slot.endpoint, this.#options).then(
      (transport) => this.#connected(slot, transport),
      (error: Error) => this.#failed(slot, error),
    );
  }

  #connected(slot: Slot, transport: Transport): void {
    slot.busy = false;
    slot.failures = 0;
    slot.transport = transport;
    if (this.#closed || !this.#slots.includes(slot)) return transport.close();
    for (const waiter of this.#waiters) waiter.resolve(transport);
  }

  #failed(slot: Slot, error: Error): void {
    this.#lastError = error.message;
    const backoff = BACKOFF_FIRST_MS * BACKOFF_GROWTH ** slot.failures++;
    slot.timer = setTimeout(
      () => {
        slot.busy = false;
        if (this.#waiters.size > 0) this.#connect(slot);
      },
      Math.min(backoff, BACKOFF_MAX_MS),
    );
  }
}

/** One endpoint and the connection to it. */
class Slot {
  readonly endpoint: string;
  transport: Transport | undefined;
  /** Being dialled, or waiting to be dialled again. */
  busy = false;
  failures = 0;
  timer: NodeJS.Timeout | undefined;

  constructor(endpoint: string) {
    this.endpoint = endpoint;
  }

  get open(): Transport | undefined {
    return this.transport?.usable === true ? this.transport : undefined;
  }

  close(): void {
    clearTimeout(this.timer);
    this.transport?.close();
  }
}
