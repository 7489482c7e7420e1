import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { textToBytes } from "../base/index.ts";
import { nodeFileIo, prepareDataDir } from "../disk/index.ts";
import type { ServerCall } from "../grpc/index.ts";
import { WatchHub } from "../mvcc/index.ts";
import { Logger } from "../observe/index.ts";
import { api, decodeMessage, encodeMessage, fail, type Init, type Schema } from "../proto/index.ts";
import { METHODS, Pipeline, Service, WatchService, whole } from "../rpc/index.ts";
import { bootIn } from "./boot.ts";
import { makeConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";
import { type Host, machine } from "./host.ts";
import { LoopTime } from "./time.ts";

const { ACTIVATE, DEACTIVATE, GET } = api.ALARM_ACTION;
const { NONE, NOSPACE, CORRUPT } = api.ALARM_TYPE;
const NO_SPACE = "etcdserver: mvcc: database space exceeded";
const TOO_MANY = "etcdserver: too many requests";
const MIB = 1024 * 1024;

const HOST = { ...machine(), io: nodeFileIo, lock: async () => {} };
const QUIET = new Logger({ level: "fatal" });
const parent = mkdtempSync(join(tmpdir(), "quord-limits-"));
after(() => rmSync(parent, { recursive: true }));

/** A member with its services, called without a network. */
class Server {
  readonly service: Service;
  readonly #pipeline: Pipeline;
  /** Bytes that a request may need at most. */
  memory = Number.POSITIVE_INFINITY;

  private constructor(make: (server: Server) => Service) {
    this.service = make(this);
    this.#pipeline = new Pipeline(this.service);
  }

  static start(name: string, ...flags: string[]): Promise<Server> {
    return Server.startOn(HOST, name, ...flags);
  }

  static async startOn(host: Host, name: string, ...flags: string[]): Promise<Server> {
    const dataDir = join(parent, name);
    const config = makeConfig(parseFlags([`--data-dir=${dataDir}`, ...flags], {}));
    const dir = await prepareDataDir({ dataDir, walDir: "", warn: () => {} });
    const onFatal = (error: unknown) => assert.fail(error as Error);
    const options = { config, logger: QUIET, onRevision: () => {}, flush: () => {}, onFatal };
    const { member, store } = await bootIn(dir, options, host);
    member.start();
    await member.publish({ name: "default", clientUrls: [] });
    const watches = new WatchService({
      hub: new WatchHub(store, () => {}),
      ...member.ids,
      raftTerm: () => 0,
      permit: () => undefined,
      random: Math.random,
      progressIntervalMs: 1000,
      fragmentBytes: MIB,
    });
    const limits = {
      txnOpsMax: config.txnOpsMax,
      requestBytesMax: config.requestBytesMax,
      quotaBytes: config.quotaBytes,
      stopsOnDefragment: true,
    };
    const make = (server: Server) =>
      new Service({
        member,
        watches,
        limits,
        memory: { admits: (bytes) => bytes <= server.memory },
        lines: QUIET,
        serviceNames: [],
      });
    return new Server(make);
  }

  /** The reply, or the text of the refusal. */
  call<Q, R>(path: string, request: [Schema<Q>, Init<Q>], reply: Schema<R>): Promise<R | string> {
    const method = METHODS.get(`/etcdserverpb.${path}`);
    assert.ok(method?.kind === "unary");
    return new Promise((resolve) =>
      this.#pipeline.unary(method, encodeMessage(...request), {
        reply: (message) => resolve(decodeMessage(reply, whole(message).slice())),
        settle: ({ error, message }) =>
          resolve(
            error === undefined ? decodeMessage(reply, message!.slice()) : fail(error).message,
          ),
        fail: ({ message }) => resolve(message),
      }),
    );
  }

  async put(key: string, bytes = 1): Promise<string> {
    const value = new Uint8Array(bytes);
    const request = { key: textToBytes(key), value };
    return outcome(await this.call("KV/Put", [api.PutRequest, request], api.PutResponse));
  }

  async delete(key: string): Promise<string> {
    const request = { key: textToBytes(key) };
    const schema = api.DeleteRangeRequest;
    return outcome(await this.call("KV/DeleteRange", [schema, request], api.DeleteRangeResponse));
  }

  async list(): Promise<string> {
    const request = { key: textToBytes("a"), rangeEnd: textToBytes("z") };
    return outcome(await this.call("KV/Range", [api.RangeRequest, request], api.RangeResponse));
  }

  async alarm(action: number, alarm: number): Promise<string> {
    const { memberId: memberID } = this.service.member.ids;
    const request = { action, alarm, memberID };
    const reply = await this.call(
      "Maintenance/Alarm",
      [api.AlarmRequest, request],
      api.AlarmResponse,
    );
    return typeof reply === "string" ? reply : reply.alarms.map((each) => each.alarm).join();
  }

  async status(): Promise<api.StatusResponse> {
    const reply = await this.call(
      "Maintenance/Status",
      [api.StatusRequest, {}],
      api.StatusResponse,
    );
    assert.ok(typeof reply !== "string");
    return reply;
  }

  stop(): Promise<void> {
    return this.service.member.stop();
  }
}

const outcome = (reply: unknown): string => (typeof reply === "string" ? reply : "done");

