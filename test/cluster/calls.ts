/** Requests of a history as calls of gRPC, and answers back. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { CompareSchema, KV, Lease } from "../lib/api.ts";
import { Compare_CompareResult, Compare_CompareTarget } from "../lib/api.ts";
import { type Client, pathOf } from "../lib/grpc.ts";
import type { Answer, Compare, Pair, Request, Write } from "../lib/history/index.ts";

/** Longer than a member lets a request wait (7 s), so that its own refusal is heard. */
const CALL_MS = 9_000;

/** A refusal, or a call that broke. */
export interface Failure {
  readonly code: number;
  readonly text: string;
}

type Outcome = { readonly answer: Answer } | { readonly failure: Failure };

/** Keys of a span without an upper bound. */
export const END = "\uffff";

export const bytesOf = (text: string) => Buffer.from(text, "latin1");
export const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const endOf = (end: string | undefined) =>
  end === undefined ? new Uint8Array(0) : end === END ? bytesOf("\0") : bytesOf(end);
const leaseOf = (lease: string | undefined) => (lease === undefined ? 0n : BigInt(`0x${lease}`));

/** Never rejects. */
export async function perform(client: Client, request: Request): Promise<Outcome> {
  switch (request.kind) {
    case "put":
      return ask(client, KV.method.put, putOf(request), ({ header }) => ({
        revision: Number(header!.revision),
      }));
    case "delete":
      return ask(client, KV.method.deleteRange, spanOf(request), ({ header, deleted }) => ({
        revision: Number(header!.revision),
        deleted: Number(deleted),
      }));
    case "range":
      return range(client, request);
    case "txn":
      return txn(client, request);
    default:
      return leaseCall(client, request);
  }
}

function range(client: Client, request: Request & { kind: "range" }): Promise<Outcome> {
  const serializable = request.isSerializable ?? false;
  const revision = BigInt(request.revision ?? 0);
  const message = { ...spanOf(request), serializable, revision };
  return ask(client, KV.method.range, message, ({ header, kvs }) => ({
    revision: Number(header!.revision),
    pairs: kvs.map(pairOf),
  }));
}

function txn(client: Client, request: Request & { kind: "txn" }): Promise<Outcome> {
  const message = {
    compare: request.compares.map(compareOf),
    success: request.success.map(operationOf),
    failure: request.failure.map(operationOf),
  };
  return ask(client, KV.method.txn, message, ({ header, succeeded, responses }) => {
    const deleted = responses.reduce(
      (sum, { response }) =>
        sum + (response.case === "responseDeleteRange" ? Number(response.value.deleted) : 0),
      0,
    );
    return { revision: Number(header!.revision), succeeded, deleted };
  });
}

async function leaseCall(client: Client, request: Request): Promise<Outcome> {
  switch (request.kind) {
    case "grant": {
      const message = { ID: leaseOf(request.lease), TTL: BigInt(request.ttlSeconds) };
      return ask(client, Lease.method.leaseGrant, message, ({ header, TTL }) => ({
        revision: Number(header!.revision),
        ttlSeconds: Number(TTL),
      }));
    }
    case "revoke":
      return ask(
        client,
        Lease.method.leaseRevoke,
        { ID: leaseOf(request.lease) },
        ({ header }) => ({
          revision: Number(header!.revision),
        }),
      );
    case "renew":
      return renew(client, leaseOf(request.lease));
    default:
      throw new Error(`no call for ${request.kind}`);
  }
}

/** A stream for one renewal. */
function renew(client: Client, ID: bigint): Promise<Outcome> {
  const { leaseKeepAlive } = Lease.method;
  return new Promise((resolve) => {
    const stream = client.duplex(
      pathOf(leaseKeepAlive),
      (message) => {
        const { header, TTL } = fromBinary(leaseKeepAlive.output, message);
        resolve({ answer: { revision: Number(header!.revision), ttlSeconds: Number(TTL) } });
        clearTimeout(timer);
        stream.cancel();
      },
      {
        end: (code, text) => {
          clearTimeout(timer);
          resolve({ failure: { code, text } });
        },
      },
    );
    const timer = setTimeout(() => stream.cancel(), CALL_MS);
    stream.send(toBinary(leaseKeepAlive.input, create(leaseKeepAlive.input, { ID })));
  });
}

async function ask<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethod & { input: I; output: O },
  message: MessageInitShape<I>,
  read: (answer: MessageShape<O>) => Answer,
): Promise<Outcome> {
  const bytes = toBinary(method.input, create(method.input, message));
  const deadline = Date.now() + CALL_MS;
  const { code, text, body } = await client.unary(pathOf(method), bytes, { deadline });
  if (code !== 0) return { failure: { code, text } };
  return { answer: read(fromBinary(method.output, body)) };
}

const spanOf = ({ key, end }: { readonly key: string; readonly end?: string }) => ({
  key: key === "" ? bytesOf("\0") : bytesOf(key),
  rangeEnd: endOf(end),
});

const putOf = ({ key, value, lease }: Write & { kind: "put" }) => ({
  key: bytesOf(key),
  value: bytesOf(value),
  lease: leaseOf(lease),
});

const compareOf = ({ key, modRevision }: Compare) =>
  create(CompareSchema, {
    key: bytesOf(key),
    result: Compare_CompareResult.EQUAL,
    target: Compare_CompareTarget.MOD,
    targetUnion: { case: "modRevision", value: BigInt(modRevision) },
  });

const operationOf = (write: Write) =>
  write.kind === "put"
    ? { request: { case: "requestPut" as const, value: putOf(write) } }
    : { request: { case: "requestDeleteRange" as const, value: spanOf(write) } };

interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly modRevision: bigint;
  readonly createRevision: bigint;
  readonly version: bigint;
  readonly lease: bigint;
}

export function pairOf(kv: KeyValue): Pair {
  return {
    key: textOf(kv.key),
    value: textOf(kv.value),
    modRevision: Number(kv.modRevision),
    createRevision: Number(kv.createRevision),
    version: Number(kv.version),
    ...(kv.lease !== 0n && { lease: kv.lease.toString(16) }),
  };
}
