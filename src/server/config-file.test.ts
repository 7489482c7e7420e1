import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { makeConfig } from "./config.ts";
import { readConfigFile } from "./config-file.ts";
import { FlagError } from "./flags.ts";

const dir = mkdtempSync(join(tmpdir(), "config-"));
after(() => rmSync(dir, { recursive: true }));

async function read(text: string) {
  const path = join(dir, "etcd.yaml");
  writeFileSync(path, text);
  return readConfigFile(path);
}

async function refusal(text: string): Promise<string | undefined> {
  try {
    makeConfig(await read(text));
    return undefined;
  } catch (error) {
    assert.ok(error instanceof FlagError, String(error));
    return `${error.exitCode} ${error.manner} ${error.message}`;
  }
}

test("a file says what flags say, under etcd's keys", async () => {
  const flags = await read(`
name: m
data-dir: /d
heartbeat-interval: 50
HEARTBEAT-INTERVAL: 50
listen-client-urls: http://127.0.0.1:2,http://127.0.0.1:1
pre-vote: yes
watch-progress-notify-interval: 5000000000
grpc-keepalive-timeout: 10m
quota-backend-bytes: -1
log-outputs: [stderr, a.log]
feature-gates: LeaseCheckpoint=true
socket-options: {reuse-port: false}
client-transport-security: {cert-file: ""}
initial-cluster-token:
`);
  const config = makeConfig(flags);
  assert.equal(config.name, "m");
  assert.equal(config.tickMs, 50);
  assert.equal(config.watchProgressMs, 5_000);
  assert.equal(config.keepAlive.timeoutMs, 600_000);
  assert.equal(config.quotaBytes, -1);
  assert.equal(config.features.leaseCheckpoint, true);
  assert.equal(config.initialClusterToken, "etcd-cluster");
  // A file need not say what is advertised: the default stays.
  assert.deepEqual(config.advertiseClientUrls, ["http://localhost:2379"]);
  assert.equal(flags.values.get("log-outputs"), "stderr,a.log");
});

test("JSON is YAML, and nothing is a file too", async () => {
  assert.equal(makeConfig(await read('{"name": "j", "max-wals": 3}')).walsMax, 3);
  assert.equal(makeConfig(await read("")).name, "default");
});

test("unknown keys are told of", async () => {
  const text = "nonsense: 1\nclient-transport-security: {odd: 1}\n";
  assert.deepEqual((await read(text)).unknownKeys, ["client-transport-security.odd", "nonsense"]);
});

test("values of a wrong type are refused with the texts of Go's decoder", async () => {
  const cases: readonly (readonly [text: string, problem: string])[] = [
    ["foo", "string into Go value of type embed.configYAML"],
    ["[1]", "array into Go value of type embed.configYAML"],
    ["name: 5", "number into Go struct field configYAML.Config.name of type string"],
    ["heartbeat-interval: x", field("string", "heartbeat-interval", "uint")],
    ["heartbeat-interval: -1", field("number -1", "heartbeat-interval", "uint")],
    ["heartbeat-interval: 1.5", field("number 1.5", "heartbeat-interval", "uint")],
    ["pre-vote: 3", field("number", "pre-vote", "bool")],
    ['quota-backend-bytes: "5"', field("string", "quota-backend-bytes", "int64")],
    ["log-outputs: stderr", field("string", "log-outputs", "[]string")],
    ["log-outputs: [1]", field("number", "log-outputs", "string")],
    ["corrupt-check-time: soon", field("string", "corrupt-check-time", "time.Duration")],
    ["corrupt-check-time: true", field("bool", "corrupt-check-time", "time.Duration")],
    [
      "listen-client-urls: [a]",
      "array into Go struct field configYAML.configJSON.listen-client-urls of type string",
    ],
    [
      "peer-transport-security: x",
      "string into Go struct field configYAML.configJSON.peer-transport-security " +
        "of type embed.securityConfig",
    ],
    [
      "client-transport-security: {client-cert-auth: 1}",
      "number into Go struct field " +
        "securityConfig.configJSON.client-transport-security.client-cert-auth of type bool",
    ],
    [
      "discovery-config: {client: {endpoints: x}}",
      "string into Go struct field ConfigSpec.Config.discovery-config.client.endpoints " +
        "of type []string",
    ],
  ];
  const start = "1 verify error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ";
  for (const [text, problem] of cases) assert.equal(await refusal(text), start + problem, text);
});

const field = (kind: string, name: string, type: string) =>
  `${kind} into Go struct field configYAML.Config.${name} of type ${type}`;

test("other mistakes end as etcd ends", async () => {
  const cases: readonly (readonly [text: string, problem: string | RegExp])[] = [
    ["a: [", /^1 verify error converting YAML to JSON: yaml: line \d+: /],
    [
      "advertise-client-urls: foo",
      "1 text unexpected error setting up advertise-peer-urls: " +
        "URL scheme must be http, https, unix, or unixs: foo",
    ],
    ["feature-gates: foo=true", "1 verify unrecognized feature gate: foo"],
    ["initial-cluster-state: foo", '1 verify unexpected clusterState "foo"'],
    ["cors: foo", /^2 panic new UniqueURLs should never fail: URL scheme must be/],
    ["client-transport-security: {auto-tls: true}", /^1 verify --auto-tls is not supported yet/],
    ["client-transport-security: {allowed-cn: [x]}", /allowed-cn is not supported yet/],
  ];
  for (const [text, problem] of cases) {
    const said = (await refusal(text))!;
    if (typeof problem === "string") assert.equal(said, problem);
    else assert.match(said, problem);
  }
  await assert.rejects(readConfigFile("/nowhere"), {
    message: "open /nowhere: no such file or directory",
  });
  await assert.rejects(readConfigFile(dir), { message: `read ${dir}: is a directory` });
});

test("no file does more than to be refused", async () => {
  const key = fc.constantFrom("name", "heartbeat-interval", "socket-options", "discovery-config");
  const value = fc.oneof(fc.string(), fc.json(), fc.integer().map(String));
  const lines = fc.array(
    fc.oneof(
      fc.string(),
      fc.tuple(key, value).map((pair) => pair.join(": ")),
    ),
  );
  await fc.assert(fc.asyncProperty(lines, async (texts) => void (await refusal(texts.join("\n")))));
});

test("the groups of security stand for the flags of members and of discovery", async () => {
  const text = `peer-transport-security:
  cert-file: c
  key-file: k
  client-cert-file: cc
  client-key-file: ck
  trusted-ca-file: ca
  client-cert-auth: true
  allowed-cn: [name]
  allowed-hostname: [host]
  skip-client-san-verification: true
discovery-config:
  token: t
  client:
    endpoints: [e]
    keepalive-time: 3000000000
    secure:
      cert: dc
      key: dk
      cacert: da
      insecure-transport: false
      insecure-skip-tls-verify: true
`;
  const { peerTls, discovery } = makeConfig(await read(text));
  assert.deepEqual(
    [peerTls.certFile, peerTls.keyFile, peerTls.clientCertFile, peerTls.clientKeyFile],
    ["c", "k", "cc", "ck"],
  );
  assert.deepEqual([peerTls.trustedCaFile, peerTls.clientCertAuth], ["ca", true]);
  assert.deepEqual([peerTls.allowedNames, peerTls.allowedHosts], [["name"], ["host"]]);
  assert.equal(peerTls.skipsClientHosts, true);
  assert.equal(discovery?.keepAliveMs, 3000);
  assert.deepEqual(discovery?.secure, {
    isPlain: false,
    unverified: true,
    certFile: "dc",
    keyFile: "dk",
    caFile: "da",
  });
});
