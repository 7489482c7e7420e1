import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { textToBytes } from "../base/index.ts";
import { Client, dial, kv } from "../client/index.ts";
import { CERTIFICATES } from "../net/testing.ts";
import { Logger } from "../observe/index.ts";
import { makeConfig } from "./config.ts";
import { discover } from "./discovery.ts";
import { FlagError, parseFlags } from "./flags.ts";
import { type Running, serve } from "./serve.ts";

/** A member as the meeting place, once in clear text and once behind TLS that asks who comes. */

const folder = mkdtempSync(join(tmpdir(), "discovery-"));
const file = (name: keyof typeof CERTIFICATES): string => join(folder, name);
const plain = `unix://${join(folder, "grpc.sock")}`;
const seen: TLSSocket[] = [];
const front = createTlsServer({
  cert: CERTIFICATES["peer.crt"],
  key: CERTIFICATES["peer.key"],
  ca: CERTIFICATES["ca.crt"],
  requestCert: true,
  rejectUnauthorized: false,
  ALPNProtocols: ["h2"],
});
let running: Running;
let secure: string;

before(async () => {
  for (const [name, bytes] of Object.entries(CERTIFICATES))
    writeFileSync(file(name as "ca.crt"), bytes);
  writeFileSync(join(folder, "nobody.crt"), "");
  const flags = [`--data-dir=${join(folder, "data")}`, `--listen-client-urls=${plain}`];
  flags.push("--advertise-client-urls=http://localhost:2379");
  flags.push(`--listen-peer-urls=unix://${join(folder, "peer.sock")}`);
  const fail = (error: unknown): void => assert.fail(error as Error);
  running = await serve(makeConfig(parseFlags(flags, {})), new Logger({ level: "fatal" }), fail);
  await running.ready;
  front.on("tlsClientError", () => {});
  front.on("secureConnection", (socket) => {
    seen.push(socket);
    const back = connect(join(folder, "grpc.sock"));
    for (const end of [socket, back]) end.on("error", () => {});
    socket.pipe(back).pipe(socket);
  });
  await new Promise<void>((done) => front.listen(0, "127.0.0.1", done));
  secure = `127.0.0.1:${(front.address() as AddressInfo).port}`;
  const limits = { receiveBytesMax: 2 ** 20, sendBytesMax: 2 ** 20, tls: undefined };
  const times = { timeoutMs: 5000, keepAliveMs: 0, keepAliveTimeoutMs: 0 };
  const client = new Client({ endpoints: [plain], dial, ...limits, ...times });
  const key = textToBytes("/_etcd/registry/t/_config/size");
  await client.call(kv.put, { key, value: textToBytes("1") });
  client.close();
});

after(async () => {
  front.close();
  for (const socket of seen) socket.destroy();
  await running.stop();
  rmSync(folder, { recursive: true });
});

const SELF = "m=http://127.0.0.1:2380";

/** What comes of it: the cluster, or why the first attempt failed. */
async function meet(endpoint: string, ...flags: readonly string[]): Promise<string> {
  const all = ["--discovery-token=t", `--discovery-endpoints=${endpoint}`, ...flags];
  const { discovery } = makeConfig(parseFlags(all, {}));
  let why = "";
  const warn = (_message: string, { error }: { error?: string } = {}): void => {
    if (error !== undefined) why = error;
  };
  const sleep = (): Promise<void> => Promise.reject(new Error("once is enough"));
  const lines = { info: () => {}, warn };
  try {
    return await discover({ discovery: discovery!, memberId: "1", self: SELF, lines, sleep });
  } catch (error) {
    return error instanceof FlagError ? error.message : why;
  }
}

const PLAIN = "--discovery-insecure-transport=true";
const TLS = "--discovery-insecure-transport=false";
const CA = `--discovery-cacert=${file("ca.crt")}`;

test("discovery goes out in clear text or by TLS, as it is asked to", async () => {
  const first: number[] = [];
  const listener = createServer((socket) => {
    socket.once("data", (bytes) => {
      first.push(bytes[0]!);
      socket.destroy();
    });
  });
  await new Promise<void>((done) => listener.listen(0, "127.0.0.1", done));
  const place = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const firstOf = async (endpoint: string, ...flags: readonly string[]): Promise<number[]> => {
    first.length = 0;
    await meet(endpoint, "--discovery-request-timeout=300ms", ...flags);
    return [...new Set(first)];
  };
  const [text, hello] = [["P".charCodeAt(0)], [0x16]];
  assert.deepEqual(await firstOf(place), text);
  assert.deepEqual(await firstOf(place, TLS), hello);
  assert.deepEqual(await firstOf(place, PLAIN, CA), hello);
  assert.deepEqual(await firstOf(place, "--discovery-insecure-skip-tls-verify"), hello);
  // The scheme of an endpoint has the last word.
  assert.deepEqual(await firstOf(`http://${place}`, TLS), text);
  assert.deepEqual(await firstOf(`https://${place}`), hello);
  listener.close();
});

test("a meeting place is believed who it is only by its certificate", async () => {
  assert.equal(await meet(secure, CA), SELF);
  assert.equal(await meet(secure, `--discovery-cacert=${file("peer.crt")}`), SELF);
  assert.equal(await meet(secure, "--discovery-insecure-skip-tls-verify"), SELF);
  const unknown = /deadline exceeded|unknown authority/;
  assert.match(await meet(secure, TLS, "--discovery-request-timeout=300ms"), unknown);
  const nobody = `--discovery-cacert=${join(folder, "nobody.crt")}`;
  assert.match(await meet(secure, nobody, "--discovery-request-timeout=300ms"), unknown);
});

test("a member shows the meeting place the certificate that it was given", async () => {
  const own = [`--discovery-cert=${file("other.crt")}`, `--discovery-key=${file("other.key")}`];
  assert.equal(await meet(secure, CA, ...own), SELF);
  assert.equal(seen.at(-1)!.getPeerCertificate().subject.CN, "other.quord");
  assert.ok(seen.at(-1)!.authorized);
});

test("files that are wrong end the member before it asks", async () => {
  const cases: readonly (readonly [flags: readonly string[], why: string])[] = [
    [["--discovery-cert=c"], "KeyFile and CertFile must both be present[key: , cert: c]"],
    [["--discovery-cacert=/no"], "open /no: no such file or directory"],
    [[`--discovery-cacert=${file("peer.key")}`], "x509: malformed tbs certificate"],
    [
      [`--discovery-cert=${file("peer.crt")}`, `--discovery-key=${file("other.key")}`],
      "tls: private key does not match public key",
    ],
  ];
  for (const [flags, why] of cases) {
    assert.equal(await meet(secure, ...flags), `failed to join discovery cluster (${why})`);
  }
});
