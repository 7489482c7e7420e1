/**
 * The same requests over HTTP/1.1 and WebSocket for etcd and quord: status, the fields that matter
 * and the body must be equal.
 *
 *   npm run endpoints -- [--only REGEXP]
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { needPeer, type Kind } from "../lib/binaries.ts";
import { ADVERTISED, freePort, type Member, startMember } from "../lib/processes.ts";
import * as cases from "./endpoints-cases.ts";
import { type Answer, type Ask, frame, request, socketTalk } from "./endpoints-wire.ts";

const KINDS: readonly Kind[] = ["etcd", "quord"];

const FIELDS = [
  ["content-type", "allow", "location", "www-authenticate", "grpc-metadata-content-type"],
  ["access-control-allow-methods", "access-control-allow-origin", "x-content-type-options"],
  ["access-control-allow-headers", "sec-websocket-version", "sec-websocket-accept", "upgrade"],
  ["sec-websocket-protocol"],
].flat();

const { only = "" } = parseArgs({ options: { only: { type: "string" } } }).values;
const wanted = new RegExp(only);
let compared = 0;
let differing = 0;

function same(name: string, theirs: unknown, ours: unknown): void {
  if (!wanted.test(name)) return;
  compared++;
  const [a, b] = [JSON.stringify(theirs), JSON.stringify(ours)];
  if (a === b) return;
  differing++;
  console.log(`DIFFERENT  ${name}\n  etcd:  ${a}\n  quord: ${b}`);
}

/** What is compared of an answer. */
function shown({ status, fields, body }: Answer): object {
  const kept = FIELDS.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]]));
  return { status, fields: Object.fromEntries(kept), body: tidy(body) };
}

const SERVER_WAS_FIRST =
  '"code":4,"message":"stream terminated by RST_STREAM with error code: CANCEL"';
const GATEWAY_WAS_FIRST = '"code":4,"message":"context deadline exceeded"';

/**
 * White space after commas and in Go's texts is chosen anew for each build of etcd, and checks of
 * a probe come in the order of a hash map. When a stream's time is over, etcd's gateway and the
 * server behind it both notice, and whoever is first words the error.
 */
