import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { checkKeyPair, readAuthorities } from "./certificates.ts";
import { CERTIFICATES } from "./testing.ts";

const ca = CERTIFICATES["ca.crt"];
const { "peer.crt": cert, "peer.key": key, "other.key": otherKey } = CERTIFICATES;
const rsa = generateKeyPairSync("rsa", {
  modulusLength: 1024,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});

const derOf = (pem: Buffer): Buffer =>
  Buffer.from(pem.toString().replace(/-----[^-]*-----|\s/g, ""), "base64");
const pemOf = (der: Uint8Array, type = "CERTIFICATE"): Buffer =>
  Buffer.from(
    `-----BEGIN ${type}-----\n${Buffer.from(der).toString("base64")}\n-----END ${type}-----\n`,
  );
const join = (...parts: (Buffer | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part)));

test("a file of authorities has certificates, and what else it says is passed over", () => {
  const count = (file: Buffer) => readAuthorities(file).length;
  assert.equal(count(ca), 1);
  assert.equal(
    count(join("who we trust\n", ca, "and\r\n", cert.toString().replace(/\n/g, "\r\n"))),
    2,
  );
  assert.equal(count(join("")), 0);
  assert.equal(count(derOf(ca)), 0);
  assert.equal(count(ca.subarray(0, 300)), 0);
  assert.equal(count(join("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n")), 0);
});

// Each text is what etcd 3.7.3 ended with for such a `--peer-trusted-ca-file`.
test("a block that is no certificate is told as etcd tells it", () => {
  const cases: readonly (readonly [Buffer, string])[] = [
    [key, "x509: malformed tbs certificate"],
    [join(ca, key), "x509: malformed tbs certificate"],
    [join(rsa.privateKey), "x509: malformed tbs certificate"],
    [join(rsa.publicKey), "x509: malformed serial number"],
    [pemOf(Uint8Array.of(0, 0, 0)), "x509: malformed certificate"],
    [pemOf(derOf(ca).subarray(0, 200)), "x509: malformed certificate"],
    [pemOf(join(derOf(ca), "xx")), "x509: trailing data"],
  ];
  for (const [file, message] of cases) assert.throws(() => readAuthorities(file), { message });
});

// As above, for `--peer-cert-file` and `--peer-key-file`.
test("a certificate and a key that do not belong together are told as etcd tells it", () => {
  checkKeyPair(cert, key);
  checkKeyPair(join(key, cert), join(cert, key));
  const request = pemOf(derOf(cert), "CERTIFICATE REQUEST");
  const skipped = "after skipping PEM blocks of the following types:";
  const cases: readonly (readonly [Buffer, Buffer, string])[] = [
    [cert, otherKey, "tls: private key does not match public key"],
    [cert, join(rsa.privateKey), "tls: private key type does not match public key type"],
    [cert, join(""), "tls: failed to find any PEM data in key input"],
    [cert, ca, "tls: found a certificate rather than a key in the PEM for the private key"],
    [cert, pemOf(Uint8Array.of(1), "PRIVATE KEY"), "tls: failed to parse private key"],
    [
      cert,
      join(rsa.publicKey),
      `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input ${skipped} [PUBLIC KEY]`,
    ],
    [join(""), key, "tls: failed to find any PEM data in certificate input"],
    [
      key,
      key,
      "tls: failed to find certificate PEM data in certificate input, but did find a private key; " +
        "PEM inputs may have been switched",
    ],
    [
      request,
      key,
      `tls: failed to find "CERTIFICATE" PEM block in certificate input ${skipped} [CERTIFICATE REQUEST]`,
    ],
    [pemOf(join(derOf(cert), "xx")), key, "x509: trailing data"],
  ];
  for (const [shown, secret, message] of cases) {
    assert.throws(() => checkKeyPair(shown, secret), { message });
  }
});
