/** JSON over HTTP/1.1 where it is not simply a method with another coat: streams, errors, endpoints. */
import type { DescMethod } from "@bufbuild/protobuf";
import { Auth, Cluster, KV, Lease, Maintenance } from "../lib/api.ts";
import { sameSpaces } from "./allowed.ts";
import type { Draw } from "./draw.ts";
import { gatewayPaths } from "./gateway-paths.ts";
import { pipelined } from "./http1.ts";
import type { Plain } from "./plain.ts";
import type { Side } from "./side.ts";
import { webSocket } from "./web-socket.ts";
import type { World } from "./world.ts";

const base64 = (text: string) => Buffer.from(text, "latin1").toString("base64");

/** Bodies that are not what a range wants, or only just. */
const BODIES = [
  ["", "{}", "null", "{", "[]", "7", '"a"', "nonsense", '{"key":}', '{"key":"*"}', '{"key":7}'],
  ['{"key":"YQ=="', '{"key":"YQ==","key":"Yg=="}', '{"Key":"YQ=="}', '{"unknown":1}'],
  ['{"key":"YQ","limit":"x"}', '{"key":"YQ==","limit":"2"}', '{"key":"YQ==","limit":2.0}'],
  ['{"key":"YQ==","limit":2.5}', '{"key":"YQ==","limit":1e2}', '{"key":"YQ==","limit":true}'],
  ['{"key":"YQ==","limit":9223372036854775808}', '{"key":"YQ==","sort_order":"DESCEND"}'],
  ['{"key":"YQ==","sortOrder":"SIDEWAYS"}', '{"key":"YQ==","sort_order":9}'],
  ['{"key":"YQ==","range_end":"AA==","count_only":true}', '{"key":"YQ==","keys_only":"true"}'],
  ['{"key":null}', '{"key":"_-8="}', '{"key":"YQ=="} {"key":"Yg=="}', '{"key":"YQ=="}x'],
  ['{"key":"YQ==","range_end":"Yg==","rangeEnd":"Yg=="}', '{"key":"YQ==","limit":"1e1"}'],
  ['{"key":"YQ==","limit":" 2"}', '{"key":"YQ==","limit":"-0"}', '{"key":"YQ==","limit":""}'],
  ['\ufeff{"key":"YQ=="}', ' \n\t{"key":"YQ=="} \n', '{"key":"YQ==",}', "{'key':'YQ=='}"],
  ['{"key":"Y Q=="}', '{"key":"YQ==\\n"}', '{"key":"\\u0059Q=="}', '{"key":"YQ==","limit":02}'],
  ['{"sort_target":"VALUE","key":"YQ=="}', '{"sort_target":1.0,"key":"YQ=="}', '{"key":["YQ=="]}'],
  ['{"serializable":null,"key":"YQ=="}', '{"serializable":1,"key":"YQ=="}', "{}{}", "[{}]"],
].flat();

/** Transactions whose parts are out of shape. */
const TXN_BODIES = [
  ['{"success":[{}]}', '{"success":[null]}', '{"success":null}', '{"success":{}}'],
  ['{"compare":[{"key":"YQ==","target":"VERSION","version":"1","value":"Yg=="}]}'],
  ['{"compare":[{"key":"YQ==","target":"LEASE","lease":"0","result":"EQUAL"}]}'],
  ['{"success":[{"request_range":{"key":"YQ=="},"request_put":{"key":"YQ=="}}]}'],
  ['{"success":[{"requestRange":{"key":"YQ=="}}],"failure":[{"request_range":null}]}'],
  ['{"success":[{"request_delete_range":{"key":""}}]}', '{"compare":[{"target":"NOTHING"}]}'],
  ['{"success":[{"request_txn":{"success":[{"request_range":{"key":"YQ=="}}]}}]}'],
].flat();

const QUERIES = ["", "", "?verbose", "?verbose=1", "?exclude=data_corruption", "?exclude=nothing"]
  .concat("?exclude=NOSPACE", "?exclude=NOSPACE&exclude=CORRUPT", "?serializable=true")
  .concat("?serializable=false", "?exclude=", "?verbose&exclude=linearizable_read", "?%zz");

const PAGES = ["/health", "/livez", "/readyz", "/livez/serializable_read", "/version"]
  .concat("/readyz/data_corruption", "/readyz/serializable_read", "/readyz/linearizable_read")
  .concat("/readyz/non_learner", "/readyz/nothing", "/livez/", "/readyz/", "/health/", "/livez/x")
  .concat("/v3/kv/range", "/v3/kv/nothing", "/v3/", "/v3", "/nothing", "/", "/v3beta/kv/range")
  .concat("/v3/kv/range/", "/v3//kv/range", "/v3/kv/../kv/range", "/v2/keys", "/members")
  .concat("/v3/kv/rangestream", "/V3/kv/range", "/v3/kv/range?key=YQ==", "/version/", "//version");

