import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { ROUTES } from "../http/index.ts";
import { Logger } from "../observe/index.ts";
import { METHODS } from "../rpc/index.ts";
import { makeConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";
import { LEFT_OUT } from "./metrics-testing.ts";
import { type Running, serve } from "./serve.ts";

const folder = mkdtempSync(join(tmpdir(), "endpoints-"));
const socketOf = (name: string) => join(folder, `${name}.sock`);
const url = (name: string) => `unix://${socketOf(name)}`;
let running: Running;

/** One server whose gRPC, HTTP and metrics have unix sockets of their own. */
before(async () => {
  const flags = [
    `--data-dir=${join(folder, "data")}`,
    `--listen-client-urls=${url("grpc")}`,
    "--advertise-client-urls=http://localhost:2379",
    `--listen-client-http-urls=${url("http")}`,
    `--listen-metrics-urls=${url("metrics")}`,
    `--listen-peer-urls=${url("peer")}`,
    "--metrics=extensive",
    "--enable-pprof",
  ];
  const config = makeConfig(parseFlags(flags, {}));
  const logger = new Logger({ level: "fatal" });
  running = await serve(config, logger, (error) => assert.fail(error as Error));
  await running.ready;
});

after(async () => {
  await running.stop();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Asked {
  readonly port?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function ask(path: string, asked: Asked = {}): Promise<Answer> {
  const { port = "http", method = "GET", headers = {}, body = "" } = asked;
  return new Promise((resolve, reject) => {
    const options = { socketPath: socketOf(port), path, method, headers, agent: false };
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const { statusCode: status = 0, headers: fields } = response;
        resolve({ status, headers: fields, body: Buffer.concat(chunks) });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function post(path: string, body: string): Promise<Answer> {
  return ask(path, { method: "POST", body });
}

interface Family {
  readonly type: string;
  readonly help: string;
  /** Names of labels, sorted; of the first series. */
  labels: string;
  bounds: string[];
}

/** Names, types, helps, labels and buckets of a page of metrics. */
function readPage(page: string): Map<string, Family> {
  const families = new Map<string, Family>();
  for (const [, name, help, , type, lines] of page.matchAll(
    /# HELP (\S+) (.*)\n# TYPE (\S+) (\w+)\n((?:[^#].*\n)*)/g,
  )) {
    const series = [...lines!.matchAll(/^[\w:]+(?:\{(.*)\})? \S+$/gm)].map(([, text]) => {
      return Object.fromEntries(
        [...(text ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
      );
    });
    const labels = Object.keys(series[0] ?? {}).filter((key) => key !== "le");
    const bounds = [...new Set(series.flatMap(({ le }) => (le === undefined ? [] : [le])))];
    families.set(name!, { type: type!, help: help!, labels: labels.sort().join(), bounds });
  }
  return families;
}

/** The same of etcd's page, as recorded. */
function recorded(): Map<string, Family> {
  const path = new URL("../../test/data/etcd-3.7.3/metrics.txt", import.meta.url);
  const families = new Map<string, Family>();
  for (const [, type, name, labels, help, bounds] of readFileSync(path, "utf8").matchAll(
    /^(\w+) (\w+)(?:\{(.*)\})?\n  (.*)\n(?:  le (.*)\n)?/gm,
  )) {
    const sorted = (labels ?? "").split(",").sort().join();
    const found = { type: type!, help: help!, labels: sorted, bounds: bounds?.split(" ") ?? [] };
    families.set(name!, found);
  }
  return families;
}

test("the metrics are etcd's: names, types, helps, labels and buckets", async () => {
  // So that metrics with labels have a series.
  await post("/v3/kv/range", '{"key":"YQ=="}');
  await post("/v3/maintenance/alarm", '{"action":"ACTIVATE","memberID":"5","alarm":"CORRUPT"}');
  await ask("/readyz");
  const ours = readPage(String((await ask("/metrics")).body));
  await post("/v3/maintenance/alarm", '{"action":"DEACTIVATE","memberID":"5","alarm":"CORRUPT"}');
  const theirs = recorded();
  assert.equal(theirs.size, 106);
  for (const [name, family] of theirs) {
    if (LEFT_OUT.some(([, names]) => names.test(name))) {
      assert.ok(!ours.has(name), `${name} is shown`);
    } else assert.deepEqual(ours.get(name), family, name);
  }
  for (const name of ours.keys()) assert.ok(theirs.has(name) || name.startsWith("quord_"), name);
});

test("calls are counted by method and code, those of the gateway too", async () => {
  const series = (page: string, text: string) => Number(page.split(`${text} `)[1]?.split("\n")[0]);
  const labels = 'grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"}';
  const read = async () => {
    const page = String((await ask("/metrics")).body);
    return [
      series(page, `grpc_server_started_total{${labels}`),
      series(page, `grpc_server_handled_total{grpc_code="OK",${labels}`),
      series(page, `grpc_server_handled_total{grpc_code="InvalidArgument",${labels}`),
      series(page, `grpc_server_handling_seconds_count{${labels}`),
      series(page, "\netcd_mvcc_put_total"),
    ];
  };
  const first = await read();
  await post("/v3/kv/put", '{"key":"YQ=="}');
  await post("/v3/kv/put", "{}");
  assert.deepEqual(
    (await read()).map((value, i) => value - first[i]!),
    [2, 1, 1, 2, 1],
  );
});

test("turns of the loop and pauses of the collector are shown", async () => {
  let page = "";
  while (!/^quord_loop_turn_cpu_seconds_bucket\{le="0.02"\} [1-9]/m.test(page)) {
    page = String((await ask("/metrics", { port: "metrics" })).body);
  }
  assert.match(page, /^quord_gc_pause_seconds_bucket\{kind="scavenge",le="0.01"\} \d/m);
});

test("the metrics are compressed when that is asked for", async () => {
  const headers = { "accept-encoding": "deflate, gzip;q=0.5" };
  const { headers: fields, body } = await ask("/metrics", { headers });
  assert.equal(fields["content-encoding"], "gzip");
  assert.match(String(gunzipSync(body)), /^# HELP etcd_cluster_version /);
  const plain = await ask("/metrics", { headers: { "accept-encoding": "gzip;q=0" } });
  assert.equal(plain.headers["content-encoding"], undefined);
});

test("all paths of the gateway answer, those of later work too", async () => {
  assert.equal(ROUTES.size, 51);
  // A watch and an observer stay open, a snapshot is long.
  const streams = new Set(["/v3/watch", "/v3/election/observe", "/v3/maintenance/snapshot"]);
  for (const [path, { method }] of ROUTES) {
    if (streams.has(path)) continue;
    // The lock and the election of no name would wait for each other.
    const request = path === "/v3/election/campaign" ? '{"name":"ZQ=="}' : "{}";
    const { status, headers, body } = await post(path, request);
    assert.match(headers["content-type"] ?? "application/json", /^application\/json$/, path);
    if (METHODS.get(method)!.kind === "later") {
      const message = `${method} is not supported by this version of quord`;
      assert.equal(status, 501, path);
      const last = JSON.parse(String(body)) as { error?: object };
      assert.deepEqual(last.error ?? last, { code: 12, message }, path);
    } else assert.doesNotMatch(String(body), /"Not Found"/, path);
  }
});

test("an answer too long for one write comes whole", async () => {
  const value = Buffer.alloc(100_000, "v").toString("base64");
  for (let i = 0; i < 30; i++) {
    const key = Buffer.from(`long/${i}`).toString("base64");
    assert.equal((await post("/v3/kv/put", JSON.stringify({ key, value }))).status, 200);
  }
  const key = Buffer.from("long/").toString("base64");
  const body = JSON.stringify({ key, range_end: Buffer.from("long0").toString("base64") });
  const answer = await post("/v3/kv/range", body);
  const { kvs, count } = JSON.parse(String(answer.body)) as {
    kvs: { value: string }[];
    count: string;
  };
  assert.equal(count, "30");
  assert.ok(kvs.length === 30 && kvs.every((pair) => pair.value === value));
});

test("a port for metrics has health and metrics, and nothing else", async () => {
  for (const path of ["/metrics", "/health", "/livez", "/readyz/linearizable_read"]) {
    const { status, headers } = await ask(path, { port: "metrics" });
    assert.equal(status, 200, path);
    assert.equal(headers["access-control-allow-origin"], undefined);
  }
  for (const path of ["/version", "/debug/vars", "/debug/pprof/", "/v3/kv/range"]) {
    assert.equal((await ask(path, { port: "metrics" })).status, 404, path);
  }
});

test("a port for gRPC alone closes connections that speak HTTP/1", async () => {
  await assert.rejects(ask("/health", { port: "grpc" }));
});

test("the variables of the process are a JSON object, as Go's expvar writes it", async () => {
  const { headers, body } = await ask("/debug/vars");
  assert.equal(headers["content-type"], "application/json; charset=utf-8");
  const vars = JSON.parse(String(body)) as Record<string, unknown>;
  assert.deepEqual(Object.keys(vars), [
    "cmdline",
    "file_descriptor_limit",
    "memstats",
    "raft.status",
  ]);
  assert.match(String(body), /^\{\n"cmdline": .*,\n"file_descriptor_limit": \d+,\n/);
  const { raftState, id, lead } = vars["raft.status"] as Record<string, string>;
  assert.deepEqual([raftState, id], ["StateLeader", lead]);
});

test("profiles are made by V8, one at a time", async () => {
  const [cpu, busy] = await Promise.all([
    ask("/debug/pprof/profile?seconds=0.1"),
    ask("/debug/pprof/heap?seconds=0.1"),
  ]);
  assert.ok(Array.isArray((JSON.parse(String(cpu.body)) as { nodes: [] }).nodes));
  assert.equal(busy.status, 500);
  const heap = await ask("/debug/pprof/heap?seconds=0.05");
  assert.ok("head" in (JSON.parse(String(heap.body)) as object));
  assert.equal((await ask("/debug/pprof/profile?seconds=x")).status, 400);
  assert.equal((await ask("/debug/pprof/goroutine")).status, 404);
  assert.match(String((await ask("/debug/pprof/")).body), /^heap\t/m);
  assert.equal((await ask("/debug/pprof")).status, 307);
});
