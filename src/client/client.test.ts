import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareBytes } from "../base/index.ts";
import { api, decodeMessage, encodeMessage, fail } from "../proto/index.ts";
import { describeError, type FailedAttempt } from "./client.ts";
import { Deadline } from "./deadline.ts";
import { authorityOf, parseEndpoint } from "./endpoint.ts";
import { FROM_KEY, kv, prefixEnd } from "./kv.ts";
import { keepAlive } from "./lease.ts";
import { FakeTransport, fakeClient } from "./testing.ts";
import { StatusError } from "./transport.ts";

const key = Uint8Array.of(1);
const answer = encodeMessage(api.RangeResponse, { count: 1 });

/** Fails with each error in turn, then answers. */
function failing(...errors: readonly StatusError[]): () => Uint8Array {
  const left = [...errors];
  return () => {
    const error = left.shift();
    if (error !== undefined) throw error;
    return answer;
  };
}

const unavailable = new StatusError(14, "etcdserver: leader changed");

test("a read is sent again when the server was not to be had, a write is not", async () => {
  const attempts: FailedAttempt[] = [];
  const onFailedAttempt = (attempt: FailedAttempt) => attempts.push(attempt);
  const reading = fakeClient({ unary: failing(unavailable, unavailable) }, { onFailedAttempt });
  assert.equal((await reading.call(kv.range, { key })).count, 1);
  assert.deepEqual(
    attempts.map(({ attempt, path }) => [attempt, path]),
    [
      [0, "/etcdserverpb.KV/Range"],
      [1, "/etcdserverpb.KV/Range"],
    ],
  );
  const writing = fakeClient({ unary: failing(unavailable) });
  await assert.rejects(writing.call(kv.put, { key }), unavailable);
});

test("a refusal is final even for a read", async () => {
  const compacted = new StatusError(11, fail("compacted").message);
  const client = fakeClient({ unary: failing(compacted) });
  await assert.rejects(client.call(kv.range, { key }), compacted);
});

test("a token that the server forgot is fetched anew", async () => {
  let tokens = 0;
  const seen: unknown[] = [];
  const client = fakeClient(
    {
      unary: (path, request, call) => {
        if (path.endsWith("/Authenticate")) {
          const asked = decodeMessage(api.AuthenticateRequest, request);
          assert.deepEqual(asked, { name: "root", password: "secret" });
          return encodeMessage(api.AuthenticateResponse, { token: `token-${++tokens}` });
        }
        seen.push(call.metadata.token);
        if (tokens === 1) throw new StatusError(16, fail("invalidAuthToken").message);
        return answer;
      },
    },
    { username: "root", password: "secret" },
  );
  await client.authenticate();
  await client.call(kv.put, { key });
  assert.deepEqual(seen, ["token-1", "token-2"]);
});

test("with authentication off a user's name and password do no harm", async () => {
  const off = new StatusError(9, fail("authNotEnabled").message);
  const client = fakeClient({ unary: failing(off) }, { username: "root", password: "x" });
  await client.authenticate();
  await client.call(kv.range, { key });
});

test("a call waits for a connection until its time is out", async () => {
  const dial = () => Promise.reject(new Error("dial tcp a:1: connect: connection refused"));
  const client = fakeClient({}, { dial });
  const deadline = Deadline.in(20);
  const error = await client.call(kv.range, { key }, deadline).catch((e: unknown) => e);
  assert.ok(error instanceof StatusError);
  assert.equal(
    error.withCode,
    "rpc error: code = DeadlineExceeded desc = latest balancer error: connection error: " +
      'desc = "dial tcp a:1: connect: connection refused"',
  );
  assert.equal(describeError(error, deadline), "context deadline exceeded");
  client.close();
});

test("calls go around over open connections, and broken ones are replaced", async () => {
  const dialled: string[] = [];
  const used: string[] = [];
  const transports: FakeTransport[] = [];
  const client = fakeClient(
    {},
    {
      endpoints: ["a:1", "b:1", "down:1"],
      dial: async (endpoint) => {
        dialled.push(endpoint);
        if (endpoint === "down:1") throw new Error("refused");
        const unary = () => {
          used.push(endpoint);
          return answer;
        };
        const transport = new FakeTransport({ unary });
        transports.push(transport);
        return transport;
      },
    },
  );
  for (let i = 0; i < 4; i++) await client.call(kv.range, { key });
  assert.deepEqual(new Set(used), new Set(["a:1", "b:1"]));
  for (const transport of transports) transport.usable = false;
  await client.call(kv.range, { key });
  assert.equal(dialled.filter((endpoint) => endpoint === "a:1").length, 2);
  client.close();
});

/** A client of fake servers; `serve` answers for each, and `down` are not to be had. */
function clusterOf(
  endpoints: readonly string[],
  serve: (endpoint: string, path: string) => Uint8Array,
  down = new Set<string>(),
) {
  const transports = new Map<string, FakeTransport>();
  const client = fakeClient(
    {},
    {
      endpoints,
      dial: async (endpoint) => {
        if (down.has(endpoint)) throw new Error("refused");
        const transport = new FakeTransport({ unary: (path) => serve(endpoint, path) });
        transports.set(endpoint, transport);
        return transport;
      },
    },
  );
  return { client, transports };
}