const SERVICES = [KV, Lease, Cluster, Maintenance, Auth] as const;

type Step = (world: World, draw: Draw) => Promise<void>;

export async function gatewayStep(world: World, draw: Draw): Promise<void> {
  const step = draw.weighted<Step>([
    [40, oddRange],
    [12, oddTxn],
    [10, emptyCall],
    [6, otherType],
    [8, pipeline],
    [10, watchLines],
    [8, watchRefused],
    [10, keepAliveLines],
    [6, snapshotLines],
  ]);
  await step(world, draw);
}

export async function socketStep(world: World, draw: Draw): Promise<void> {
  await draw.pick([watchSocket, keepAliveSocket])(world, draw);
}

async function post(world: World, path: string, body: string): Promise<void> {
  const [a, b] = await world.post(path, () => body);
  world.same(`${path} ${body}`, body, tidy(a.body), tidy(b.body));
}

async function oddRange(world: World, draw: Draw): Promise<void> {
  const path = draw.pick(["/v3/kv/range", "/v3/kv/range", "/v3/kv/range", "/v3beta/kv/range"]);
  await post(world, path, draw.pick(BODIES));
}

async function oddTxn(world: World, draw: Draw): Promise<void> {
  await post(world, "/v3/kv/txn", draw.pick(TXN_BODIES));
}

/** Methods that may be called with nothing said: they refuse, or change nothing that matters. */
function harmless(world: World): DescMethod[] {
  const except = new Set([
    "LeaseGrant",
    "Status",
    "Defragment",
    "Hash",
    "LeaseLeases",
    "Downgrade",
  ]);
  return SERVICES.flatMap(({ methods }) => methods).filter(
    (method) => world.serves(method) && !except.has(method.name),
  );
}

async function emptyCall(world: World, draw: Draw): Promise<void> {
  const paths = harmless(world).flatMap(gatewayPaths);
  await post(world, draw.pick(paths), draw.pick(["{}", "", "null", '{"unknown":[{}]}', "{", "[]"]));
}

/** A path that answers without the API behind it, or one that is not there. */
export async function pageStep(world: World, draw: Draw): Promise<void> {
  const path = draw.pick(PAGES) + draw.pick(QUERIES);
  const method = draw.pick([
    "GET",
    "GET",
    "GET",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
  ]);
  const [a, b] = await world.http(method, path.replace(/\?.*(\?.*)/, "$1"));
  world.same(`${method} ${path}`, null, tidyPage(a.body), tidyPage(b.body));
}

/** JSON that says it is something else. */
async function otherType(world: World, draw: Draw): Promise<void> {
  const types = ["text/plain", "application/x-www-form-urlencoded", "application/grpc", "a/b; c=d"];
  const fields = { "content-type": draw.pick(types), accept: draw.pick(["*/*", "text/html"]) };
  const body = JSON.stringify({ key: base64("a") });
  const [a, b] = await world.http("POST", "/v3/kv/range", { body: () => body, fields });
  world.same("/v3/kv/range as another type", fields, tidy(a.body), tidy(b.body));
}

/** Several requests on one connection before the first answer: the answers come in order. */
async function pipeline(world: World, draw: Draw): Promise<void> {
  const keys = ["a", "aa", "b", "k/1", "nothing"];
  const requests = Array.from({ length: 2 + draw.below(4) }, () => ({
    ...(draw.percent(20)
      ? { method: "GET", path: draw.pick(["/version", "/health", "/nothing", "/v3/kv/range"]) }
      : { method: "POST", path: "/v3/kv/range" }),
    body: JSON.stringify({ key: base64(draw.pick(keys)), count_only: draw.percent(50) }),
    chunked: draw.percent(40),
  }));
  world.requests += requests.length;
  const [a, b] = await Promise.all(world.sides.map((side) => pipelined(side.endpoint, requests)));
  const comparable = (answers: Awaited<ReturnType<typeof pipelined>>): Plain =>
    answers.map(({ status, body }) => ({ status, body: tidy(body) }));
  world.same("pipelined requests", JSON.stringify(requests), comparable(a!), comparable(b!));
}

/** What a watch of the past is asked, and how its end is known. */
function pastWatch(world: World, draw: Draw) {
  const { revision, compacted } = world.model;
  const from = Math.max(compacted, 1, revision - draw.below(20));
  const create_request = {
    key: base64("\0"),
    range_end: base64("\0"),
    start_revision: `${from}`,
    prev_kv: draw.percent(50),
    fragment: draw.percent(20),
    watch_id: draw.pick(["0", "7"]),
  };
  // The reply to the creation comes first; then, for the last revision at the latest, an event.
  const isOver = (text: string) =>
    text.includes('"canceled":true') || text.includes(`"mod_revision":"${revision}"`);
  return { body: JSON.stringify({ create_request }), isOver };
}

