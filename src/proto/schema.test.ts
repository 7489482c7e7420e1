import assert from "node:assert/strict";
import { test } from "node:test";
import {
  create,
  type DescField,
  type DescFile,
  type DescMessage,
  fromBinary,
  ScalarType,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import * as authpb from "./gen/authpb/auth_pb.ts";
import * as auth from "./gen/etcdserverpb/auth_pb.ts";
import * as cluster from "./gen/etcdserverpb/cluster_pb.ts";
import * as header from "./gen/etcdserverpb/header_pb.ts";
import * as internal from "./gen/etcdserverpb/internal_pb.ts";
import * as kv from "./gen/etcdserverpb/kv_pb.ts";
import * as lease from "./gen/etcdserverpb/lease_pb.ts";
import * as maintenance from "./gen/etcdserverpb/maintenance_pb.ts";
import * as watch from "./gen/etcdserverpb/watch_pb.ts";
import * as health from "./gen/grpc/health/v1/health_pb.ts";
import * as reflection from "./gen/grpc/reflection/v1/reflection_pb.ts";
import * as membership from "./gen/membershippb/membership_pb.ts";
import * as mvccpb from "./gen/mvccpb/kv_pb.ts";
import * as election from "./gen/v3electionpb/election_pb.ts";
import * as leasepb from "./gen/leasepb/lease_pb.ts";
import * as lock from "./gen/v3lockpb/lock_pb.ts";
import {
  api,
  decodeMessage,
  encodeMessage,
  jsonToMessage,
  messageToJson,
  ProtoError,
  type Schema,
} from "./index.ts";
import type { FieldInfo, Kind } from "./schema.ts";

// The oracle: descriptors made by protoc's relatives from the same .proto files.
const FILES = [
  [authpb, auth, cluster, header, internal, kv, lease, maintenance, watch].flatMap(filesOf),
  [health, reflection, membership, mvccpb, election, leasepb, lock].flatMap(filesOf),
].flat();

function filesOf(module: object): DescFile[] {
  return Object.values(module).filter((value) => value.kind === "file");
}

const schemas: readonly Schema[] = Object.values(api).filter(
  (value): value is Schema => "typeName" in value,
);
const descriptors = new Map(FILES.flatMap((f) => f.messages).map((m) => [m.typeName, m]));

const KINDS: Record<Kind, ScalarType | "enum" | "message"> = {
  bool: ScalarType.BOOL,
  int32: ScalarType.INT32,
  uint32: ScalarType.UINT32,
  int64: ScalarType.INT64,
  signedId: ScalarType.INT64,
  uint64: ScalarType.UINT64,
  id: ScalarType.UINT64,
  string: ScalarType.STRING,
  bytes: ScalarType.BYTES,
  enum: "enum",
  message: "message",
};

function kindOf(field: DescField): ScalarType | "enum" | "message" {
  if (field.message !== undefined) return "message";
  return field.enum === undefined ? (field.scalar as ScalarType) : "enum";
}

function checkField(ours: FieldInfo, theirs: DescField): void {
  const where = `${theirs.parent.typeName}.${theirs.name}`;
  assert.equal(ours.protoName, theirs.name, where);
  assert.equal(ours.name, theirs.localName, where);
  assert.equal(ours.name, theirs.jsonName, where);
  assert.equal(KINDS[ours.kind], kindOf(theirs), where);
  assert.equal(ours.repeated, theirs.fieldKind === "list", where);
  assert.equal(ours.oneof, theirs.oneof?.name, where);
  if (theirs.message !== undefined) assert.equal(ours.of!().typeName, theirs.message.typeName);
  if (theirs.enum !== undefined) {
    const values = theirs.enum.values.map((value) => [value.name, value.number]);
    assert.deepEqual(ours.names, Object.fromEntries(values), where);
  }
}

test("the tables say what the .proto files say, message by message", () => {
  const known = new Map(schemas.map((schema) => [schema.typeName, schema]));
  for (const [typeName, descriptor] of descriptors) {
    const schema = known.get(typeName);
    assert.ok(schema, `no table for ${typeName}`);
    // A map is written as a list of entries, which descriptors hide.
    if (typeName === "grpc.health.v1.HealthListResponse") continue;
    assert.equal(schema.fields.length, descriptor.fields.length, typeName);
    for (const field of descriptor.fields) checkField(schema.byNumber.get(field.number)!, field);
  }
  assert.equal(known.size, descriptors.size);
});

// --- Random messages, the same to both codecs ---

type Loose = Record<string, unknown>;

function valueOf(field: FieldInfo, depth: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case "bool":
      return fc.boolean();
    case "int32":
      return fc.integer();
    case "uint32":
      return fc.nat(0xffffffff);
    case "int64":
      return fc.maxSafeInteger();
    case "uint64":
      return fc.maxSafeNat();
    case "id":
      return fc.bigInt(0n, 2n ** 64n - 1n);
    case "signedId":
      return fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
    case "string":
      return fc.string({ unit: "grapheme", maxLength: 5 });
    case "bytes":
      return fc.uint8Array({ maxLength: 5 });
    case "enum":
      return fc.constantFrom(...Object.values(field.names!));
    case "message":
      return messageOf(field.of!(), depth + 1);
  }
}

