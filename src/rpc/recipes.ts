import { concatBytes, copyBytes, deferred, endOfPrefix, textToBytes } from "../base/index.ts";
import type { ServerCall } from "../grpc/index.ts";
import type { WatchSink } from "../mvcc/index.ts";
import {
  api,
  CODE,
  decodeMessage,
  encodeMessage,
  type Failure,
  fail,
  type Init,
  type Schema,
} from "../proto/index.ts";
import { type Answer, settle, whole } from "./answer.ts";
import * as kv from "./kv.ts";
import * as lease from "./lease.ts";
import type { Service } from "./service.ts";

/** Callers that may be served at once; most of them wait. One more: "too many requests". */
const CALLERS_MAX = 100_000;
/** The life of a lease that is granted to a caller without one. It is not kept alive from here. */
const TTL_SECONDS = 60;

/** Ends a recipe. */
export class Refused extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** What says that nobody waits any more keeps its code. */
const ENDS_OF_TIME: ReadonlySet<Failure> = new Set([
  fail("contextDeadlineExceeded"),
  fail("contextCanceled"),
]);

/** A refusal in words. Locks and elections have no code but Unknown, whatever the reason is. */
export function refused(message: string): Refused {
  return new Refused({ code: CODE.unknown, message });
}

/** All who take part in locks and elections through this member. */
export class Callers {
  readonly #all = new Set<Caller>();

