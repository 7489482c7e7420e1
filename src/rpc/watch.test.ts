import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToText, copyBytes, textToBytes } from "../base/index.ts";
import type { ServerCall } from "../grpc/index.ts";
import { type Changes, type History, type HistoryScan, WatchHub } from "../mvcc/index.ts";
import {
  api,
  decodeMessage,
  encodeMessage,
  type Failure,
  fail,
  type Init,
} from "../proto/index.ts";
import { type WatchPorts, WatchService } from "./watch.ts";

/** A history of puts of one value each, of which the first ones may be compacted. */
class PutHistory implements History {
  readonly puts: { key: Uint8Array; keyValue: Uint8Array }[][] = [[], []];
  compactedRevision = -1;

  get currentRevision(): number {
    return this.puts.length - 1;
  }

  put(...keys: string[]): Changes {
    const revision = this.puts.length;
    const rows = keys.map((text) => {
      const key = textToBytes(text);
      const init = { key, createRevision: revision, modRevision: revision, version: 1 };
      return { key, keyValue: encodeMessage(api.KeyValue, { ...init, value: textToBytes("v") }) };
    });
    this.puts.push(rows);
    return {
      revision,
      length: rows.length,
      key: (i) => rows[i]!.key,
      keyValue: (i) => rows[i]!.keyValue,
      isDelete: () => false,
      isCreate: () => true,
    };
  }

  scan(fromMain: number): HistoryScan {
    const rows = this.puts.flatMap((puts, main) => puts.map((put) => ({ main, ...put })));
    let at = rows.findIndex((row) => row.main >= fromMain) - 1;
    return {
      next: () => ++at < rows.length && at >= 0,
      get main() {
        return rows[at]!.main;
      },
      get key() {
        return rows[at]!.key;
      },
      get keyValue() {
        return rows[at]!.keyValue;
      },
      tombstone: false,
      isCreate: true,
    };
  }

  previousOf(): undefined {
    return undefined;
  }
}

function ignore(): void {}

/** A call that keeps what it is sent. It has room up to `bytesMax`. */
class FakeCall implements ServerCall {
  readonly path = "/etcdserverpb.Watch/Watch";
  readonly metadata = { get: () => undefined } as unknown as ServerCall["metadata"];
  readonly deadlineMs = undefined;
  readonly context = undefined;
  onMessage: ServerCall["onMessage"] = ignore;
  onHalfClose: ServerCall["onHalfClose"] = ignore;
  onCancel: ServerCall["onCancel"] = ignore;
  onDrain: ServerCall["onDrain"] = ignore;
  readonly sent: Uint8Array[] = [];
  ended: Failure | undefined;
  bytesMax = Number.POSITIVE_INFINITY;
  bufferedBytes = 0;

  get isOpen(): boolean {
    return this.ended === undefined;
  }

  reply(): never {
    assert.fail("a stream has no single reply");
  }

  send(message: Uint8Array): boolean {
    this.sent.push(copyBytes(message));
    this.bufferedBytes += message.length;
    return this.bufferedBytes < this.bytesMax;
  }

  end(status: Failure): void {
    this.ended ??= status;
  }
}

class Client {
  readonly call = new FakeCall();

  request(init: Init<api.WatchRequest>): void {
    this.call.onMessage(encodeMessage(api.WatchRequest, init), this.call);
  }

  create(init: Omit<Init<api.WatchCreateRequest>, "key"> & { key?: string; end?: string }): void {
    const { key = "", end = "", ...rest } = init;
    this.request({
      createRequest: { ...rest, key: textToBytes(key), rangeEnd: textToBytes(end) },
    });
  }

  responses(): api.WatchResponse[] {
    return this.call.sent.splice(0).map((message) => decodeMessage(api.WatchResponse, message));
  }

  /** The responses, header revision first, with only what is set. */
  lines(): string[] {
    return this.responses().map((r) => {
      const parts = [`@${r.header!.revision} id=${r.watchId}`];
      if (r.created) parts.push("created");
      if (r.canceled) parts.push("canceled");
      if (r.compactRevision !== 0) parts.push(`compacted=${r.compactRevision}`);
      if (r.cancelReason !== "") parts.push(`"${r.cancelReason}"`);
      if (r.fragment) parts.push("fragment");
      if (r.events.length > 0) parts.push(r.events.map((e) => bytesToText(e.kv!.key)).join(","));
      return parts.join(" ");
    });
  }
}

class Server {
  readonly history = new PutHistory();
  readonly hub = new WatchHub(this.history, ignore);
  readonly service: WatchService;

  constructor(ports: Partial<WatchPorts> = {}) {
    this.service = new WatchService({
      hub: this.hub,
      clusterId: 2n ** 64n - 1n,
      memberId: 7n,
      raftTerm: () => 3,
      permit: () => undefined,
      random: () => 0,
      progressIntervalMs: 1000,
      fragmentBytes: 1 << 21,
      ...ports,
    });
  }

  connect(): Client {
    const client = new Client();
    this.service.serve(client.call);
    return client;
  }

  put(...keys: string[]): void {
    this.hub.publish(this.history.put(...keys));
  }

