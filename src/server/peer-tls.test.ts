import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import dns from "node:dns/promises";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { freePort } from "../../test/lib/processes.ts";
import { TlsIdentity, type TlsSettings } from "../net/index.ts";
import { CERTIFICATES, NO_TLS_FILES, REVOKED_SERIAL } from "../net/testing.ts";
import { Logger } from "../observe/index.ts";
import { fetchVersion, Transport } from "../peer/index.ts";
import { FakeInbox, transportOptions } from "../peer/testing.ts";
import { makeConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";
import { Links } from "./links.ts";
import { PeerPort } from "./peer-port.ts";
import { peerTlsOf } from "./self-signed-peer.ts";

const folder = mkdtempSync(join(tmpdir(), "peer-tls-"));
const ports: PeerPort[] = [];
const transports: Transport[] = [];
const lines: string[] = [];
const write = (line: string) => void lines.push(line);
const logger = new Logger({ level: "warn", sinks: [{ write, flush: () => {}, onLost: () => {} }] });

before(() => {
  for (const [name, bytes] of Object.entries(CERTIFICATES))
    writeFileSync(join(folder, name), bytes);
});
after(async () => {
  for (const port of ports) port.close();
  await Promise.all(transports.map((transport) => transport.stop()));
  rmSync(folder, { recursive: true });
});

const file = (name: keyof typeof CERTIFICATES): string => join(folder, name);

function settings(
  who: "peer" | "other" | "far" | "stranger" | "server" | "named" | "",
  more: Partial<TlsSettings> = {},
) {
  return {
    ...NO_TLS_FILES,
    certFile: who === "" ? "" : file(`${who}.crt`),
    keyFile: who === "" ? "" : file(`${who}.key`),
    trustedCaFile: file("ca.crt"),
    ...more,
  };
}

/** A member that shows a certificate; its URL. */
async function listen(tls: TlsSettings): Promise<string> {
  const url = `https://127.0.0.1:${await freePort()}`;
  const identity = new TlsIdentity(tls);
  const port = new PeerPort([new URL(url)], logger, { identity, readTimeoutMs: 1000 });
  await port.listen();
  ports.push(port);
  const inbox = new FakeInbox({ memberId: 0xan, clusterId: 0xcn });
  const transport = new Transport(transportOptions([url]), inbox);
  transports.push(transport);
  port.serve(transport);
  return url;
}

/** What a client with these certificates hears: a version, or why not. */
async function ask(url: string, tls: TlsSettings): Promise<string> {
  const times = { timeoutMs: 5000, dialTimeoutMs: 5000 };
  const reply = await fetchVersion({ urls: [url], identity: new TlsIdentity(tls), ...times });
  if (reply.kind === "value") return reply.value.server;
  return reply.kind === "unreached" ? reply.reason : reply.failure.message;
}

test("members with certificates of one authority reach each other", async () => {
  const url = await listen(settings("peer"));
  assert.equal(await ask(url, settings("other")), "3.7.3");
});

test("who shows no certificate, or one for another place, is not let in", async () => {
  const url = await listen(settings("peer"));
  assert.notEqual(await ask(url, settings("")), "3.7.3");
  assert.notEqual(await ask(url, settings("far")), "3.7.3");
  assert.match(lines.at(-1)!, /rejected connection on peer endpoint.*10\.9\.9\.9/);
  const anywhere = await listen(settings("peer", { skipsClientHosts: true }));
  assert.equal(await ask(anywhere, settings("far")), "3.7.3");
});

const UNKNOWN = "tls: failed to verify certificate: x509: certificate signed by unknown authority";

/** What the log said last, without the client's port. */
const told = (): object => {
  const { msg, level, error, ...more } = JSON.parse(lines.at(-1)!);
  assert.equal(msg, "rejected connection on peer endpoint");
  assert.match(more["remote-addr"], /^127\.0\.0\.1:\d+$/);
  const names = { ips: more["ip-addresses"], dns: more["dns-names"] };
  return [level, error, more["server-name"], ...(names.ips === undefined ? [] : [names])];
};

// Each as etcd 3.7.3 words it.
test("whoever is not let in is told of with the reason, and is answered nothing", async () => {
  const cases: readonly (readonly [
    who: "" | "far" | "stranger" | "server",
    there: Partial<TlsSettings>,
    told: readonly unknown[],
  ])[] = [
    ["", {}, ["warn", "tls: client didn't provide a certificate", ""]],
    ["stranger", {}, ["warn", UNKNOWN, ""]],
    [
      "server",
      { trustedCaFile: file("stranger.crt") },
      [
        "warn",
        "tls: failed to verify certificate: x509: certificate specifies an incompatible key usage",
        "",
      ],
    ],
    [
      "far",
      {},
      [
        "warn",
        "x509: certificate is valid for 10.9.9.9, not 127.0.0.1",
        "",
        { ips: ["10.9.9.9"], dns: [] },
      ],
    ],
  ];
  for (const versions of [
    ["TLSv1.2", "TLSv1.2"],
    ["TLSv1.3", "TLSv1.3"],
  ] as const) {
    for (const [who, there, expected] of cases) {
      const url = await listen(settings("peer", there));
      const [minVersion, maxVersion] = versions;
      assert.equal(await raw(url, who, { minVersion, maxVersion }), "", `${who} ${minVersion}`);
      assert.deepEqual(told(), expected);
    }
  }
});

/** What comes back to a client that takes any server and does not look at what it is told. */
function raw(url: string, who: Parameters<typeof settings>[0], more: object): Promise<string> {
  const { port } = new URL(url);
  const { certFile, keyFile } = settings(who);
  const shown = who === "" ? {} : { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const to = { host: "127.0.0.1", port: Number(port), rejectUnauthorized: false };
  return new Promise((resolve) => {
    let received = "";
    const socket = connectTls({ ...to, ...shown, ...more });
    socket.write("GET /version HTTP/1.1\r\nHost: a\r\n\r\n");
    socket.on("data", (bytes) => (received += String(bytes)));
    socket.on("error", () => {});
    socket.on("close", () => resolve(received));
  });
}

test("a client whose connection ends while its names are looked up is told of, too", async () => {
  const url = await listen(settings("peer", { trustedCaFile: file("stranger.crt") }));
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<string[]>()];
  const { reverse } = dns;
  dns.reverse = () => {
    asked.resolve();
    return answered.promise;
  };
  syncBuiltinESMExports();
  const before = lines.length;
  const answer = raw(url, "named", {});
  await asked.promise;
  ports.at(-1)!.close();
  assert.equal(await answer, "");
  await new Promise((done) => setImmediate(done));
  answered.resolve(["elsewhere.invalid"]);
  dns.reverse = reverse;
  syncBuiltinESMExports();
  while (lines.length === before) await new Promise((done) => setTimeout(done, 5));
  const why = 'tls: "127.0.0.1" does not match any of DNSNames ["*.quord.invalid"]';
  assert.deepEqual(told(), ["warn", why, "", { ips: [], dns: ["*.quord.invalid"] }]);
});

test("what is no TLS is told, but not a port that is only looked for", async () => {
  const { port } = new URL(await listen(settings("peer")));
  const say = async (bytes: string, how: "end" | "resetAndDestroy"): Promise<void> => {
    const socket = connect(Number(port), "127.0.0.1");
    await once(socket, "connect");
    if (bytes !== "") socket.write(bytes);
    await new Promise((done) => setTimeout(done, 20));
    socket.resume();
    socket.on("error", () => {});
    socket[how]();
    if (!socket.closed) await once(socket, "close");
    await new Promise((done) => setTimeout(done, 20));
  };
  const first = "tls: first record does not look like a TLS handshake";
  await say("GET / HTTP/1.1\r\n\r\n", "end");
  assert.deepEqual(told(), ["warn", first, ""]);
  await say("nothing of that kind", "end");
  assert.deepEqual(told(), ["warn", first, ""]);
  await say("\x16\x03\x01", "end");
  assert.deepEqual(told(), ["warn", "unexpected EOF", ""]);
  await say("", "resetAndDestroy");
  assert.match(
    lines.at(-1)!,
    /read tcp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: read: connection reset/,
  );
  const mute = connect(Number(port), "127.0.0.1").resume();
  await once(mute, "close");
  assert.match(lines.at(-1)!, /read tcp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: i\/o timeout/);
  const before = lines.length;
  await say("", "end");
  assert.equal(lines.length, before, "it is for debugging only");
});

/** What a member says that asked for the version in vain. */
const refused = (url: string, text: string): string => `Get "${url}/version": ${text}`;

test("a member that dials says in etcd's words why it does not trust the other", async () => {
  const stranger = await listen(settings("stranger"));
  assert.equal(await ask(stranger, settings("peer")), refused(stranger, UNKNOWN));
  const plain = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  plain.listen(0, "127.0.0.1");
  await once(plain, "listening");
  const url = `https://127.0.0.1:${(plain.address() as AddressInfo).port}`;
  const first = "tls: first record does not look like a TLS handshake";
  const heard = await ask(url, settings("peer"));
  plain.close();
  assert.equal(heard, refused(url, first));
});

test("who trusts a file without certificates trusts nobody", async () => {
  const nobody = settings("peer", { trustedCaFile: join(folder, "nobody.crt") });
  writeFileSync(nobody.trustedCaFile, "");
  new TlsIdentity(nobody).check();
  const url = await listen(nobody);
  assert.notEqual(await ask(url, settings("peer")), "3.7.3");
  assert.notEqual(await ask(await listen(settings("peer")), nobody), "3.7.3");
});

test("only names that are allowed are let in, and trusted", async () => {
  const byName = await listen(settings("peer", { allowedNames: ["peer.quord"] }));
  assert.equal(await ask(byName, settings("peer")), "3.7.3");
  assert.notEqual(await ask(byName, settings("other")), "3.7.3");
  assert.match(lines.at(-1)!, /client certificate authentication failed/);
  const byHost = await listen(settings("peer", { allowedHosts: ["localhost"] }));
  assert.equal(await ask(byHost, settings("peer")), "3.7.3");
  assert.notEqual(await ask(byHost, settings("other")), "3.7.3");
  const picky = settings("peer", { allowedNames: ["other.quord"] });
  const text = "client certificate authentication failed";
  assert.equal(await ask(byName, picky), refused(byName, text));
});

test("a revoked certificate is not let in", async () => {
  const url = await listen(settings("peer", { crlFile: file("crl.der") }));
  assert.equal(await ask(url, settings("peer")), "3.7.3");
  assert.notEqual(await ask(url, settings("other")), "3.7.3");
  assert.ok(lines.at(-1)!.includes(`transport: certificate serial ${REVOKED_SERIAL} revoked`));
});

test("a member at another address than its certificate says is not trusted", async () => {
  const url = await listen(settings("far"));
  const text =
    "tls: failed to verify certificate: x509: certificate is valid for 10.9.9.9, not 127.0.0.1";
  assert.equal(await ask(url, settings("peer")), refused(url, text));
});

test("members without certificates make their own, and then use those", async () => {
  const at = async (dir: string, ...flags: readonly string[]): Promise<[string, TlsSettings]> => {
    const url = `https://127.0.0.1:${await freePort()}`;
    const all = ["--peer-auto-tls", `--data-dir=${dir}`, `--listen-peer-urls=${url}`, ...flags];
    return [url, peerTlsOf(makeConfig(parseFlags(all, {})), logger)];
  };
  const dir = join(folder, "auto");
  const [, first] = await at(dir, "--self-signed-cert-validity=3");
  assert.equal(first.certFile, join(dir, "fixtures", "peer", "cert.pem"));
  assert.equal(statSync(first.keyFile).mode & 0o777, 0o600);
  const { validToDate, validFromDate } = new X509Certificate(readFileSync(first.certFile));
  assert.equal(validToDate.getTime() - validFromDate.getTime(), 3 * 365 * 24 * 3600 * 1000);
  const made = readFileSync(first.certFile, "latin1");
  const [, second] = await at(dir);
  assert.equal(readFileSync(second.certFile, "latin1"), made);
  const [, other] = await at(join(folder, "auto-too"));
  assert.equal(await ask(await listen(second), other), "3.7.3");
  // Its own certificate makes nobody trust it who knows whom to trust.
  const untrusted = await listen(other);
  assert.equal(await ask(untrusted, settings("peer")), refused(untrusted, UNKNOWN));
  const given = [`--peer-cert-file=${file("peer.crt")}`, `--peer-key-file=${file("peer.key")}`];
  assert.equal((await at(dir, ...given))[1].certFile, file("peer.crt"));
  await assert.rejects(at(dir, "--self-signed-cert-validity=0"), {
    message: "failed to get peer self-signed certs",
    fields: { error: "selfSignedCertValidity is invalid,it should be greater than 0" },
  });
  for (const limit of ["client-cert-auth", "trusted-ca-file=x", "cert-allowed-cn=x"]) {
    const message = /^--peer-[a-z-]+ has no meaning with --peer-auto-tls and cannot be ignored/;
    await assert.rejects(at(dir, `--peer-${limit}`), { message });
    makeConfig(parseFlags(["--peer-auto-tls", ...given, `--peer-${limit}`], {}));
  }
});

test("members that may choose their ciphers need one in common, but not for TLS 1.3", async () => {
  const ours = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
  const theirs = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305";
  const with12 = (...cipherSuites: string[]) =>
    settings("peer", { cipherSuites, maxVersion: "TLSv1.2" });
  const url = await listen(with12(ours));
  assert.equal(await ask(url, with12(theirs, ours)), "3.7.3");
  assert.equal(await ask(url, with12()), "3.7.3");
  const failure = "remote error: tls: handshake failure";
  assert.equal(await ask(url, with12(theirs)), refused(url, failure));
  assert.deepEqual(told(), [
    "warn",
    "tls: no cipher suite supported by both client and server",
    "",
  ]);
  const newer = await listen(settings("peer", { cipherSuites: [ours] }));
  assert.equal(await ask(newer, settings("peer", { cipherSuites: [theirs] })), "3.7.3");
  // Of those for TLS 1.3 alone none is for TLS 1.2.
  const only13 = await listen(settings("peer", { cipherSuites: ["TLS_AES_128_GCM_SHA256"] }));
  assert.notEqual(await ask(only13, with12(ours)), "3.7.3");
});

test("certificates that are missing are told when the member starts", async () => {
  const linked = (flags: readonly string[]) =>
    new Links(
      makeConfig(parseFlags(["--listen-peer-urls=https://127.0.0.1:1", ...flags], {})),
      logger,
    );
  await assert.rejects(linked([]).listen(), {
    message: "cannot listen on TLS for 127.0.0.1:1: KeyFile and CertFile are not presented",
  });
  await assert.rejects(linked(["--peer-cert-file=/no/1", "--peer-key-file=/no/1"]).listen(), {
    message: "open /no/1: no such file or directory",
  });
  const given = [`--peer-cert-file=${file("peer.crt")}`, `--peer-key-file=${file("peer.key")}`];
  const trusting = (ca: string) => linked([...given, `--peer-trusted-ca-file=${ca}`]).listen();
  await assert.rejects(trusting(file("peer.key")), { message: "x509: malformed tbs certificate" });
  await assert.rejects(trusting(folder), { message: `read ${folder}: is a directory` });
  await assert.rejects(linked([given[0]!, `--peer-key-file=${file("other.key")}`]).listen(), {
    message: "tls: private key does not match public key",
  });
  for (const [text, first] of [
    ["", ""],
    ["TLS_RSA_WITH_RC4_128_SHA,x,y", "x"],
  ] as const) {
    const message = `unexpected TLS cipher suite "${first}"`;
    await assert.rejects(linked([...given, `--cipher-suites=${text}`]).listen(), { message });
  }
  const check = (more: Partial<TlsSettings>) => () =>
    new TlsIdentity(settings("peer", more)).check();
  assert.throws(check({ keyFile: "" }), /^Error: KeyFile and CertFile must both be present/);
  assert.throws(
    check({ clientKeyFile: "k" }),
    /^Error: ClientKeyFile and ClientCertFile must both/,
  );
  assert.throws(check({ certFile: "/nothing" }), /ENOENT/);
  const both = { allowedNames: ["a"], allowedHosts: ["b"] };
  assert.throws(check(both), /mutually exclusive \(cns=\["a"\], hostnames=\["b"\]\)/);
});
