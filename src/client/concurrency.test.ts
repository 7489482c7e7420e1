import assert from "node:assert/strict";
import { test } from "node:test";
import { api, decodeMessage, encodeMessage, type Init, type Schema } from "../proto/index.ts";
import { Election } from "./election.ts";
import { Mutex } from "./mutex.ts";
import { Session } from "./session.ts";
import { type FakeStream, fakeClient, watchAnswer, watchRequest } from "./testing.ts";

const bytes = (text: string) => Buffer.from(text);
const text = (of: Uint8Array) => Buffer.from(of).toString();

/** As much of a store as locks and elections need: keys, revisions, watches, leases that live. */
class TinyStore {
  revision = 1;
  readonly keys = new Map<string, api.KeyValue>();
  readonly #events: { readonly revision: number; readonly event: Init<api.Event> }[] = [];
  readonly #watches: { readonly stream: FakeStream; readonly match: (key: string) => boolean }[] =
    [];
  #leases = 100n;

  readonly client = fakeClient({
    unary: (path, request) => this.#answer(path.split("/")[2]!, request),
    stream: (path, stream) => {
      if (path.endsWith("/Watch")) stream.onSend = (message) => this.#watch(stream, message);
      else stream.onSend = () => stream.answer(encodeMessage(api.LeaseKeepAliveResponse, ALIVE));
    },
  });