  catchUp(): void {
    for (const _ of this.hub.catchUp());
  }
}

test("a watch is confirmed before its events, which carry the header of the member", () => {
  const server = new Server();
  const client = server.connect();
  server.put("a");
  client.create({ key: "a", startRevision: 2 });
  client.create({ key: "a" });
  server.put("a", "b");
  server.catchUp();
  assert.deepEqual(client.lines(), [
    "@2 id=0 created",
    "@2 id=1 created",
    "@3 id=1 a",
    "@3 id=0 a,a",
  ]);
  server.put("a");
  const [response] = client.responses();
  const { clusterId, memberId, raftTerm } = response!.header!;
  assert.deepEqual([clusterId, memberId, raftTerm], [2n ** 64n - 1n, 7n, 3]);
});

test("a watch that cannot be is answered as created and cancelled, and the stream goes on", () => {
  const refuse = (failure: Failure) => new Server({ permit: () => failure });
  const cases: [Server, Parameters<Client["create"]>[0], string][] = [
    [new Server(), { key: "a", startRevision: -1 }, `${fail("compacted").message}`],
    [new Server(), { key: "b", end: "a" }, "mvcc: watcher range is empty"],
    [
      refuse(fail("permissionDenied")),
      { key: "a" },
      "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
    ],
    [
      refuse(fail("userEmpty")),
      { key: "a" },
      "rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
    ],
    [
      refuse(fail("invalidAuthToken")),
      { key: "a" },
      "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
    ],
    // The start is looked at before the caller's rights (etcd #20707).
    [refuse(fail("userEmpty")), { startRevision: -5 }, `${fail("compacted").message}`],
  ];
  for (const [server, request, reason] of cases) {
    const client = server.connect();
    client.create(request);
    assert.deepEqual(client.lines(), [`@1 id=-1 created canceled "${reason}"`]);
    assert.equal(client.call.ended, undefined);
  }
  const client = new Server().connect();
  client.create({ key: "a", watchId: -1 });
  client.create({ key: "b", watchId: -1 });
  assert.deepEqual(client.lines(), [
    "@1 id=-1 created",
    '@1 id=-1 created canceled "mvcc: duplicate watch ID provided on the WatchStream"',
  ]);
});

test("rights are asked for the key that an empty one stands for, and for the range as it came", () => {
  const asked: string[] = [];
  const permit: WatchPorts["permit"] = (_, key, end) => {
    asked.push(`${JSON.stringify(bytesToText(key))} ${JSON.stringify(bytesToText(end))}`);
    return undefined;
  };
  const client = new Server({ permit }).connect();
  client.create({});
  client.create({ key: "a", end: "\0" });
  assert.deepEqual(asked, ['"\\u0000" ""', '"a" "\\u0000"']);
});

test("a cancel is confirmed when there is such a watch; other requests get no answer", () => {
  const client = new Server().connect();
  client.create({ key: "a" });
  client.request({ cancelRequest: { watchId: 5 } });
  client.request({ cancelRequest: { watchId: 0 } });
  client.request({ cancelRequest: { watchId: 0 } });
  client.request({});
  client.request({ progressRequest: {} });
  assert.deepEqual(client.lines(), ["@1 id=0 created", "@1 id=0 canceled"]);
});

test("progress is answered with id -1 and no events, once all watches are up to date", () => {
  const server = new Server();
  const client = server.connect();
  server.put("a");
  client.create({ key: "a" });
  client.create({ key: "a", startRevision: 1 });
  client.request({ progressRequest: {} });
  server.catchUp();
  client.request({ progressRequest: {} });
  assert.deepEqual(client.lines().slice(2), ["@2 id=1 a", "@2 id=-1"]);
});

test("a watch of compacted history ends with that revision, no reason and no header revision", () => {
  const server = new Server();
  for (const key of ["a", "a", "a", "a"]) server.put(key);
  server.history.compactedRevision = 4;
  const client = server.connect();
  client.create({ key: "a", startRevision: 2, watchId: 9 });
  server.catchUp();
  assert.deepEqual(client.lines(), ["@5 id=9 created", "@0 id=9 canceled compacted=4"]);
});

test("fragments: split only when asked for, greedily, below the limit but with one event at least", () => {
  const keys = ["a".repeat(90), "bb", "ccc", "d".repeat(90), "e", "f", "g"];
  for (let fragmentBytes = 50; fragmentBytes < 600; fragmentBytes++) {
    const server = new Server({ fragmentBytes });
    const [split, whole] = [server.connect(), server.connect()];
    split.create({ key: "a", end: "z", fragment: true });
    whole.create({ key: "a", end: "z" });
    split.responses();
    whole.responses();
    server.put(...keys);
    const wholeBytes = whole.call.sent[0]!.length;
    assert.equal(whole.responses()[0]!.events.length, keys.length);
    const sizes = split.call.sent.map((message) => message.length);
    const fragments = split.responses();
    assert.equal(fragments.length === 1, wholeBytes < fragmentBytes);
    checkFragments(fragments, sizes, fragmentBytes);
    const told = fragments.flatMap((r) => r.events.map((event) => bytesToText(event.kv!.key)));
    assert.deepEqual(told, keys);
  }
});

