/**
 * mvccpb.KeyValue, the value of every record. Fields in ascending order and no zeros: hashes run
 * over these bytes.
 *
 *   1 key   2 create_revision   3 mod_revision   4 version   5 value   6 lease
 */
import { EMPTY_BYTES } from "../base/index.ts";
import { BYTES, Reader, VARINT, varintBytes } from "../proto/index.ts";

export interface KeyValue {
  readonly key: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly value: Uint8Array;
  /** 0: none. */
  readonly lease: bigint;
}

const KEY_TAG = 8 + BYTES;
const CREATE_TAG = 16 + VARINT;
const MOD_TAG = 24 + VARINT;
const VERSION_TAG = 32 + VARINT;
const VALUE_TAG = 40 + BYTES;
const LEASE_TAG = 48 + VARINT;

const TWO_32 = 0x1_0000_0000;

/** Length of the encoded pair. */
export function keyValueBytes(pair: KeyValue): number {
  return (
    bytesFieldBytes(pair.key.length) +
    intFieldBytes(pair.createRevision) +
    intFieldBytes(pair.modRevision) +
    intFieldBytes(pair.version) +
    bytesFieldBytes(pair.value.length) +
    (pair.lease === 0n ? 0 : 1 + leaseBytes(pair.lease))
  );
}

/** Fills `target`, which has `keyValueBytes(pair)` bytes. */
export function writeKeyValue(target: Uint8Array, pair: KeyValue): void {
  let at = writeBytesField(target, 0, KEY_TAG, pair.key);
  at = writeIntField(target, at, CREATE_TAG, pair.createRevision);
  at = writeIntField(target, at, MOD_TAG, pair.modRevision);
  at = writeIntField(target, at, VERSION_TAG, pair.version);
  at = writeBytesField(target, at, VALUE_TAG, pair.value);
  if (pair.lease === 0n) return;
  target[at++] = LEASE_TAG;
  writeLease(target, at, pair.lease);
}

export function encodeKeyValue(pair: KeyValue): Uint8Array {
  const bytes = new Uint8Array(keyValueBytes(pair));
  writeKeyValue(bytes, pair);
  return bytes;
}

/** Length of a tombstone's value: a pair with nothing but its key. */
export function bareKeyBytes(keyLength: number): number {
  return bytesFieldBytes(keyLength);
}

export function writeBareKey(target: Uint8Array, key: Uint8Array): void {
  writeBytesField(target, 0, KEY_TAG, key);
}

/** Key and value are views of `bytes`. Throws ProtoError. */
export function decodeKeyValue(bytes: Uint8Array): KeyValue {
  const reader = new KeyValueReader();
  reader.read(bytes);
  const { key, createRevision, modRevision, version, value, lease } = reader;
  return { key, createRevision, modRevision, version, value, lease };
}

/** Reads pair after pair without making objects; `key`, `value` and `lease` are made when asked. */
export class KeyValueReader {
  readonly #reader = new Reader(EMPTY_BYTES);
  #keyStart = 0;
  #keyEnd = 0;
  #valueStart = 0;
  #valueEnd = 0;
  /** Where the lease's varint begins; 0 when there is none. */
  #leaseAt = 0;
  createRevision = 0;
  modRevision = 0;
  version = 0;

  /** Throws ProtoError. */
  read(bytes: Uint8Array): void {
    const reader = this.#reader;
    reader.bytes = bytes;
    reader.at = 0;
    reader.end = bytes.length;
    this.#clear();
    while (reader.next()) this.#field(reader);
  }

  get key(): Uint8Array {
    return this.#reader.bytes.subarray(this.#keyStart, this.#keyEnd);
  }

  get value(): Uint8Array {
    return this.#reader.bytes.subarray(this.#valueStart, this.#valueEnd);
  }

  get lease(): bigint {
    if (this.#leaseAt === 0) return 0n;
    this.#reader.at = this.#leaseAt;
    return this.#reader.signedBig();
  }

  #clear(): void {
    this.#keyStart = 0;
    this.#keyEnd = 0;
    this.#valueStart = 0;
    this.#valueEnd = 0;
    this.#leaseAt = 0;
    this.createRevision = 0;
    this.modRevision = 0;
    this.version = 0;
  }

  #field(reader: Reader): void {
    switch (reader.tag) {
      case KEY_TAG: {
        const length = bytesLength(reader);
        this.#keyEnd = reader.at;
        this.#keyStart = reader.at - length;
        return;
      }
      case VALUE_TAG: {
        const length = bytesLength(reader);
        this.#valueEnd = reader.at;
        this.#valueStart = reader.at - length;
        return;
      }
      case CREATE_TAG:
        this.createRevision = reader.int();
        return;
      case MOD_TAG:
        this.modRevision = reader.int();
        return;
      case VERSION_TAG:
        this.version = reader.int();
        return;
      case LEASE_TAG:
        this.#leaseAt = reader.at;
        reader.uint64();
        return;
      default:
        reader.skip();
    }
  }
}

/** Reads the length of a bytes field and passes over its bytes. */
function bytesLength(reader: Reader): number {
  const length = reader.uint();
  if (length > reader.end - reader.at) reader.fail("unexpected end of message");
  reader.at += length;
  return length;
}

function bytesFieldBytes(length: number): number {
  return length === 0 ? 0 : 1 + varintBytes(length) + length;
}

function intFieldBytes(value: number): number {
  return value === 0 ? 0 : 1 + varintBytes(value);
}

function writeBytesField(target: Uint8Array, at: number, tag: number, value: Uint8Array): number {
  if (value.length === 0) return at;
  target[at++] = tag;
  at = writeVarint(target, at, value.length);
  target.set(value, at);
  return at + value.length;
}

function writeIntField(target: Uint8Array, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  target[at++] = tag;
  return writeVarint(target, at, value);
}

/** Writes `value` (0 to 2^53) at `at`; returns the place behind it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  while (value >= TWO_32) {
    target[at++] = (value % 128) | 0x80;
    value = Math.floor(value / 128);
  }
  let low = value >>> 0;
  while (low >= 0x80) {
    target[at++] = (low & 0x7f) | 0x80;
    low >>>= 7;
  }
  target[at++] = low;
  return at;
}

function leaseBytes(lease: bigint): number {
  let bytes = 1;
  for (let rest = BigInt.asUintN(64, lease) >> 7n; rest !== 0n; rest >>= 7n) bytes++;
  return bytes;
}

function writeLease(target: Uint8Array, at: number, lease: bigint): void {
  let rest = BigInt.asUintN(64, lease);
  for (; rest >= 0x80n; rest >>= 7n) target[at++] = Number(rest & 0x7fn) | 0x80;
  target[at] = Number(rest);
}