  #answer(method: string, request: Uint8Array): Uint8Array {
    const read = <T>(schema: Schema<T>) => decodeMessage(schema, request);
    switch (method) {
      case "LeaseGrant":
        return encodeMessage(api.LeaseGrantResponse, { ID: ++this.#leases, TTL: 60 });
      case "Range":
        return encodeMessage(api.RangeResponse, this.#range(read(api.RangeRequest)));
      case "Put":
        return encodeMessage(api.PutResponse, this.put(read(api.PutRequest)));
      case "DeleteRange":
        return encodeMessage(
          api.DeleteRangeResponse,
          this.delete(read(api.DeleteRangeRequest).key),
        );
      default:
        return encodeMessage(api.TxnResponse, this.#txn(read(api.TxnRequest)));
    }
  }

  get #header() {
    return { revision: this.revision };
  }

  #range({ key, rangeEnd, sortOrder, limit, maxCreateRevision }: api.RangeRequest) {
    const found = [...this.keys.values()]
      .filter((kv) => inRange(text(kv.key), key, rangeEnd))
      .filter((kv) => maxCreateRevision === 0 || kv.createRevision <= maxCreateRevision)
      .sort((a, b) => a.createRevision - b.createRevision);
    if (sortOrder === api.SORT_ORDER.DESCEND) found.reverse();
    return { header: this.#header, kvs: limit > 0 ? found.slice(0, limit) : found };
  }

  put({
    key,
    value,
    lease,
  }: Pick<api.PutRequest, "key" | "value" | "lease">): Init<api.PutResponse> {
    const prevKv = this.keys.get(text(key));
    this.revision++;
    const createRevision = prevKv?.createRevision ?? this.revision;
    const kv = { key, value, lease, createRevision, modRevision: this.revision, version: 1 };
    this.keys.set(text(key), kv);
    this.#tell({ kv });
    return { header: this.#header, prevKv };
  }

  delete(key: Uint8Array) {
    if (this.keys.delete(text(key))) {
      this.revision++;
      this.#tell({ type: 1, kv: { key, modRevision: this.revision } });
    }
    return { header: this.#header };
  }

  #txn({ compare, success, failure }: api.TxnRequest): Init<api.TxnResponse> {
    const succeeded = compare.every(
      ({ key, createRevision = 0 }) =>
        (this.keys.get(text(key))?.createRevision ?? 0) === createRevision,
    );
    const responses = (succeeded ? success : failure).map((request): Init<api.ResponseOp> => {
      if (request.requestPut !== undefined) return { responsePut: this.put(request.requestPut) };
      if (request.requestRange !== undefined) {
        return { responseRange: this.#range(request.requestRange) };
      }
      return { responseDeleteRange: this.delete(request.requestDeleteRange!.key) };
    });
    return { header: this.#header, succeeded, responses };
  }

  #watch(stream: FakeStream, message: Uint8Array): void {
    const { createRequest } = watchRequest(message);
    if (createRequest === undefined) return;
    const { key, rangeEnd, startRevision } = createRequest;
    stream.answer(watchAnswer({ header: this.#header, created: true }));
    const match = (name: string) => inRange(name, key, rangeEnd);
    for (const { revision, event } of this.#events) {
      if (revision < startRevision || !match(text(event.kv!.key as Uint8Array))) continue;
      stream.answer(watchAnswer({ header: { revision }, events: [event] }));
    }
    this.#watches.push({ stream, match });
  }

  #tell(event: Init<api.Event>): void {
    this.#events.push({ revision: this.revision, event });
    for (const { stream, match } of this.#watches) {
      if (!match(text(event.kv!.key as Uint8Array))) continue;
      stream.answer(watchAnswer({ header: this.#header, events: [event] }));
    }
  }
}

const ALIVE = { ID: 1n, TTL: 60 };

function inRange(name: string, key: Uint8Array, rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 0 ? name === text(key) : name >= text(key) && name < text(rangeEnd);
}

const never = new AbortController().signal;

test("a lock passes from holder to holder in the order of asking, one at a time", async () => {
  const store = new TinyStore();
  const sessions = await Promise.all([1, 2, 3].map(() => Session.open(store.client, 60)));
  const mutexes = sessions.map((session) => new Mutex(session, bytes("lock")));
  const order: number[] = [];
  let holders = 0;
  const use = async (mutex: Mutex, at: number) => {
    await mutex.lock(never);
    assert.equal(++holders, 1);
    order.push(at);
    await new Promise((resolve) => setTimeout(resolve, 5));
    holders--;
    await mutex.unlock();
  };
  await Promise.all(mutexes.map(use));
  assert.deepEqual(order, [0, 1, 2]);
  assert.equal(store.keys.size, 0);
  for (const session of sessions) session.close();
});

test("who gives up waiting for a lock leaves no key behind", async () => {
  const store = new TinyStore();
  const [holder, waiter] = await Promise.all([1, 2].map(() => Session.open(store.client, 60)));
  await new Mutex(holder!, bytes("lock")).lock(never);
  const stop = new AbortController();
  const waiting = new Mutex(waiter!, bytes("lock")).lock(stop.signal);
  setTimeout(() => stop.abort(), 10);
  await assert.rejects(waiting, /context canceled/);
  assert.equal(store.keys.size, 1);
  holder!.close();
  waiter!.close();
});

test("a lock whose key is lost while waiting is not had", async () => {
  const store = new TinyStore();
  const [holder, waiter] = await Promise.all([1, 2].map(() => Session.open(store.client, 60)));
  const first = new Mutex(holder!, bytes("lock"));
  await first.lock(never);
  const second = new Mutex(waiter!, bytes("lock"));
  const waiting = second.lock(never);
  setTimeout(() => {
    store.delete(second.key);
    store.delete(first.key);
  }, 10);
  await assert.rejects(waiting, /session is expired/);
  holder!.close();
  waiter!.close();
});

test("the oldest candidate leads, and resigning makes the next one lead", async () => {
  const store = new TinyStore();
  const [one, two] = await Promise.all([1, 2].map(() => Session.open(store.client, 60)));
  const first = new Election(one!, bytes("election"));
  const second = new Election(two!, bytes("election"));
  await first.campaign(bytes("a"), never);
  let elected = false;
  const waiting = second.campaign(bytes("b"), never).then(() => (elected = true));
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(elected, false);
  await first.resign();
  await waiting;
  assert.equal(elected, true);
  one!.close();
  two!.close();
});

test("observers see each leader and each new value, until they are stopped", async () => {
  const store = new TinyStore();
  const session = await Session.open(store.client, 60);
  const stop = new AbortController();
  const seen: string[] = [];
  const put = (key: string, value: string) =>
    store.put({ key: bytes(key), value: bytes(value), lease: 0n });
  const steps = [
    () => put("election/1", "first"),
    () => put("election/1", "changed"),
    () => {
      put("election/2", "second");
      store.delete(bytes("election/1"));
    },
    () => stop.abort(),
  ];
  setTimeout(() => steps.shift()!(), 5);
  for await (const { kvs } of new Election(session, bytes("election")).observe(stop.signal)) {
    seen.push(text(kvs[0]!.value));
    setTimeout(() => steps.shift()!(), 5);
  }
  assert.deepEqual(seen, ["first", "changed", "second"]);
  session.close();
});

test("a session is done when it is closed", async () => {
  const session = await Session.open(new TinyStore().client, 60);
  session.close();
  await session.done;
});
