import { LEASE_COST } from "../apply/index.ts";
import { keyToBytes } from "../base/index.ts";
import type { ServerCall } from "../grpc/index.ts";
import type { Lease, Lessor } from "../lease/index.ts";
import type { Slices } from "../mvcc/index.ts";
import {
  api,
  CODE,
  decodeMessage,
  encodeMessage,
  Reader,
  REQUEST,
  VARINT,
  Writer,
} from "../proto/index.ts";
import type { Answer } from "./answer.ts";
import type { Service } from "./service.ts";

/** Lease ids drawn here are positive: the top bit of a request id is cleared. */
const POSITIVE = 0x7fff_ffff_ffff_ffffn;

export function grant(service: Service, bytes: Uint8Array, answer: Answer): void {
  const request = decodeMessage(api.LeaseGrantRequest, bytes);
  if (service.refuseForQuota(LEASE_COST, answer)) return;
  if (request.ID !== 0n) {
    service.propose(REQUEST.leaseGrant, bytes, answer);
    return;
  }
  const ID = service.member.nextId() & POSITIVE;
  const drawn = encodeMessage(api.LeaseGrantRequest, { TTL: request.TTL, ID });
  service.propose(REQUEST.leaseGrant, drawn, answer);
}

export function revoke(service: Service, bytes: Uint8Array, answer: Answer): void {
  decodeMessage(api.LeaseRevokeRequest, bytes);
  service.member.propose(REQUEST.leaseRevoke, bytes, answer);
}

export function timeToLive(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { ID, keys } = decodeMessage(api.LeaseTimeToLiveRequest, bytes);
  const { member } = service;
  if (!member.leadership.isOwn) {
    const asked = member.renewals.timeToLive(ID, keys).then((lease) => {
      if ("code" in lease) answer.fail(lease);
      else replyTimeToLive(service, answer, ID, lease);
    });
    member.spawn(asked);
    return;
  }
  service.linearizable(answer, () => {
    const { lessor } = service.state;
    const now = member.now();
    const lease = lessor.get(ID);
    const gone = lease === undefined || lessor.isExpired(lease, now);
    replyTimeToLive(service, answer, ID, {
      ttlSeconds: gone ? -1 : lessor.remainingSeconds(lease, now),
      grantedSeconds: gone ? 0 : lease.ttlSeconds,
      keys: gone || !keys ? [] : keysOf(lease),
    });
  });
}

function* keysOf({ keys }: Lease): Iterable<Uint8Array> {
  for (const key of keys) yield keyToBytes(key);
}

function replyTimeToLive(
  service: Service,
  answer: Answer,
  ID: bigint,
  lease: { ttlSeconds: number; grantedSeconds: number; keys: Iterable<Uint8Array> },
): void {
  const head = encodeMessage(api.LeaseTimeToLiveResponse, {
    header: service.header(),
    ID,
    TTL: lease.ttlSeconds,
    grantedTTL: lease.grantedSeconds,
  });
  service.run(encodeKeys(lease.keys), (chunks) => answer.reply([head, ...chunks]));
}

/** Elements of a reply that are encoded in one slice, into one part of it. */
const ELEMENTS_PER_SLICE = 2000;

/** LeaseTimeToLiveResponse: 5 keys. */
function encodeKeys(keys: Iterable<Uint8Array>): Slices<Uint8Array[]> {
  return encodeInSlices(keys, (w, key) => w.messageField(5, key));
}

function* encodeInSlices<T>(
  elements: Iterable<T>,
  write: (w: Writer, element: T) => void,
): Slices<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  const w = new Writer(4096);
  let count = 0;
  for (const element of elements) {
    write(w, element);
    if (++count % ELEMENTS_PER_SLICE !== 0) continue;
    chunks.push(w.copy());
    w.reset();
    yield undefined;
  }
  chunks.push(w.copy());
  return chunks;
}

export function leases(service: Service, bytes: Uint8Array, answer: Answer): void {
  decodeMessage(api.LeaseLeasesRequest, bytes);
  const head = encodeMessage(api.LeaseLeasesResponse, { header: service.header() });
  service.run(encodeIds(service.state.lessor), (chunks) => answer.reply([head, ...chunks]));
}

/** LeaseLeasesResponse: 2 leases, each a LeaseStatus: 1 ID. */
function* encodeIds(lessor: Lessor): Slices<Uint8Array[]> {
  return yield* encodeInSlices(yield* lessor.ids(), (w, id) => {
    const status = w.open(2);
    w.bigField(1, id);
    w.close(status);
  });
}

/**
 * A stream of renewals, each answered in turn. A lease that is gone has TTL 0. Requests that come
 * faster than they are answered wait in the stream's flow control.
 */
export function keepAlive(service: Service, call: ServerCall): void {
  let previous: Promise<void> | undefined;
  call.onMessage = (bytes) => {
    const id = decodeKeepAlive(bytes);
    const header = { revision: service.revision, raftTerm: service.raftTerm };
    const { renewals } = service.member;
    const ttlSeconds = previous === undefined ? renewals.now(id) : undefined;
    if (ttlSeconds !== undefined) {
      call.send(encodeRenewal(service, header, id, ttlSeconds));
      return;
    }
    const mine = (previous ?? Promise.resolve())
      .then(() => renewals.renew(id))
      .then((renewed) => {
        if (typeof renewed === "number") call.send(encodeRenewal(service, header, id, renewed));
        else call.end(renewed);
        if (previous === mine) previous = undefined;
      });
    previous = mine;
    service.member.spawn(mine);
  };
  call.onHalfClose = () => {
    const end = () => call.end({ code: CODE.ok, message: "" });
    if (previous === undefined) end();
    else service.member.spawn(previous.then(end));
  };
}

function decodeKeepAlive(bytes: Uint8Array): bigint {
  let id = 0n;
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 8 + VARINT) id = r.signedBig();
    else r.skip();
  }
  return id;
}

function encodeRenewal(
  service: Service,
  header: { revision: number; raftTerm: number },
  id: bigint,
  ttlSeconds: number,
): Uint8Array {
  const w = service.replies.start(header.revision, header.raftTerm);
  w.bigField(2, id);
  w.intField(3, ttlSeconds);
  return w.view();
}
