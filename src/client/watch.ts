import { setTimeout as sleep } from "node:timers/promises";
import { api, CODE, fail, type Init } from "../proto/index.ts";
import { type MessageStream, streaming } from "./call.ts";
import type { Client } from "./client.ts";
import { StatusError } from "./transport.ts";

const WATCH = streaming("/etcdserverpb.Watch/Watch", api.WatchRequest, api.WatchResponse);
const RECONNECT_MS = 50;

/** An answer to one watcher; `error` says why the watch ended, and then it is the last one. */
export interface WatchAnswer extends api.WatchResponse {
  error?: string;
}

type WatchMessages = MessageStream<api.WatchRequest, api.WatchResponse>;

/** One watch, and what of it is still to be read. */
class Subscription {
  readonly request: Init<api.WatchCreateRequest>;
  /** Where to go on after a lost connection. */
  nextRevision: number;
  id: number | undefined;
  readonly #queue: WatchAnswer[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(request: Init<api.WatchCreateRequest>) {
    this.request = request;
    this.nextRevision = request.startRevision ?? 0;
  }

  push(answer: WatchAnswer): void {
    this.#queue.push(answer);
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async *answers(): AsyncGenerator<WatchAnswer, void> {
    for (;;) {
      while (this.#queue.length > 0) yield this.#queue.shift()!;
      if (this.#closed) return;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }
}

/**
 * Watches over one stream. When the connection is lost they all go on over the next one, from
 * where each of them was, so that no event is missed and none comes twice.
 */
export class Watcher {
  readonly #client: Client;
  readonly #subscriptions = new Set<Subscription>();
  /** Sent and not yet answered, in order: the server answers in the same order. */
  #creating: Subscription[] = [];
  #stream: WatchMessages | undefined;
  #running = false;
  #closed = false;
  #progressWanted = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Ends after an answer with an `error`, or when the watcher is closed. */
  watch(request: Init<api.WatchCreateRequest>): AsyncGenerator<WatchAnswer, void> {
    const subscription = new Subscription(request);
    this.#subscriptions.add(subscription);
    if (this.#stream !== undefined) this.#create(this.#stream, subscription);
    this.#start();
    return subscription.answers();
  }

  /** Asks for an answer without events that tells how far all watches are. */
  requestProgress(): void {
    if (this.#stream === undefined) this.#progressWanted++;
    else this.#stream.send({ progressRequest: {} });
    this.#start();
  }

  close(): void {
    this.#closed = true;
    this.#stream?.cancel();
    for (const subscription of this.#subscriptions) subscription.close();
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#follow(await this.#client.stream(WATCH, { requireLeader: true }));
      } catch (error) {
        if (this.#closed) return;
        if (isFinal(error)) return this.#failAll(error);
      }
      this.#stream = undefined;
      await sleep(RECONNECT_MS);
    }
  }

  async #follow(stream: WatchMessages): Promise<void> {
    this.#stream = stream;
    this.#creating = [];
    for (const subscription of this.#subscriptions) this.#create(stream, subscription);
    for (; this.#progressWanted > 0; this.#progressWanted--) stream.send({ progressRequest: {} });
    for (;;) {
      const answer = await stream.next();
      if (answer === undefined) return;
      this.#dispatch(answer);
    }
  }

  #create(stream: WatchMessages, subscription: Subscription): void {
    subscription.id = undefined;
    this.#creating.push(subscription);
    const startRevision = subscription.nextRevision;
    stream.send({ createRequest: { ...subscription.request, startRevision } });
  }

  #dispatch(answer: api.WatchResponse): void {
    if (answer.created) {
      this.#created(answer);
      return;
    }
    for (const subscription of this.#subscriptions) {
      if (answer.watchId === -1 || answer.watchId === subscription.id) {
        this.#deliver(subscription, answer);
      }
    }
  }

  #created(answer: api.WatchResponse): void {
    const subscription = this.#creating.shift();
    if (subscription === undefined) return;
    subscription.id = answer.watchId;
    if (answer.canceled) this.#deliver(subscription, answer);
    else if (subscription.nextRevision === 0) {
      subscription.nextRevision = (answer.header?.revision ?? 0) + 1;
    }
  }

  #deliver(subscription: Subscription, answer: api.WatchResponse): void {
    const revision = answer.header?.revision ?? 0;
    const last = answer.events.at(-1)?.kv?.modRevision ?? revision;
    subscription.nextRevision = Math.max(subscription.nextRevision, last + 1);
    if (!answer.canceled) {
      subscription.push(answer);
      return;
    }
    subscription.push({ ...answer, error: whyCanceled(answer) });
    this.#drop(subscription);
  }

  #drop(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
    subscription.close();
  }

  #failAll(error: unknown): void {
    const text = error instanceof StatusError ? error.message : String(error);
    for (const subscription of this.#subscriptions) {
      const empty = {
        header: undefined,
        watchId: 0,
        created: false,
        compactRevision: 0,
        events: [],
      };
      subscription.push({
        ...empty,
        canceled: true,
        cancelReason: "",
        fragment: false,
        error: text,
      });
      this.#drop(subscription);
    }
    this.#running = false;
  }
}

function whyCanceled(answer: api.WatchResponse): string {
  if (answer.compactRevision !== 0) return fail("compacted").message;
  return answer.cancelReason === "" ? fail("futureRev").message : answer.cancelReason;
}

/** Whether trying again would not help. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof StatusError)) return true;
  if (error.message === fail("noLeader").message) return true;
  return error.code !== CODE.unavailable && error.code !== CODE.internal;
}