test("a page file at its quota raises an alarm, which outlives a restart and is taken back by hand", async () => {
  let server = await Server.start("quota", "--quota-backend-bytes=100000");
  const put: string[] = [];
  for (let i = 0; i < 10 && put.at(-1) !== NO_SPACE; i++) {
    put.push(await server.put(`a${i}`, 30_000));
    await server.service.member.committed();
  }
  assert.equal(put[0], "done");
  assert.equal(put.at(-1), NO_SPACE);
  assert.equal(await server.alarm(GET, NONE), `${NOSPACE}`, "it stands before that is told");
  const { memberId } = server.service.member.ids;
  const { errors, dbSizeQuota } = await server.status();
  assert.deepEqual(errors, [`memberID:${memberId} alarm:NOSPACE`]);
  assert.equal(dbSizeQuota, 100_000);
  assert.equal(await server.delete("a0"), "done");
  await server.stop();

  server = await Server.start("quota");
  assert.equal(await server.put("a"), NO_SPACE, "with room again it is refused all the same");
  assert.equal(await server.alarm(DEACTIVATE, NOSPACE), `${NOSPACE}`);
  assert.equal(await server.put("a"), "done");
  assert.deepEqual((await server.status()).errors, []);
  await server.stop();
});

test("below nine tenths of the quota an alarm goes by itself, where that was asked for", async () => {
  const server = await Server.start("disarm", "--auto-disarm-nospace");
  await server.alarm(ACTIVATE, NOSPACE);
  assert.equal(await server.put("a"), NO_SPACE);
  while ((await server.alarm(GET, NONE)) !== "") await new Promise((go) => setTimeout(go, 20));
  assert.equal(await server.put("a"), "done");
  await server.stop();
});

test("a corrupt cluster refuses writes and answers reads", async () => {
  const server = await Server.start("corrupt");
  await server.alarm(ACTIVATE, CORRUPT);
  assert.equal(await server.put("a"), "etcdserver: corrupt cluster");
  assert.equal(await server.delete("a"), "etcdserver: corrupt cluster");
  assert.equal(await server.list(), "done");
  await server.stop();
});

test("where memory is scarce, what needs much is refused and the rest goes on", async () => {
  const server = await Server.start("memory");
  for (let i = 0; i < 40; i++) assert.equal(await server.put(`k${i}`, 300_000), "done");
  server.memory = 1000;
  assert.equal(await server.put("big", 2000), TOO_MANY);
  assert.equal(await server.put("small", 100), "done");
  assert.equal(await server.list(), TOO_MANY, "a list of 12 MB takes several slices");
  server.memory = 0;
  assert.equal(await server.put("small", 100), TOO_MANY);
  assert.equal(await server.delete("k0"), "done", "what makes room is never refused");
  server.memory = Number.POSITIVE_INFINITY;
  assert.equal(await server.list(), "done");
  await server.stop();
});

test("while it defragments, the server counts as not serving, if that was asked for", async () => {
  const server = await Server.start("defragment");
  const told: number[] = [];
  const call = {
    send: (message: Uint8Array) =>
      told.push(decodeMessage(api.HealthCheckResponse, message).status),
  } as unknown as ServerCall;
  const method = METHODS.get("/grpc.health.v1.Health/Watch");
  assert.ok(method?.kind === "stream");
  method.serve(server.service, call);
  call.onMessage(encodeMessage(api.HealthCheckRequest, {}), call);
  const request = [api.DefragmentRequest, {}] as [typeof api.DefragmentRequest, object];
  const reply = await server.call("Maintenance/Defragment", request, api.DefragmentResponse);
  assert.ok(typeof reply !== "string" && reply.header === undefined, "as empty as etcd's");
  const { SERVING, NOT_SERVING } = api.SERVING_STATUS;
  assert.deepEqual(told, [SERVING, NOT_SERVING, SERVING]);
  await server.stop();
});

test("when more than 5000 committed entries wait to be applied, no more are taken", async () => {
  const server = await Server.start("behind");
  const { member } = server.service;
  const puts = Array.from({ length: 8000 }, (_, i) => server.put(`k${i}`));
  const isBehind = () => member.committedIndex - member.state.appliedIndex > 5000;
  for (let turns = 0; !isBehind() && turns < 10_000; turns++) await new Promise(setImmediate);
  assert.equal(await server.put("late"), TOO_MANY);
  assert.deepEqual(new Set(await Promise.all(puts)), new Set(["done"]));
  assert.equal(await server.put("late"), "done");
  await server.stop();
});

/** Time in which others use every turn up, and only who asks for a share of his own has one. */
class BusyTime extends LoopTime {
  turns = 0;

  override turnIsSpent(since?: number): boolean {
    return since === undefined;
  }

  override nextTurn(): Promise<void> {
    this.turns++;
    return super.nextTurn();
  }
}

test("puts do not wait for a turn each while others use every turn up", async () => {
  const time = new BusyTime();
  const server = await Server.startOn({ ...HOST, time }, "busy");
  const before = time.turns;
  const outcomes = await Promise.all(Array.from({ length: 200 }, (_, i) => server.put(`k${i}`)));
  assert.deepEqual(new Set(outcomes), new Set(["done"]));
  assert.ok(time.turns - before < 200);
  await server.stop();
});