  /** A caller until its recipe is done; undefined: there are too many. */
  admit(service: Service, call: ServerCall): Caller | undefined {
    if (this.#all.size >= CALLERS_MAX) return undefined;
    const caller = new Caller(service, call);
    this.#all.add(caller);
    return caller;
  }

  dismiss(caller: Caller): void {
    this.#all.delete(caller);
  }

  /** Ends the calls that are meant, as when the server stops or has no leader any more. */
  end(failure: Failure, isMeant: (call: ServerCall) => boolean = () => true): void {
    for (const caller of this.#all) if (isMeant(caller.call)) caller.end(failure);
  }
}

/**
 * One caller of a recipe: what etcd's client library would do for it, done by the server, with the
 * server's own requests. Whatever is refused on the way rejects with `Refused`.
 */
export class Caller {
  readonly call: ServerCall;
  readonly #service: Service;
  #giveUp = () => {};
  #resume = () => {};
  #hasRoom = true;

  constructor(service: Service, call: ServerCall) {
    this.#service = service;
    this.call = call;
    call.onCancel = () => this.#giveUp();
    call.onDrain = () => {
      this.#hasRoom = true;
      this.#resume();
    };
  }

  /** Nothing but cleaning up is done for a caller that has gone. */
  get hasGone(): boolean {
    return !this.call.isOpen;
  }

  /** The header of an answer that comes from a watch. */
  header(revision: number): api.ResponseHeader {
    return this.#service.header(revision);
  }

  end(failure: Failure): void {
    this.call.end(failure);
    this.#giveUp();
  }

  /** One of many answers. Watching pauses while the caller does not read. */
  send<T>(schema: Schema<T>, message: Init<T>): void {
    this.#hasRoom = this.call.send(encodeMessage(schema, message));
  }

  /** The caller's lease, or a new one for a caller that has none. */
  async lease(given: bigint): Promise<bigint> {
    if (given !== 0n) return given;
    const request = { TTL: TTL_SECONDS };
    const schemas = [api.LeaseGrantRequest, api.LeaseGrantResponse] as const;
    const { ID } = await this.#ask(lease.grant, ...schemas, request);
    this.#mustBeThere();
    return ID;
  }

  txn(request: Init<api.TxnRequest>): Promise<api.TxnResponse> {
    return this.#ask(kv.txn, api.TxnRequest, api.TxnResponse, request);
  }

  range(request: Init<api.RangeRequest>): Promise<api.RangeResponse> {
    this.#mustBeThere();
    return this.#ask(kv.range, api.RangeRequest, api.RangeResponse, request);
  }

  delete(key: Uint8Array): Promise<api.DeleteRangeResponse> {
    const schemas = [api.DeleteRangeRequest, api.DeleteRangeResponse] as const;
    return this.#ask(kv.deleteRange, ...schemas, { key });
  }

  /** Follows a key or a range until `take` makes something of an event. */
  async watch<T>(
    range: { readonly key: Uint8Array; readonly rangeEnd?: Uint8Array; startRevision: number },
    take: (event: api.Event, revision: number) => T | undefined,
  ): Promise<T> {
    this.#mustBeThere();
    const { hub, permit } = this.#service.watches.ports;
    const { key, rangeEnd = NO_END, startRevision } = range;
    const failure = permit(this.call, key, rangeEnd);
    if (failure !== undefined) throw refused(failure.message);
    const { promise, resolve, reject } = deferred<T>();
    const sink: WatchSink = {
      events: (_, revision, { fields }) => {
        const { events } = decodeMessage(api.WatchResponse, concatBytes(fields));
        for (const event of events) {
          const taken = take(event, revision);
          if (taken === undefined) continue;
          resolve(taken);
          stream.close();
          break;
        }
        return this.#hasRoom;
      },
      compacted: () => {
        reject(refused(fail("compacted").message));
        return true;
      },
      progress: () => true,
    };
    const stream = hub.open(sink);
    this.#giveUp = () => reject(new Refused(fail("contextCanceled")));
    this.#resume = () => stream.drained();
    stream.create({ ...PLAIN_WATCH, key, rangeEnd, startRevision });
    try {
      return await promise;
    } finally {
      this.#giveUp = this.#resume = () => {};
      stream.close();
    }
  }

  #mustBeThere(): void {
    if (this.hasGone) throw new Refused(fail("contextCanceled"));
  }

  /** A request as a client's, with all its checks. */
  async #ask<Q, R>(
    serve: (service: Service, request: Uint8Array, answer: Answer) => void,
    request: Schema<Q>,
    response: Schema<R>,
    message: Init<Q>,
  ): Promise<R> {
    const { promise, resolve, reject } = deferred<Uint8Array>();
    const answer: Answer = {
      reply: (message) => resolve(copyBytes(whole(message))),
      fail: (failure) =>
        reject(ENDS_OF_TIME.has(failure) ? new Refused(failure) : refused(failure.message)),
      settle: (applied) => settle(answer, applied),
    };
    serve(this.#service, encodeMessage(request, message), answer);
    return decodeMessage(response, await promise);
  }
}

const NO_END = new Uint8Array(0);
const PLAIN_WATCH = {
  watchId: 0n,
  noPut: false,
  noDelete: false,
  prevKv: false,
  fragment: false,
  progressNotify: false,
} as const;

/** Serves a unary call by a recipe, which may wait for others. */
export function serveRecipe<R>(
  service: Service,
  call: ServerCall,
  response: Schema<R>,
  recipe: (caller: Caller) => Promise<Init<R>>,
): void {
  serveCaller(service, call, async (caller) => {
    call.reply(encodeMessage(response, await recipe(caller)));
  });
}

/** Serves a call, which `work` answers unless it is refused. */
export function serveCaller(
  service: Service,
  call: ServerCall,
  work: (caller: Caller) => Promise<void>,
): void {
  const caller = service.callers.admit(service, call);
  if (caller === undefined) return call.end(fail("tooManyRequests"));
  const run = async () => {
    try {
      await work(caller);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      call.end(error.failure);
    } finally {
      service.callers.dismiss(caller);
    }
  };
  service.member.spawn(run());
}

/** The keys of all who want the same lie under its name. */
export function prefixOf(name: Uint8Array): Uint8Array {
  return concatBytes([name, SLASH]);
}

/** The key of one of them, by its lease. */
export function memberKey(prefix: Uint8Array, leaseId: bigint): Uint8Array {
  return concatBytes([prefix, textToBytes(leaseId.toString(16))]);
}

export function everyoneUnder(prefix: Uint8Array): { key: Uint8Array; rangeEnd: Uint8Array } {
  return { key: prefix, rangeEnd: endOfPrefix(prefix)! };
}

/** Who came first: the holder of the lock, the leader. */
export function firstUnder(prefix: Uint8Array): Init<api.RangeRequest> {
  const { ASCEND: sortOrder } = api.SORT_ORDER;
  return { ...everyoneUnder(prefix), limit: 1, sortOrder, sortTarget: api.SORT_TARGET.CREATE };
}

/**
 * Waits until nobody is left who came at `revision` or before. Each waits for the one before it
 * alone, so that one who goes wakes one and not all.
 */
export async function waitForEarlier(
  caller: Caller,
  prefix: Uint8Array,
  revision: number,
): Promise<void> {
  const { DESCEND: sortOrder } = api.SORT_ORDER;
  const last = { ...firstUnder(prefix), sortOrder, maxCreateRevision: revision };
  for (;;) {
    const { header, kvs } = await caller.range(last);
    if (kvs.length === 0) return;
    const range = { key: kvs[0]!.key, startRevision: header!.revision };
    await caller.watch(range, ({ type }) => type === api.EVENT_TYPE.DELETE || undefined);
  }
}

const SLASH = textToBytes("/");

/** A comparison that holds when the key is the one of that creation; of 0: when there is none. */
export function createdAt(key: Uint8Array, createRevision: number): Init<api.Compare> {
  return { key, target: api.COMPARE_TARGET.CREATE, createRevision };
}
