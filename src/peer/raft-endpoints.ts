import type { IncomingMessage, ServerResponse } from "node:http";
import type { SnapshotSink } from "../member/index.ts";
import { MESSAGE_TYPE, type Message, ProtoError, Reader, readRaftMessage } from "../proto/index.ts";
import { Body } from "./body.ts";
import { refusalOf } from "./compatibility.ts";
import { MESSAGE_BYTES_MAX, readLength } from "./decoders.ts";
import type { StreamKind } from "./encoders.ts";
import { hex, idOf, reasonOf } from "./local.ts";
import { begin, notAllowed, refuse, refuseAndCut, respond } from "./replies.ts";
import type { Transport } from "./transport.ts";

// What raft's half of the peer protocol answers (etcd: rafthttp/http.go). A promise that rejects
// closes the connection, as a panic of a handler does there.

/** Of the message before a snapshot (etcd: `snapshotLimitByte`). */
const SNAPSHOT_MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** A name for a sender that did not say who it is. */
const UNKNOWN_SENDER = "UNKNOWN_SNAPSHOT_SENDER";

type Handler = (
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<void> | void;

function fieldOf(request: IncomingMessage): (name: string) => string | undefined {
  return (name) => request.headers[name]?.toString();
}

/** Remembers who sends, should it not be known yet. Throws where it names no URLs. */
function meetSender(transport: Transport, request: IncomingMessage): void {
  const field = fieldOf(request);
  const from = idOf(field("x-server-from") ?? "");
  const urls = field("x-peerurls");
  if (from !== undefined && urls) transport.meet(from, urls.split(","));
}

/**
 * Whether a request is for this cluster and from a version that it speaks with; if not, that has
 * been answered.
 */
function isCompatible(
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const refusal = refusalOf(transport.local, fieldOf(request));
  if (refusal === undefined) return true;
  if (refusal === "unreadable") throw new Error("not a version");
  refuse(response, 412, refusal);
  return false;
}

/** `POST /raft`: one message. */
export const pipeline: Handler = async (transport, request, response) => {
  if (request.method !== "POST") return notAllowed(response, "POST");
  const { meters, lines } = transport.local;
  response.setHeader("X-Etcd-Cluster-Id", hex(transport.local.clusterId));
  if (!isCompatible(transport, request, response)) return;
  meetSender(transport, request);
  const fail = (text: string, error: unknown): void => {
    lines.warn(`failed to ${text.replace(/^error (\w+)ing raft/, "$1 Raft")}`, {
      "local-member-id": hex(transport.local.memberId),
      error: reasonOf(error),
    });
    meters.receiveFailures.add(addressOf(request));
    refuse(response, 400, text);
  };
  let body: Uint8Array | undefined;
  try {
    body = await new Body(request, transport.local.readTimeoutMs).whole(MESSAGE_BYTES_MAX);
    if (body === undefined) throw new Error("it is too long");
  } catch (error) {
    return fail("error reading raft message", error);
  }
  let m: Message;
  try {
    m = readRaftMessage(new Reader(body));
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
    return fail("error unmarshalling raft message", error);
  }
  meters.receivedBytes.add(m.from, body.length);
  const refusal = transport.deliver(m);
  if (refusal === undefined) return respond(response, 204, {});
  lines.warn("failed to process Raft message", {
    "local-member-id": hex(transport.local.memberId),
    error: refusal,
  });
  refuseAndCut(response, 500, "error processing raft message");
};

/** `GET /raft/stream/KIND/ID`: what is sent to that member, from now on. */
export const stream = (
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): void => {
  if (request.method !== "GET") return notAllowed(response, "GET");
  const { local } = transport;
  response.setHeader("X-Server-Version", local.version);
  response.setHeader("X-Etcd-Cluster-Id", hex(local.clusterId));
  if (!isCompatible(transport, request, response)) return;
  const [, kind, rest] = /^\/raft\/stream\/([^/]+)\/([^/]*)$/.exec(path) ?? [];
  if (kind !== "msgapp" && kind !== "message") return refuse(response, 404, "invalid path");
  const from = idOf(rest!);
  if (from === undefined) return refuse(response, 404, "invalid from");
  const facts = {
    "local-member-id": hex(local.memberId),
    "remote-peer-id-stream-handler": hex(local.memberId),
    "remote-peer-id-from": hex(from),
  };
  if (local.inbox.isRemoved(from)) {
    local.lines.warn("rejected stream from remote peer because it was removed", facts);
    return refuse(response, 410, "removed member");
  }
  const cluster = { "cluster-id": hex(local.clusterId) };
  if (!transport.isPeer(from)) {
    const urls = request.headers["x-peerurls"]?.toString();
    if (urls) transport.meet(from, urls.split(","));
    local.lines.warn("failed to find remote peer in cluster", { ...facts, ...cluster });
    return refuse(response, 404, "error sender not found");
  }
  const to = request.headers["x-raft-to"]?.toString() ?? "";
  if (to !== hex(local.memberId)) {
    const header = { "remote-peer-id-header": to };
    local.lines.warn("ignored streaming request; ID mismatch", { ...facts, ...header, ...cluster });
    return refuse(response, 412, "to field mismatch");
  }
  open(transport, request, response, { from, kind });
};

/** The head goes the usual way; what follows is written to the socket past Node's streams. */
function open(
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  { from, kind }: { readonly from: bigint; readonly kind: StreamKind },
): void {
  request.resume();
  begin(response, {});
  transport.attach(from, kind, request.socket);
}

/** `POST /raft/snapshot`: a message, then the page file that it is about. */
export const snapshot: Handler = async (transport, request, response) => {
  const begun = performance.now();
  const { meters } = transport.local;
  if (request.method !== "POST") {
    meters.snapshotReceiveFailures.add(UNKNOWN_SENDER);
    return notAllowed(response, "POST");
  }
  response.setHeader("X-Etcd-Cluster-Id", hex(transport.local.clusterId));
  if (!isCompatible(transport, request, response)) {
    meters.snapshotReceiveFailures.add(UNKNOWN_SENDER);
    return;
  }
  meetSender(transport, request);
  const body = new Body(request, transport.local.readTimeoutMs);
  const head = await readHead(body);
  if ("error" in head) return failDecoding(transport, request, response, head.error);
  const { m, bytes } = head;
  meters.receivedBytes.add(m.from, bytes);
  if (m.type !== MESSAGE_TYPE.snap) {
    meters.snapshotReceiveFailures.add(m.from);
    return refuse(response, 400, "wrong raft message type");
  }
  if (m.snapshot === undefined) throw new Error("a snapshot without a snapshot");
  meters.snapshotsReceiving.add(m.from);
  const refusal = await receive(transport, body, m);
  meters.snapshotsReceiving.add(m.from, -1);
  if (refusal !== undefined) {
    meters.snapshotReceiveFailures.add(m.from);
    return refuse(response, 500, refusal);
  }
  respond(response, 204, {});
  meters.snapshotsReceived.add(m.from);
  meters.snapshotReceiveSeconds.observe(m.from, (performance.now() - begun) / 1000);
};

function failDecoding(
  { local }: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  error: string,
): void {
  local.lines.warn("failed to decode Raft message", {
    "local-member-id": hex(local.memberId),
    error,
  });
  local.meters.receiveFailures.add(addressOf(request));
  local.meters.snapshotReceiveFailures.add(0n);
  refuse(response, 400, `failed to decode raft message (${error})`);
}

type Head = { readonly m: Message; readonly bytes: number } | { readonly error: string };

async function readHead(body: Body): Promise<Head> {
  try {
    const bytes = readLength(await body.exactly(8), 0, SNAPSHOT_MESSAGE_BYTES_MAX);
    return { m: readRaftMessage(new Reader(await body.exactly(bytes))), bytes };
  } catch (error) {
    // What Go's protobuf says of whatever is wrong; the length has a text of its own.
    const isMangled = error instanceof ProtoError && !error.message.startsWith("rafthttp:");
    return {
      error: isMangled ? "proto: cannot parse invalid wire-format data" : reasonOf(error),
    };
  }
}

/** Undefined: it is kept, and raft knows. Else why not, in etcd's words. */
async function receive(transport: Transport, body: Body, m: Message): Promise<string | undefined> {
  const { lines, memberId } = transport.local;
  const facts = {
    "local-member-id": hex(memberId),
    "remote-snapshot-sender-id": hex(m.from),
    "incoming-snapshot-index": m.snapshot!.meta.index,
  };
  const notOurs = transport.refusalOf(m);
  if (notOurs !== undefined) return `failed to process raft message (${notOurs})`;
  lines.info("receiving database snapshot", facts);
  const begun = performance.now();
  let sink: SnapshotSink | undefined;
  let size = 0;
  try {
    const opened = transport.local.inbox.receiveSnapshot(m);
    if ("message" in opened) throw new Error(opened.message);
    sink = opened;
    for (let bytes = await body.next(); bytes !== undefined; bytes = await body.next()) {
      await sink.write(bytes);
      size += bytes.length;
    }
    await sink.finish();
  } catch (error) {
    await sink?.abort().catch(() => {});
    const reason = reasonOf(error);
    lines.warn("failed to save incoming database snapshot", { ...facts, error: reason });
    return `failed to save KV snapshot (${reason})`;
  }
  transport.meters.receivedBytes.add(m.from, size);
  lines.info("received and saved database snapshot", {
    ...facts,
    "incoming-snapshot-size-bytes": size,
    "download-took": `${((performance.now() - begun) / 1000).toFixed(6)}s`,
  });
  return undefined;
}

/** `/raft/probing`: the time. */
export const probing: Handler = (_transport, _request, response) => {
  const body = `${JSON.stringify({ OK: true, Now: new Date().toISOString() })}\n`;
  respond(response, 200, { "Content-Type": "text/plain; charset=utf-8" }, body);
};

function addressOf({ socket }: IncomingMessage): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