function messageOf(schema: Schema, depth = 0): fc.Arbitrary<Loose> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of schema.fields) {
    if (field.kind === "message" && depth > 2) continue;
    const value = valueOf(field, depth);
    members[field.name] = field.repeated ? fc.array(value, { maxLength: 3 }) : value;
  }
  return fc
    .record(members, { requiredKeys: [] })
    .map((message) => oneOfEach(schema, message as Loose));
}

function oneOfEach(schema: Schema, message: Loose): Loose {
  const taken = new Set<string>();
  for (const field of schema.fields) {
    if (field.oneof === undefined || message[field.name] === undefined) continue;
    if (taken.has(field.oneof)) delete message[field.name];
    taken.add(field.oneof);
  }
  return message;
}

/** Our message in the oracle's form: bigint for all 64-bit fields, oneofs as case and value. */
function asOracle(schema: Schema, message: Loose): Loose {
  const result: Loose = {};
  for (const field of schema.fields) {
    const value = message[field.name];
    if (value === undefined) continue;
    const convert = (item: unknown): unknown => {
      if (field.kind === "message") return asOracle(field.of!(), item as Loose);
      return field.kind === "int64" || field.kind === "uint64" ? BigInt(item as number) : item;
    };
    const converted = field.repeated ? (value as unknown[]).map(convert) : convert(value);
    if (field.oneof === undefined) result[field.name] = converted;
    else result[camel(field.oneof)] = { case: field.name, value: converted };
  }
  return result;
}

const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

const plain = schemas.filter((schema) => !schema.typeName.startsWith("grpc.health.v1.HealthList"));
const anyMessage = fc
  .constantFrom(...plain)
  .chain((schema) => messageOf(schema).map((message) => ({ schema, message })));

test("bytes and JSON are those of an independent implementation, and read back equal", () => {
  fc.assert(
    fc.property(anyMessage, ({ schema, message }) => {
      const descriptor = descriptors.get(schema.typeName) as DescMessage;
      const theirs = create(descriptor, asOracle(schema, message) as never);
      const bytes = encodeMessage(schema, message);
      assert.deepEqual(new Uint8Array(bytes), toBinary(descriptor, theirs));
      assert.deepEqual(fromBinary(descriptor, new Uint8Array(bytes)), theirs);
      assert.deepEqual(encodeMessage(schema, decodeMessage(schema, bytes)), bytes);

      const json = messageToJson(schema, message);
      assert.equal(json, toJsonString(descriptor, theirs, { useProtoFieldName: true }));
      const read = jsonToMessage(schema, Buffer.from(json));
      assert.equal(read.kind, "message");
      if (read.kind === "message") assert.deepEqual(encodeMessage(schema, read.message), bytes);
    }),
    { numRuns: 300 },
  );
});

test("damaged messages and noise throw ProtoError or decode, nothing else", () => {
  const noise = fc.tuple(fc.constantFrom(...schemas), fc.uint8Array({ maxLength: 80 }));
  const damaged = fc
    .tuple(anyMessage, fc.nat(), fc.nat(255))
    .map(([{ schema, message }, at, byte]) => {
      const bytes = encodeMessage(schema, message);
      if (bytes.length > 0) bytes[at % bytes.length] = byte;
      return [schema, bytes] as const;
    });
  fc.assert(
    fc.property(fc.oneof(noise, damaged), ([schema, bytes]) => {
      try {
        decodeMessage(schema, bytes);
      } catch (error) {
        assert.ok(error instanceof ProtoError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test("messages nested without end are refused before the stack ends", () => {
  let bytes = new Uint8Array(0);
  for (let depth = 0; depth < 600; depth++) {
    bytes = Uint8Array.from(nest(2, Uint8Array.from(nest(4, bytes))));
  }
  assert.throws(() => decodeMessage(api.TxnRequest, bytes), ProtoError);
  const json = '{"success":[{"request_txn":'.repeat(2_000) + "{}" + "}]}".repeat(2_000);
  assert.deepEqual(jsonToMessage(api.TxnRequest, Buffer.from(json)), {
    kind: "error",
    text: "proto: exceeded max recursion depth",
  });
});

function nest(field: number, bytes: Uint8Array): number[] {
  const length = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) break;
  }
  return [field * 8 + 2, ...length, ...bytes];
}

test("the later member of a oneof wins, and a message sent twice is merged", () => {
  const range = encodeMessage(api.RequestOp, { requestRange: { limit: 1 } });
  const put = encodeMessage(api.RequestOp, { requestPut: { lease: 2n } });
  const op = decodeMessage(api.RequestOp, Uint8Array.from([...range, ...put]));
  assert.equal(op.requestRange, undefined);
  assert.equal(op.requestPut?.lease, 2n);

  const first = encodeMessage(api.PutResponse, { header: { revision: 7 } });
  const second = encodeMessage(api.PutResponse, { header: { raftTerm: 3 } });
  const merged = decodeMessage(api.PutResponse, Uint8Array.from([...first, ...second]));
  assert.deepEqual(merged.header, { clusterId: 0n, memberId: 0n, revision: 7, raftTerm: 3 });
});

test("enum lists are read packed and unpacked", () => {
  const packed = encodeMessage(api.WatchCreateRequest, { filters: [0, 1] });
  assert.deepEqual(new Uint8Array(packed), Uint8Array.of(42, 2, 0, 1));
  for (const bytes of [packed, Uint8Array.of(40, 0, 40, 1)]) {
    assert.deepEqual(decodeMessage(api.WatchCreateRequest, bytes).filters, [0, 1]);
  }
});
