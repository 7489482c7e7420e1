import { EMPTY_BYTES } from "../base/index.ts";
import { BYTES, Reader, VARINT, varintBytes, Writer } from "./wire.ts";

/**
 * Hand-written codecs of etcdserverpb.Watch: one event may go to ten thousand watchers, so it is
 * encoded once, as the piece of a WatchResponse that it will be, and only the few bytes before it
 * are made for each watcher. Field numbers: etcdserverpb/rpc.proto, mvccpb/kv.proto.
 */

/** Byte fields are views of the request. */
export interface WatchCreateRequest {
  key: Uint8Array;
  rangeEnd: Uint8Array;
  /** Rounded above 2^53: a revision that no store reaches. */
  startRevision: number;
  progressNotify: boolean;
  noPut: boolean;
  noDelete: boolean;
  prevKv: boolean;
  /** Chosen by the client and sent back as it came, so it is exact. */
  watchId: bigint;
  fragment: boolean;
}

/** "none" is an empty union, or a kind of request that is newer than this server. */
export type WatchRequest =
  | { kind: "create"; create: WatchCreateRequest }
  | { kind: "cancel"; watchId: bigint }
  | { kind: "progress" }
  | { kind: "none" };

/** A response without events. Revision 0 stands for a header without revision. */
export interface WatchControl {
  watchId: bigint;
  created?: boolean;
  canceled?: boolean;
  compactRevision?: number;
  cancelReason?: Uint8Array;
}

/** A change as the store keeps it: `record` is its mvccpb.KeyValue. */
export interface StoredEvent {
  readonly record: Uint8Array;
  readonly isDelete: boolean;
  readonly revision: number;
}

/** Where encoded bytes go: gives uninitialised bytes of that length. */
export type Alloc = (length: number) => Uint8Array;

const EVENTS_TAG = 11 * 8 + BYTES;
const FILTER_NOPUT = 0;
const FILTER_NODELETE = 1;

/** `fragment: true`, the last field before the events. */
export const FRAGMENT_FIELD: Uint8Array = Uint8Array.of(7 * 8 + VARINT, 1);

/** Throws ProtoError. A union member that is sent twice is merged with itself. */
export function decodeWatchRequest(bytes: Uint8Array): WatchRequest {
  const r = new Reader(bytes);
  let request: WatchRequest = { kind: "none" };
  while (r.next()) {
    switch (r.tag) {
      case 8 + BYTES: {
        const create: WatchCreateRequest =
          request.kind === "create" ? request.create : emptyCreateRequest();
        request = { kind: "create", create: mergeCreateRequest(r.nested(), create) };
        break;
      }
      case 16 + BYTES: {
        const before: bigint = request.kind === "cancel" ? request.watchId : 0n;
        request = { kind: "cancel", watchId: mergeCancelRequest(r.nested(), before) };
        break;
      }
      case 24 + BYTES:
        skipFields(r.nested());
        request = { kind: "progress" };
        break;
      default:
        r.skip();
    }
  }
  return request;
}

function emptyCreateRequest(): WatchCreateRequest {
  return {
    key: EMPTY_BYTES,
    rangeEnd: EMPTY_BYTES,
    startRevision: 0,
    progressNotify: false,
    noPut: false,
    noDelete: false,
    prevKv: false,
    watchId: 0n,
    fragment: false,
  };
}

function mergeCreateRequest(r: Reader, m: WatchCreateRequest): WatchCreateRequest {
  while (r.next()) {
    switch (r.tag) {
      case 8 + BYTES:
        m.key = r.view();
        break;
      case 16 + BYTES:
        m.rangeEnd = r.view();
        break;
      case 24 + VARINT:
        m.startRevision = r.int();
        break;
      case 32 + VARINT:
        m.progressNotify = r.bool();
        break;
      case 40 + VARINT:
        addFilter(m, r.int32());
        break;
      case 40 + BYTES:
        addPackedFilters(m, r.nested());
        break;
      case 48 + VARINT:
        m.prevKv = r.bool();
        break;
      case 56 + VARINT:
        m.watchId = r.signedBig();
        break;
      case 64 + VARINT:
        m.fragment = r.bool();
        break;
      default:
        r.skip();
    }
  }
  return m;
}

function addPackedFilters(m: WatchCreateRequest, packed: Reader): void {
  while (packed.at < packed.end) addFilter(m, packed.int32());
}

function addFilter(m: WatchCreateRequest, filter: number): void {
  if (filter === FILTER_NOPUT) m.noPut = true;
  if (filter === FILTER_NODELETE) m.noDelete = true;
}

function mergeCancelRequest(r: Reader, before: bigint): bigint {
  let watchId = before;
  while (r.next()) {
    if (r.tag === 8 + VARINT) watchId = r.signedBig();
    else r.skip();
  }
  return watchId;
}

function skipFields(r: Reader): void {
  while (r.next()) r.skip();
}

/** The fields of a control response that follow its header. */
export function writeWatchControl(w: Writer, control: WatchControl): void {
  w.bigField(2, control.watchId);
  w.boolField(3, control.created ?? false);
  w.boolField(4, control.canceled ?? false);
  w.intField(5, control.compactRevision ?? 0);
  w.bytesField(6, control.cancelReason ?? EMPTY_BYTES);
}

/** The field `watch_id` of a WatchResponse, empty for id 0. */
export function encodeWatchIdField(watchId: bigint): Uint8Array {
  const w = new Writer(12);
  w.bigField(2, watchId);
  return w.copy();
}

/**
 * One event as a field of a WatchResponse, in bytes of `alloc`:
 *   5a  varint length
 *     08 01                     DELETE; a PUT has no type
 *     12  varint length         the pair: the stored record, to which a tombstone's
 *       …  18 varint revision   mod_revision is added, since the store keeps only its key
 */
export function encodeEventField(event: StoredEvent, alloc: Alloc): Uint8Array {
  const { record, isDelete, revision } = event;
  const pairBytes = record.length + (isDelete ? 1 + varintBytes(revision) : 0);
  const bodyBytes = (isDelete ? 2 : 0) + 1 + varintBytes(pairBytes) + pairBytes;
  const field = alloc(1 + varintBytes(bodyBytes) + bodyBytes);
  let at = putVarint(field, 0, EVENTS_TAG, bodyBytes);
  if (isDelete) at = putVarint(field, at, 0x08, 1);
  at = putVarint(field, at, 0x12, pairBytes);
  field.set(record, at);
  if (isDelete) putVarint(field, at + record.length, 0x18, revision);
  return field;
}

/** The same event with `1a varint length …` behind it: the pair that it replaced. */
export function withPreviousPair(
  eventField: Uint8Array,
  previous: Uint8Array,
  alloc: Alloc,
): Uint8Array {
  const r = new Reader(eventField, 1);
  const body = r.view();
  const bodyBytes = body.length + 1 + varintBytes(previous.length) + previous.length;
  const field = alloc(1 + varintBytes(bodyBytes) + bodyBytes);
  let at = putVarint(field, 0, EVENTS_TAG, bodyBytes);
  field.set(body, at);
  at = putVarint(field, at + body.length, 0x1a, previous.length);
  field.set(previous, at);
  return field;
}

/** Writes a tag of one byte and a varint at `at`; returns where they end. */
function putVarint(target: Uint8Array, at: number, tag: number, value: number): number {
  target[at++] = tag;
  let rest = value;
  while (rest >= 0x80) {
    target[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  target[at++] = rest;
  return at;
}