function tidy(body: string): string {
  if (/^\[[+-]\]/.test(body)) return body.split("\n").sort().join("\n");
  const told = body.replace(SERVER_WAS_FIRST, GATEWAY_WAS_FIRST);
  return told.replaceAll("\u00a0", " ").replaceAll(/,\s+(?=["[{\d])/g, ",");
}

async function each<T>(
  members: readonly Member[],
  work: (endpoint: string) => Promise<T>,
): Promise<T[]> {
  return Promise.all(members.map(({ endpoint }) => work(endpoint)));
}

async function compare(
  members: readonly Member[],
  asks: readonly Ask[],
  where = "",
): Promise<void> {
  for (const ask of asks) {
    const [a, b] = await each(members, (endpoint) => request(endpoint, ask));
    same(`${where}${nameOf(ask)}`, shown(a!), shown(b!));
  }
}

/** Which of two alarms is named comes out of a hash map in etcd. */
async function compareEitherAlarm(members: readonly Member[]): Promise<void> {
  const [a, b] = await each(members, async (endpoint) => {
    const answer = await request(endpoint, cases.HEALTH);
    return { ...answer, body: answer.body.replace(/ALARM (NOSPACE|CORRUPT)/, "ALARM") };
  });
  same(`alarms: ${nameOf(cases.HEALTH)}, either`, shown(a!), shown(b!));
}

function nameOf({ method = "GET", path, fields = [], body, cuts, version }: Ask): string {
  const more = fields.filter((line) => !line.startsWith("Content-Type: application/json"));
  if (body !== undefined) more.push(body);
  if (cuts !== undefined) more.push(`chunked at ${cuts.join()}`);
  if (version !== undefined) more.push(`HTTP/${version}`);
  return `${method} ${path} ${more.join(" | ")}`;
}

async function both(flags: (kind: Kind) => readonly string[] = () => []): Promise<Member[]> {
  const members = await Promise.all(
    KINDS.map((kind) => startMember(kind, { advertised: ADVERTISED, flags: flags(kind) })),
  );
  await Promise.all(members.map(settled));
  return members;
}

/** etcd raises the version of a new directory a few seconds after it has begun to serve. */
async function settled({ endpoint }: Member): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    const asked = request(endpoint, { method: "POST", path: "/v3/maintenance/status", body: "{}" });
    if (/"storageVersion":\s?"3\.7\.0"/.test((await asked).body)) return;
    await sleep(200);
  }
}

async function stop(members: readonly Member[]): Promise<void> {
  await Promise.all(members.map((member) => member.stop()));
}

async function sockets(members: readonly Member[]): Promise<void> {
  const compareTalk = async (
    name: string,
    path: string,
    frames: readonly Buffer[],
    count: number,
    fields: readonly string[] = [],
  ) => {
    const [a, b] = await each(members, (endpoint) =>
      socketTalk(endpoint, path, frames, count, fields),
    );
    same(`WebSocket ${name}`, a!.map(tidy), b!.map(tidy));
  };
  const keepAlive = "/v3/lease/keepalive";
  const text = '{"ID":"5"}';
  await compareTalk("keepalive", keepAlive, [frame(text), frame('{"ID":"6"}')], 2);
  await compareTalk("older path", "/v3beta/lease/keepalive", [frame(text)], 1);
  await compareTalk("binary", keepAlive, [frame(text, { opcode: 2 })], 1);
  const parts = [frame('{"I', { isFinal: false }), frame("ping", { opcode: 9 })];
  await compareTalk("fragments", keepAlive, [...parts, frame('D":"5"}', { opcode: 0 })], 2);
  await compareTalk("object in two messages", keepAlive, [frame('{"ID":'), frame('"5"}')], 1);
  await compareTalk("two objects in one", keepAlive, [frame(text + text)], 2);
  await compareTalk("closed", keepAlive, [frame("\x03\xe8bye", { opcode: 8 })], 9);
  await compareTalk("closed without a code", keepAlive, [frame("", { opcode: 8 })], 9);
  await compareTalk("bad code", keepAlive, [frame("\x03\xed", { opcode: 8 })], 9);
  await compareTalk("no mask", keepAlive, [frame(text, { isMasked: false })], 9);
  await compareTalk("opcode 3", keepAlive, [frame(text, { opcode: 3 })], 9);
  await compareTalk("stray continuation", keepAlive, [frame(text, { opcode: 0 })], 9);
  await compareTalk("cut ping", keepAlive, [frame("", { opcode: 9, isFinal: false })], 9);
  await compareTalk("unknown path", "/v3/nothing", [], 9);
  await compareTalk("not an object", keepAlive, [frame("7 ")], 9);
  const bearer = ["Sec-WebSocket-Protocol: Bearer, abc"];
  await compareTalk("token", keepAlive, [frame(text)], 1, bearer);
  const create = '{"create_request":{"key":"YQ==","start_revision":"4"}}';
  await compareTalk("watch", "/v3/watch", [frame(create)], 2);
  for (const changed of [
    ["Sec-WebSocket-Version: 12"],
    ["Sec-WebSocket-Key: short"],
    ["Sec-WebSocket-Key"],
    ["Upgrade: WebSocket", "Connection: keep-alive, upgrade"],
    ["Upgrade: websocket2"],
  ]) {
    await compareTalk(`handshake ${changed.join()}`, keepAlive, [frame(text)], 1, changed);
  }
}

/** Python's most used client against both, where it is installed. */
function pool(members: readonly Member[]): void {
  const script = join(import.meta.dirname, "endpoints-pool.py");
  const talk = (member: Member) => {
    const env = { ...process.env, no_proxy: "*" };
    return execFileSync("python3", [script, member.endpoint], { env });
  };
  try {
    execFileSync("python3", ["-c", "import urllib3"], { stdio: "ignore" });
  } catch {
    console.log("no python3 with urllib3 here: its pool was not tried");
    return;
  }
  const [a, b] = members.map((member) => String(talk(member)));
  same("python urllib3 pool", a, b);
}

async function main(): Promise<void> {
  needPeer("etcd");
  const plain = await both();
  for (const ask of cases.SEED) await each(plain, (endpoint) => request(endpoint, ask));
  await compare(plain, cases.DEFAULTS);
  await sockets(plain);
  await compare(plain, cases.ONE_ALARM, "alarms: ");
  await compareEitherAlarm(plain);
  await compare(plain, cases.TWO_ALARMS, "alarms: ");
  pool(plain);
  await stop(plain);

  const guards = ["--host-whitelist=good.example,127.0.0.1", "--cors=http://friend.example:80"];
  const guarded = await both(() => guards);
  await compare(guarded, cases.GUARDED, "guarded: ");
  await stop(guarded);

  const closed = await both(() => ["--enable-grpc-gateway=false"]);
  await compare(closed, cases.WITHOUT_GATEWAY, "no gateway: ");
  await stop(closed);

  await split();
  console.log(`${compared} compared, ${differing} different`);
  process.exit(differing === 0 ? 0 : 1);
}

/** Ports of their own for HTTP and for metrics. */
async function split(): Promise<void> {
  const ports = await Promise.all(KINDS.map(async () => [await freePort(), await freePort()]));
  const url = (port: number) => `http://127.0.0.1:${port}`;
  const members = await both((kind) => {
    const [http, metrics] = ports[KINDS.indexOf(kind)]!;
    return [`--listen-client-http-urls=${url(http!)}`, `--listen-metrics-urls=${url(metrics!)}`];
  });
  const asks = [...cases.SPLIT, ...cases.SPLIT_METHODS];
  for (const [i, where] of ["http port: ", "metrics port: "].entries()) {
    const there = members.map((member, k) => ({
      ...member,
      endpoint: `127.0.0.1:${ports[k]![i]}`,
    }));
    const isVars = ({ path }: Ask) => path === "/debug/vars";
    await compare(there, i === 0 ? asks.filter((ask) => !isVars(ask)) : asks, where);
  }
  await stop(members);
}

await main();
