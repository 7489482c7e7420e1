import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bytesToText, textToBytes } from "../base/index.ts";
import { type Channel, connectChannel } from "../client/channel.ts";
import { kv, lease, parseEndpoint, StatusError, type Unary } from "../client/index.ts";
import { Logger } from "../observe/index.ts";
import { api, CODE, decodeMessage, encodeMessage, type Init } from "../proto/index.ts";
import { makeConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";
import { type Running, serve } from "./serve.ts";

/** Locks and elections that the server keeps, asked for by real calls. */

const folder = mkdtempSync(join(tmpdir(), "coordination-"));
const url = `unix://${join(folder, "grpc.sock")}`;
const peerUrl = `unix://${join(folder, "peer.sock")}`;
let running: Running;
let channel: Channel;

async function connect(): Promise<Channel> {
  const limits = { receiveBytesMax: 2 ** 20, sendBytesMax: 2 ** 20, tls: undefined };
  const times = { timeoutMs: 5_000, keepAliveMs: 0, keepAliveTimeoutMs: 0 };
  return connectChannel(parseEndpoint(url), { ...limits, ...times });
}

before(async () => {
  const flags = [`--data-dir=${join(folder, "data")}`, `--listen-client-urls=${url}`];
  const advertised = "--advertise-client-urls=http://localhost:2379";
  flags.push(`--listen-peer-urls=${peerUrl}`, advertised);
  const config = makeConfig(parseFlags(flags, {}));
  running = await serve(config, new Logger({ level: "fatal" }), (error) => {
    assert.fail(error as Error);
  });
  await running.ready;
  channel = await connect();
});

after(async () => {
  channel.close();
  await running.stop();
  rmSync(folder, { recursive: true });
});

const method = <Q, R>(
  name: string,
  request: Unary<Q, R>["request"],
  response: Unary<Q, R>["response"],
) => ({ path: `/${name}`, request, response });

const LOCK = method("v3lockpb.Lock/Lock", api.LockRequest, api.LockResponse);
const UNLOCK = method("v3lockpb.Lock/Unlock", api.UnlockRequest, api.UnlockResponse);
const election = "v3electionpb.Election";
const CAMPAIGN = method(`${election}/Campaign`, api.CampaignRequest, api.CampaignResponse);
const PROCLAIM = method(`${election}/Proclaim`, api.ProclaimRequest, api.ProclaimResponse);
const LEADER = method(`${election}/Leader`, api.LeaderRequest, api.LeaderResponse);
const RESIGN = method(`${election}/Resign`, api.ResignRequest, api.ResignResponse);

interface Asked {
  readonly over?: Channel;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

type Method<Q, R> = Pick<Unary<Q, R>, "path" | "request" | "response">;

async function ask<Q, R>(
  { path, request, response }: Method<Q, R>,
  message: Init<Q>,
  { over = channel, timeoutMs, signal }: Asked = {},
): Promise<R> {
  const bytes = encodeMessage(request, message);
  return decodeMessage(
    response,
    await over.unary(path, bytes, { metadata: {}, timeoutMs, signal }),
  );
}

const bytes = textToBytes;

async function grant(): Promise<bigint> {
  return (await ask(lease.grant, { TTL: 60 })).ID;
}

/** Keys under a name, in the order in which they were made. */
async function waiting(name: string): Promise<string[]> {
  const prefix = { key: bytes(`${name}/`), rangeEnd: bytes(`${name}0`) };
  const { CREATE: sortTarget } = api.SORT_TARGET;
  const answer = await ask(kv.range, { ...prefix, sortTarget, sortOrder: api.SORT_ORDER.ASCEND });
  return answer.kvs.map(({ key }) => bytesToText(key));
}

async function untilWaiting(name: string, count: number): Promise<void> {
  while ((await waiting(name)).length !== count) await new Promise(setImmediate);
}

const refusal =
  (message: string, code: number = CODE.unknown) =>
  (error: unknown) => {
    assert.ok(error instanceof StatusError);
    assert.deepEqual([error.code, error.message], [code, message]);
    return true;
  };

test("a free lock is had at once, under a key made of its name and the lease", async () => {
  const id = await grant();
  const { header, key } = await ask(LOCK, { name: bytes("free"), lease: id });
  assert.equal(bytesToText(key), `free/${id.toString(16)}`);
  const { header: now, kvs } = await ask(kv.range, { key });
  assert.equal(header?.revision, now?.revision);
  assert.equal(kvs[0]?.lease, id);
  const again = await ask(LOCK, { name: bytes("free"), lease: id });
  assert.equal(again.header?.revision, header?.revision, "it is held already");
});

test("a caller without a lease gets one of a minute", async () => {
  const { key } = await ask(LOCK, { name: bytes("leaseless") });
  const [found] = (await ask(kv.range, { key })).kvs;
  assert.equal(bytesToText(key), `leaseless/${found!.lease.toString(16)}`);
  const { grantedTTL } = await ask(lease.timeToLive, { ID: found!.lease });
  assert.equal(grantedTTL, 60);
});

test("a hundred callers get the lock one after the other, in the order of their keys", async () => {
  const name = bytes("queue");
  const got: string[] = [];
  const held = await ask(LOCK, { name });
  const turns = Array.from({ length: 100 }, async () => {
    const { header, key } = await ask(LOCK, { name });
    got.push(bytesToText(key));
    assert.equal((await waiting("queue"))[0], bytesToText(key));
    const unlocked = await ask(UNLOCK, { key });
    assert.ok(unlocked.header!.revision > header!.revision);
  });
  await untilWaiting("queue", 101);
  const queue = await waiting("queue");
  assert.deepEqual(got, []);
  await ask(UNLOCK, { key: held.key });
  await Promise.all(turns);
  assert.deepEqual(got, queue.slice(1));
});

test("the lock goes on when the lease of its holder is revoked", async () => {
  const id = await grant();
  await ask(LOCK, { name: bytes("orphan"), lease: id });
  const next = ask(LOCK, { name: bytes("orphan") });
  await untilWaiting("orphan", 2);
  await ask(lease.revoke, { ID: id });
  assert.deepEqual(await waiting("orphan"), [bytesToText((await next).key)]);
});

test("whoever waits with a lease that is gone is told when it is its turn", async () => {
  const { key } = await ask(LOCK, { name: bytes("late") });
  const id = await grant();
  const next = ask(LOCK, { name: bytes("late"), lease: id });
  const refused = assert.rejects(next, refusal("mutex: session is expired"));
  await untilWaiting("late", 2);
  await ask(lease.revoke, { ID: id });
  await ask(UNLOCK, { key });
  await refused;
});

test("a caller that gives up, runs out of time or is cut off leaves the queue", async () => {
  const name = bytes("left");
  const { key } = await ask(LOCK, { name });
  const brief = ask(LOCK, { name }, { timeoutMs: 50 });
  await assert.rejects(brief, refusal("context deadline exceeded", CODE.deadlineExceeded));
  await untilWaiting("left", 1);
  const controller = new AbortController();
  const given = ask(LOCK, { name }, { signal: controller.signal });
  const canceled = assert.rejects(given, refusal("context canceled", CODE.canceled));
  const other = await connect();
  const cut = assert.rejects(ask(LOCK, { name }, { over: other }));
  const stays = ask(LOCK, { name });
  await untilWaiting("left", 4);
  controller.abort();
  other.close();
  await Promise.all([canceled, cut]);
  await untilWaiting("left", 2);
  await ask(UNLOCK, { key });
  await ask(UNLOCK, { key: (await stays).key });
  assert.deepEqual(await waiting("left"), []);
});

test("refusals have the texts of the requests behind them, and the code Unknown", async () => {
  const refuse = assert.rejects;
  const noLease = refusal("etcdserver: requested lease not found");
  await refuse(ask(LOCK, { name: bytes("r"), lease: 99n }), noLease);
  await refuse(ask(CAMPAIGN, { name: bytes("r"), lease: 99n }), noLease);
  await refuse(ask(UNLOCK, {}), refusal("etcdserver: key is not provided"));
  await refuse(ask(PROCLAIM, {}), refusal('"leader" field must be provided'));
  await refuse(ask(RESIGN, {}), refusal('"leader" field must be provided'));
  await refuse(ask(LEADER, { name: bytes("r") }), refusal("election: no leader"));
  const leader = { name: bytes("r"), key: bytes("r/1"), rev: 7, lease: 99n };
  await refuse(ask(PROCLAIM, { leader }), refusal("election: not leader"));
  assert.deepEqual(await waiting("r"), []);
});

test("the first candidate leads until it resigns, and may say something new", async () => {
  const name = bytes("e");
  const id = await grant();
  const { leader, header } = await ask(CAMPAIGN, { name, lease: id, value: bytes("one") });
  assert.equal(leader?.rev, header?.revision);
  const second = ask(CAMPAIGN, { name, value: bytes("two") });
  await untilWaiting("e", 2);
  const says = async () => bytesToText((await ask(LEADER, { name })).kv!.value);
  assert.equal(await says(), "one");
  await ask(PROCLAIM, { leader, value: bytes("once more") });
  assert.equal(await says(), "once more");
  const again = await ask(CAMPAIGN, { name, lease: id, value: bytes("again") });
  assert.deepEqual(again.leader, leader);
  assert.equal(await says(), "again");
  await ask(RESIGN, { leader });
  assert.notEqual((await second).leader?.lease, id);
  assert.equal(await says(), "two");
  await ask(RESIGN, { leader }, {});
  assert.equal(await says(), "two", "who does not lead resigns in vain");
  await assert.rejects(ask(PROCLAIM, { leader }), refusal("election: not leader"));
});

test("an observer sees each leader and all it says, from the first one on", async () => {
  const name = bytes("o");
  const stream = channel.stream(`/${election}/Observe`, { metadata: {} });
  stream.send(encodeMessage(api.LeaderRequest, { name }));
  stream.end();
  const sees = async () => {
    const answer = decodeMessage(api.LeaderResponse, (await stream.next())!);
    return `${bytesToText(answer.kv!.value)} ${answer.header!.revision - answer.kv!.modRevision}`;
  };
  const { leader } = await ask(CAMPAIGN, { name, value: bytes("first") });
  assert.equal(await sees(), "first 0");
  await ask(PROCLAIM, { leader, value: bytes("word") });
  assert.equal(await sees(), "word 0");
  const second = ask(CAMPAIGN, { name, value: bytes("second") });
  await untilWaiting("o", 2);
  await ask(RESIGN, { leader });
  await second;
  assert.equal(await sees(), "second 1");
  stream.cancel();
  await assert.rejects(stream.next(), refusal("context canceled", CODE.canceled));
});

test("an observer that reads late is told everything, and holds nobody up meanwhile", async () => {
  const name = bytes("slow");
  const { leader } = await ask(CAMPAIGN, { name });
  const stream = channel.stream(`/${election}/Observe`, { metadata: {} });
  stream.send(encodeMessage(api.LeaderRequest, { name }));
  stream.end();
  await stream.next();
  const WORDS = 60;
  for (let i = 0; i < WORDS; i++) {
    await ask(PROCLAIM, { leader, value: new Uint8Array(100_000).fill(i) });
  }
  for (let i = 0; i < WORDS; i++) {
    const { kv: said } = decodeMessage(api.LeaderResponse, (await stream.next())!);
    assert.deepEqual([said?.value.length, said?.value[0]], [100_000, i]);
  }
  stream.cancel();
});