/** A watch of the past: exactly what happened since, one line for each message. */
async function watchLines(world: World, draw: Draw): Promise<void> {
  const { body, isOver } = pastWatch(world, draw);
  const until = (text: string) => isOver(text) && text.endsWith("\n");
  const [a, b] = await world.post("/v3/watch", () => body, until);
  const lines = (text: string) => watched(text.trimEnd().split("\n"));
  world.same("/v3/watch", body, lines(a.body), lines(b.body));
}

/** Replies as they are, events one by one: how many share a line is not promised. */
function watched(lines: readonly string[]): Plain[] {
  type Line = { result?: { events?: Plain[] } };
  return lines.flatMap((line) => {
    if (!line.startsWith("{")) return [line];
    return (JSON.parse(line) as Line).result?.events ?? [line];
  });
}

/** Watches that are refused, of revisions and ranges that cannot be. */
async function watchRefused(world: World, draw: Draw): Promise<void> {
  const create_request = draw.pick<object>([
    { key: base64("a"), start_revision: "-1" },
    { key: base64("b"), range_end: base64("a") },
    { key: base64("a"), range_end: base64("\0a") },
  ]);
  const body = JSON.stringify({ create_request });
  const until = (text: string) => text.endsWith("\n");
  const [a, b] = await world.post("/v3/watch", () => body, until);
  world.same("/v3/watch", body, tidy(a.body), tidy(b.body));
}

function keepAliveIds(world: World, draw: Draw): bigint[] {
  const known = [...world.model.leases];
  return [draw.lease(), ...(known.length > 0 ? [draw.pick(known), draw.pick(known)] : [])];
}

async function keepAliveLines(world: World, draw: Draw): Promise<void> {
  const ids = keepAliveIds(world, draw);
  const between = draw.pick(["\n", "", " ", "\n\n"]);
  const bad = draw.percent(10) ? "{" : "";
  const body = ids.map((ID) => JSON.stringify({ ID: `${ID}` })).join(between) + bad;
  const [a, b] = await world.post("/v3/lease/keepalive", () => body);
  world.same("/v3/lease/keepalive", body, tidy(a.body), tidy(b.body));
}

/** The file differs; that it is all there, and what stands around it, does not. */
async function snapshotLines(world: World): Promise<void> {
  if (!world.serves(Maintenance.method.snapshot)) return;
  const [a, b] = await world.post("/v3/maintenance/snapshot", () => "{}");
  const shape = (body: string): Plain => {
    type Line = { result: { remaining_bytes?: string; blob: string; version?: string } };
    const lines = body
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as Line).result);
    const bytes = lines.slice(0, -1).reduce((sum, { blob }) => sum + base64Bytes(blob), 0);
    const first = lines[0]!;
    // A file that fits into the first line leaves nothing to remain, and JSON leaves out what is 0.
    const { remaining_bytes: remaining = "0" } = first;
    const fields = new Set(lines.flatMap((line) => Object.keys(line)));
    fields.delete("remaining_bytes");
    return {
      fields: [...fields].sort(),
      isWhole: Number(remaining) + base64Bytes(first.blob) === bytes,
      isPages: bytes % 4096 === 0,
      digestBytes: base64Bytes(lines.at(-1)!.blob),
      version: first.version ?? null,
    };
  };
  world.same("/v3/maintenance/snapshot", null, shape(a.body), shape(b.body));
}

const base64Bytes = (text: string) => Buffer.from(text, "base64").length;

async function socket(
  world: World,
  path: string,
  messages: readonly string[],
  isOver: (received: readonly string[]) => boolean,
): Promise<[string[], string[]]> {
  world.requests += messages.length;
  const open = (side: Side) => webSocket(`ws://${side.endpoint}${path}`, messages, isOver);
  return Promise.all([open(world.sides[0]), open(world.sides[1])]);
}

async function watchSocket(world: World, draw: Draw): Promise<void> {
  const { body, isOver } = pastWatch(world, draw);
  const [a, b] = await socket(world, "/v3/watch", [body], (received) => isOver(received.join("")));
  world.same("WebSocket /v3/watch", body, watched(a), watched(b));
}

async function keepAliveSocket(world: World, draw: Draw): Promise<void> {
  const ids = keepAliveIds(world, draw);
  const messages = ids.map((ID) => JSON.stringify({ ID: `${ID}` }));
  const isOver = (received: readonly string[]) => received.length >= ids.length;
  const [a, b] = await socket(world, "/v3/lease/keepalive", messages, isOver);
  world.same("WebSocket /v3/lease/keepalive", messages, a.map(tidy), b.map(tidy));
}

/** White space after commas and in Go's texts is chosen anew for each build of etcd. */
export function tidy(body: string): string {
  return sameSpaces(body).replaceAll(/,\s+(?=["[{\d])/g, ",");
}

/** Go tells the checks of a probe in the order of a hash map. */
function tidyPage(body: string): string {
  return /^\[[+-]\]/.test(body) ? body.split("\n").sort().join("\n") : tidy(body);
}
