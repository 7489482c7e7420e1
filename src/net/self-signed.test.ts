import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { checkKeyPair } from "./certificates.ts";
import { selfSign } from "./self-signed.ts";

// The fields are those of a certificate that etcd 3.7.3 made for itself.
test("a certificate that signs itself has the fields of etcd's", () => {
  const from = new Date("2026-11-27T06:38:30Z");
  const until = new Date("2066-11-17T06:38:30Z");
  const hosts = ["127.0.0.1", "localhost", "::1", "fe80::7f00:1", "::ffff:10.0.0.1"];
  const { cert, key } = selfSign({ hosts, from, until });
  checkKeyPair(Buffer.from(cert), Buffer.from(key));
  assert.match(key, /^-----BEGIN EC PRIVATE KEY-----\n/);
  const found = new X509Certificate(cert);
  assert.ok(found.verify(found.publicKey));
  assert.deepEqual([found.subject, found.issuer], ["O=etcd", "O=etcd"]);
  assert.deepEqual([found.validFromDate, found.validToDate], [from, until]);
  // Basic constraints, critical: an authority. Key usage, critical.
  const bytes = found.raw.toString("hex");
  assert.ok(bytes.includes("0603551d130101ff040530030101ff"));
  assert.ok(bytes.includes("0603551d0f0101ff0404030201a2"));
  assert.deepEqual(found.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  assert.equal(found.publicKey.asymmetricKeyDetails?.namedCurve, "secp521r1");
  assert.equal(
    found.subjectAltName,
    "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, " +
      "IP Address:FE80:0:0:0:0:0:7F00:1, IP Address:0:0:0:0:0:FFFF:A00:1",
  );
  const more = selfSign({ hosts: [], from, until: new Date("2027-11-27T06:38:30Z") });
  const nameless = new X509Certificate(more.cert);
  assert.equal(nameless.subjectAltName, undefined);
  assert.notEqual(nameless.serialNumber, found.serialNumber);
});