test("a server that was gone is asked again when it is back, though others are there", async () => {
  const used: string[] = [];
  const down = new Set(["b:1"]);
  const serve = (endpoint: string) => {
    used.push(endpoint);
    return answer;
  };
  const { client, transports } = clusterOf(["a:1", "b:1"], serve);
  for (let i = 0; i < 4; i++) await client.call(kv.range, { key });
  transports.get("b:1")!.usable = false;
  used.length = 0;
  await client.call(kv.range, { key });
  assert.deepEqual(used, ["a:1"]);
  down.delete("b:1");
  while (!used.includes("b:1")) await client.call(kv.range, { key });
  client.close();
});

test("a call that a stopping server has not begun with goes to another, even a write", async () => {
  const asked: string[] = [];
  const down = new Set<string>();
  const { client, transports } = clusterOf(
    ["a:1", "b:1"],
    (endpoint) => {
      asked.push(endpoint);
      if (endpoint === "b:1") return answer;
      down.add("a:1");
      transports.get("a:1")!.usable = false;
      throw new StatusError(14, "draining", true);
    },
    down,
  );
  while (!asked.includes("a:1")) await client.call(kv.put, { key });
  assert.equal(asked.at(-1), "b:1");
  const stopping = clusterOf(["a:1"], () => {
    throw new StatusError(14, "draining", true);
  });
  await assert.rejects(stopping.client.call(kv.put, { key }), /draining/);
  client.close();
  stopping.client.close();
});

test("after a look at the cluster its voting members are asked, and nobody else", async () => {
  const used: string[] = [];
  const members = [
    { ID: 1n, name: "one", clientURLs: ["http://one:1", "http://one:2"] },
    { ID: 2n, name: "two", clientURLs: ["http://two:1"] },
    { ID: 3n, name: "learner", clientURLs: ["http://three:1"], isLearner: true },
    { ID: 4n, name: "", clientURLs: [] },
  ];
  const { client } = clusterOf(["http://two:1", "old:1"], (endpoint, path) => {
    if (path.endsWith("/MemberList")) return encodeMessage(api.MemberListResponse, { members });
    used.push(endpoint);
    return answer;
  });
  await client.sync();
  for (let i = 0; i < 9; i++) await client.call(kv.range, { key });
  assert.deepEqual(new Set(used), new Set(["http://one:1", "http://one:2", "http://two:1"]));
  client.close();
});

test("a deadline has passed when a timer for it goes off", async () => {
  for (let i = 0; i < 20; i++) {
    const deadline = Deadline.in(3);
    await new Promise((resolve) => setTimeout(resolve, deadline.remainingMs));
    assert.ok(deadline.expired);
  }
});

test("errors are described as users know them", () => {
  const refused = new StatusError(5, "etcdserver: requested lease not found");
  assert.equal(describeError(refused), "etcdserver: requested lease not found");
  const odd = new StatusError(2, "raft proposal dropped, perhaps");
  assert.equal(
    describeError(odd),
    "rpc error: code = Unknown desc = raft proposal dropped, perhaps",
  );
});

test("endpoints are read with and without a scheme", () => {
  const cases: readonly (readonly [
    text: string,
    target: string,
    tls: string,
    authority: string,
  ])[] = [
    ["127.0.0.1:2379", "127.0.0.1:2379", "optional", "127.0.0.1:2379"],
    ["http://h:1/x", "h:1", "never", "h:1/x"],
    ["https://h:1", "h:1", "required", "h:1"],
    ["unix:///run/e.sock", "/run/e.sock", "optional", "/run/e.sock"],
    ["unixs:e.sock:0", "e.sock:0", "required", "e.sock:0"],
  ];
  for (const [text, target, tls, authority] of cases) {
    const address = parseEndpoint(text);
    assert.deepEqual([address.target, address.tls], [target, tls], text);
    assert.equal(authorityOf(text), authority);
  }
});

test("the end of a prefix is above every key with it and not above any other", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(bytes, fc.uint8Array({ maxLength: 3 }), bytes, (prefix, rest, other) => {
      const end = prefixEnd(prefix);
      const isOpen = end === FROM_KEY;
      assert.ok(isOpen || compareBytes(Uint8Array.from([...prefix, ...rest]), end) < 0);
      const inside = compareBytes(other, prefix) >= 0 && (isOpen || compareBytes(other, end) < 0);
      assert.equal(
        inside,
        prefix.every((byte, at) => other[at] === byte),
      );
    }),
  );
});

test("a lease is kept alive over a lost connection, until it is gone", async () => {
  const ttls = [1, "lost", 1, 0] as const;
  let at = 0;
  const client = fakeClient({
    stream: (_path, stream) => {
      stream.onSend = () => {
        const TTL = ttls[at++]!;
        if (TTL === "lost") stream.finish(new StatusError(14, "connection lost"));
        else stream.answer(encodeMessage(api.LeaseKeepAliveResponse, { ID: 7n, TTL }));
      };
    },
  });
  const renewed: number[] = [];
  for await (const { TTL } of keepAlive(client, 7n, 1_000)) renewed.push(TTL);
  assert.deepEqual(renewed, [1, 1]);
  assert.equal(at, 4);
  client.close();
});
