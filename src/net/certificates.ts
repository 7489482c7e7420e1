import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { Fields, INTEGER, SEQUENCE } from "./der.ts";

// What may be in files of certificates and keys, by Go's rules and in its words: OpenSSL would pass
// over much of it in silence.

interface PemBlock {
  readonly type: string;
  readonly der: Buffer;
  readonly text: string;
}

const BLOCK =
  /^-----BEGIN ([^\r\n]*)-----[ \t]*\r?\n((?:[^\r\n:]+:.*\n)*)([^-]*?)^-----END \1-----/gm;

/** The blocks of a text; whatever else it has, broken blocks too, is passed over. */
function pemBlocks(pem: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const [text, type = "", , body = ""] of pem.matchAll(BLOCK)) {
    const base64 = body.replace(/\s/g, "");
    const isBase64 = base64.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(base64);
    if (isBase64) blocks.push({ type, text, der: Buffer.from(base64, "base64") });
  }
  return blocks;
}

/**
 * The certificates of those who are trusted. Every block must be one: a key by mistake would leave
 * nobody to trust. Throws with Go's texts (etcd: `tlsutil.NewCertPool`).
 */
export function readAuthorities(pem: Buffer): string[] {
  return pemBlocks(pem.toString("latin1")).map(({ der }) => parseCertificate(der).toString());
}

/** Whether a certificate and a key belong together. Throws with Go's texts (`tls.X509KeyPair`). */
export function checkKeyPair(cert: Buffer, key: Buffer): void {
  const der = firstCertificate(cert);
  const text = firstKey(key);
  const certificate = parseCertificate(der);
  const secret = parseKey(text);
  if (secret.asymmetricKeyType !== certificate.publicKey.asymmetricKeyType) {
    throw new Error("tls: private key type does not match public key type");
  }
  if (!certificate.checkPrivateKey(secret)) {
    throw new Error("tls: private key does not match public key");
  }
}

function firstCertificate(pem: Buffer): Buffer {
  const blocks = pemBlocks(pem.toString("latin1"));
  const found = blocks.find(({ type }) => type === "CERTIFICATE");
  if (found !== undefined) return found.der;
  const [only, ...more] = blocks;
  if (only === undefined) throw new Error("tls: failed to find any PEM data in certificate input");
  if (more.length === 0 && only.type.endsWith("PRIVATE KEY")) {
    throw new Error(
      "tls: failed to find certificate PEM data in certificate input, " +
        "but did find a private key; PEM inputs may have been switched",
    );
  }
  throw new Error(
    'tls: failed to find "CERTIFICATE" PEM block in certificate input ' + skipped(blocks),
  );
}

function firstKey(pem: Buffer): string {
  const blocks = pemBlocks(pem.toString("latin1"));
  const found = blocks.find(({ type }) => /(^| )PRIVATE KEY$/.test(type));
  if (found !== undefined) return found.text;
  const [only, ...more] = blocks;
  if (only === undefined) throw new Error("tls: failed to find any PEM data in key input");
  if (more.length === 0 && only.type === "CERTIFICATE") {
    throw new Error("tls: found a certificate rather than a key in the PEM for the private key");
  }
  throw new Error(
    'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input ' +
      skipped(blocks),
  );
}

function skipped(blocks: readonly PemBlock[]): string {
  const types = blocks.map(({ type }) => type).join(" ");
  return `after skipping PEM blocks of the following types: [${types}]`;
}

function parseKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error("tls: failed to parse private key");
  }
}

function parseCertificate(der: Uint8Array): X509Certificate {
  checkFrame(der);
  try {
    return new X509Certificate(der);
  } catch {
    throw new Error(MALFORMED);
  }
}

const MALFORMED = "x509: malformed certificate";
const VERSION = 0xa0;

/**
 * Where a certificate goes wrong first (RFC 5280 §4.1):
 *
 *   Certificate       SEQUENCE
 *     TBSCertificate  SEQUENCE
 *       [0]?          version
 *       INTEGER       serial number
 *       SEQUENCE      signature algorithm, the same as below
 *       …
 *     SEQUENCE        signature algorithm
 *     BIT STRING      signature
 */
function checkFrame(der: Uint8Array): void {
  const all = new Fields(der);
  const outer = new Fields(all.take(SEQUENCE, MALFORMED));
  const inner = new Fields(outer.take(SEQUENCE, "x509: malformed tbs certificate"));
  if (inner.tag === VERSION) inner.take(VERSION, "x509: malformed version");
  inner.take(INTEGER, "x509: malformed serial number");
  const signed = inner.take(SEQUENCE, "x509: malformed signature algorithm identifier");
  const stated = outer.take(SEQUENCE, "x509: malformed algorithm identifier");
  if (Buffer.compare(signed, stated) !== 0) {
    throw new Error("x509: inner and outer signature algorithm identifiers don't match");
  }
  if (all.at < der.length) throw new Error("x509: trailing data");
}