function checkFragments(
  fragments: readonly api.WatchResponse[],
  sizes: readonly number[],
  fragmentBytes: number,
): void {
  fragments.forEach(({ events, fragment }, i) => {
    const isLast = i === fragments.length - 1;
    assert.equal(fragment, !isLast);
    assert.ok(events.length === 1 || (events.length > 1 && sizes[i]! < fragmentBytes));
    if (isLast) return;
    const next = encodeMessage(api.WatchResponse, { events: [fragments[i + 1]!.events[0]!] });
    assert.ok(sizes[i]! + next.length >= fragmentBytes, "one more would have been too much");
  });
}

test("one event is never split, however large", () => {
  const server = new Server({ fragmentBytes: 100 });
  const client = server.connect();
  client.create({ key: "a", end: "z", fragment: true });
  client.responses();
  server.put("d".repeat(200));
  assert.deepEqual(
    client.responses().map((r) => r.fragment),
    [false],
  );
});

test("headers carry the term of the moment", () => {
  let term = 2;
  const server = new Server({ raftTerm: () => term });
  const client = server.connect();
  client.create({ key: "a" });
  server.put("a");
  term = 3;
  client.create({ key: "a", startRevision: 2 });
  server.catchUp();
  assert.deepEqual(
    client.responses().map((r) => r.header!.raftTerm),
    [2, 2, 3, 3],
  );
});

test("idle watches are told the revision at each interval of their stream, jitter included", () => {
  const server = new Server({ random: () => 0.5, progressIntervalMs: 1000 });
  const client = server.connect();
  client.create({ key: "a", progressNotify: true });
  client.create({ key: "b", progressNotify: true });
  client.create({ key: "c" });
  client.lines();
  server.service.tick(5000);
  server.service.tick(6049);
  assert.deepEqual(client.lines(), []);
  server.put("a");
  server.service.tick(6050);
  assert.deepEqual(client.lines(), ["@2 id=0 a", "@2 id=1"]);
  server.service.tick(7099);
  assert.deepEqual(client.lines(), []);
  server.service.tick(7100);
  assert.deepEqual(client.lines(), ["@2 id=0", "@2 id=1"]);
  assert.equal(new Server({ progressIntervalMs: 1 }).service.progressPeriodMs(), 100);
});

test("a client that has sent all its requests still hears of its watches; one that is gone does not", () => {
  const server = new Server();
  const client = server.connect();
  client.create({ key: "a" });
  client.call.onHalfClose(client.call);
  server.put("a");
  assert.deepEqual(client.lines(), ["@1 id=0 created", "@2 id=0 a"]);
  client.call.onCancel("reset by client", client.call);
  server.put("a");
  assert.deepEqual(client.lines(), []);
  assert.deepEqual(server.hub.counters, { streams: 0, watchers: 0, slowWatchers: 0, events: 1 });
});

test("a call that is over leaves no watch behind, however it ended", () => {
  const server = new Server();
  const endings: ((client: Client) => void)[] = [
    (client) => server.service.end(fail("stopped"), (call) => call === client.call),
    (client) => client.call.onCancel("connection lost", client.call),
    (client) => assert.throws(() => client.call.onMessage(Uint8Array.of(0x0a, 9), client.call)),
    (client) => {
      client.call.end(fail("stopped"));
      server.put("a");
    },
  ];
  for (const ending of endings) {
    const client = server.connect();
    client.create({ key: "a" });
    ending(client);
    const { streams, watchers } = server.hub.counters;
    assert.deepEqual({ streams, watchers }, { streams: 0, watchers: 0 });
  }
});

test("ending all calls gives each the reason", () => {
  const server = new Server();
  const clients = [server.connect(), server.connect()];
  server.service.end(fail("noLeader"));
  for (const client of clients) assert.deepEqual(client.call.ended, fail("noLeader"));
});

test("a client that does not read is told later what it missed, in one piece", () => {
  const server = new Server();
  const client = server.connect();
  client.create({ key: "a" });
  client.call.bytesMax = client.call.bufferedBytes + 1;
  for (let i = 0; i < 5; i++) server.put("a");
  server.catchUp();
  assert.deepEqual(client.lines(), ["@1 id=0 created", "@2 id=0 a"]);
  client.call.bytesMax = Number.POSITIVE_INFINITY;
  client.call.onDrain(client.call);
  server.catchUp();
  assert.deepEqual(client.lines(), ["@6 id=0 a,a,a,a"]);
});

test("a client that makes requests without end and reads nothing is cut off at 4 MiB of replies", () => {
  const server = new Server();
  const client = server.connect();
  client.call.bufferedBytes = 4 * 1024 * 1024 - 250;
  client.call.bytesMax = 512 * 1024;
  for (let i = 0; i < 3; i++) client.create({ key: "a", startRevision: -1 });
  assert.deepEqual(client.call.ended, fail("tooManyRequests"));
  assert.equal(server.hub.counters.streams, 0);
});
