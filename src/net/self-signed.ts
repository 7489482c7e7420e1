import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME } from "./der.ts";

// A certificate that signs itself, with the fields that etcd's has (RFC 5280 §4.1):
//
//   Certificate       SEQUENCE
//     TBSCertificate  SEQUENCE
//       [0]           INTEGER 2: version 3
//       INTEGER       serial number, 128 bits of chance
//       SEQUENCE      ecdsa-with-SHA512
//       SEQUENCE      issuer: O=etcd
//       SEQUENCE      TIME not before, TIME not after
//       SEQUENCE      subject: the same as the issuer
//       SEQUENCE      public key, on the curve P-521
//       [3]           SEQUENCE of extensions: SEQUENCE { OID, BOOLEAN critical?, OCTET STRING }
//     SEQUENCE        ecdsa-with-SHA512
//     BIT STRING      signature

const BOOLEAN = 0x01;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OID = 0x06;
const PRINTABLE_STRING = 0x13;
const SET = 0x31;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const DNS_NAME = 0x82;
const ADDRESS = 0x87;

const TYPE = "CERTIFICATE";

/** A certificate as PEM, with its key. */
export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
}

/** For a server that is found at these names and addresses. */
export function selfSign(options: {
  readonly hosts: readonly string[];
  readonly from: Date;
  readonly until: Date;
}): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-521" });
  const body = field(
    SEQUENCE,
    field(VERSION, field(INTEGER, Uint8Array.of(2))),
    field(INTEGER, serialNumber()),
    ALGORITHM,
    NAME,
    field(SEQUENCE, time(options.from), time(options.until)),
    NAME,
    publicKey.export({ type: "spki", format: "der" }),
    field(EXTENSIONS, field(SEQUENCE, ...extensions(options.hosts, publicPoint(publicKey)))),
  );
  const signature = bits(sign("sha512", body, privateKey), 0);
  const base64 = field(SEQUENCE, body, ALGORITHM, signature).toString("base64");
  return {
    cert: `-----BEGIN ${TYPE}-----\n${base64.replace(/.{1,64}/g, "$&\n")}-----END ${TYPE}-----\n`,
    key: privateKey.export({ type: "sec1", format: "pem" }).toString(),
  };
}

function field(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = [tag, length];
  if (length >= 0x100) head.splice(1, 1, 0x82, length >> 8, length & 0xff);
  else if (length >= 0x80) head.splice(1, 1, 0x81, length);
  return Buffer.concat([Uint8Array.from(head), content]);
}

const bits = (bytes: Uint8Array, unused: number): Buffer =>
  field(BIT_STRING, Uint8Array.of(unused), bytes);
const oid = (...bytes: readonly number[]): Buffer => field(OID, Uint8Array.from(bytes));

const ALGORITHM = field(SEQUENCE, oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04));
const ORGANIZATION = oid(0x55, 0x04, 0x0a);
const NAME = field(
  SEQUENCE,
  field(SET, field(SEQUENCE, ORGANIZATION, field(PRINTABLE_STRING, Buffer.from("etcd")))),
);
const SERVER_AUTH = oid(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01);

/** Positive, without zeros in front: the first byte is neither too large nor none. */
function serialNumber(): Buffer {
  const number = randomBytes(16);
  number[0] = (number[0]! & 0x7f) | 0x40;
  return number;
}

/** Years from 2050 on need four digits. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, "");
  const isShort = date.getUTCFullYear() < 2050;
  return field(isShort ? UTC_TIME : GENERALIZED_TIME, Buffer.from(digits.slice(isShort ? 2 : 0)));
}

function extensions(hosts: readonly string[], point: Uint8Array): Buffer[] {
  const KEY_USAGE = [0x55, 0x1d, 0x0f];
  const EXTENDED_KEY_USAGE = [0x55, 0x1d, 0x25];
  const BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];
  const SUBJECT_KEY_ID = [0x55, 0x1d, 0x0e];
  const SUBJECT_NAMES = [0x55, 0x1d, 0x11];
  const keyId = createHash("sha256").update(point).digest().subarray(0, 20);
  const critical = field(BOOLEAN, Uint8Array.of(0xff));
  const extension = (
    id: readonly number[],
    value: Uint8Array,
    flag: Uint8Array = Buffer.alloc(0),
  ): Buffer => field(SEQUENCE, oid(...id), flag, field(OCTET_STRING, value));
  const names = [...hosts.filter((host) => isIP(host) === 0), ...hosts.filter(isIP)];
  return [
    // Digital signatures, encipherment of keys, signatures of revocation lists.
    extension(KEY_USAGE, bits(Uint8Array.of(0b1010_0010), 1), critical),
    extension(EXTENDED_KEY_USAGE, field(SEQUENCE, SERVER_AUTH)),
    extension(BASIC_CONSTRAINTS, field(SEQUENCE, field(BOOLEAN, Uint8Array.of(0xff))), critical),
    extension(SUBJECT_KEY_ID, field(OCTET_STRING, keyId)),
    ...(names.length === 0
      ? []
      : [extension(SUBJECT_NAMES, field(SEQUENCE, ...names.map(generalName)))]),
  ];
}

function generalName(host: string): Buffer {
  if (isIP(host) === 0) return field(DNS_NAME, Buffer.from(host));
  return field(
    ADDRESS,
    Uint8Array.from(isIP(host) === 4 ? host.split(".").map(Number) : long(host)),
  );
}

/** The bytes of an address of IPv6. */
function long(host: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  const hex = (high: string, low: string): string =>
    (Number(high) * 256 + Number(low)).toString(16);
  const text =
    dotted === null
      ? host
      : `${dotted[1]}${hex(dotted[2]!, dotted[3]!)}:${hex(dotted[4]!, dotted[5]!)}`;
  const [front = "", back = ""] = text.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const zeros = 8 - groups(front).length - groups(back).length;
  const all = [...groups(front), ...Array<string>(zeros).fill("0"), ...groups(back)];
  return all.flatMap((group) => [
    Number.parseInt(group, 16) >> 8,
    Number.parseInt(group, 16) & 0xff,
  ]);
}

/** The public key without what says of which kind it is. */
function publicPoint(key: KeyObject): Uint8Array {
  const { x = "", y = "" } = key.export({ format: "jwk" });
  return Buffer.concat([
    Uint8Array.of(4),
    Buffer.from(x, "base64url"),
    Buffer.from(y, "base64url"),
  ]);
}
