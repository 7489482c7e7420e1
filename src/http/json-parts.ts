import { concatBytes, EMPTY_BYTES } from "../base/index.ts";
import type { Message } from "../grpc/index.ts";
import {
  BYTES,
  decodeMessage,
  type FieldInfo,
  messageToJson,
  Reader,
  type Schema,
} from "../proto/index.ts";

/** Messages up to this size become JSON in one go; longer ones field by field. */
const WHOLE_BYTES = 16 * 1024;
/** So much text is gathered before it is handed on. */
const PART_CHARS = 32 * 1024;

/**
 * The JSON of an encoded message in pieces, none much longer than its longest field, so that an
 * answer of any size needs neither one long turn nor one long string. Fields of long messages must
 * be encoded in ascending order, as quord encodes them.
 */
export function* jsonParts(schema: Schema<object>, message: Message): Generator<string, void> {
  let text = "";
  for (const piece of jsonPieces(schema, message)) {
    text += piece;
    if (text.length < PART_CHARS) continue;
    yield text;
    text = "";
  }
  yield text;
}

function* jsonPieces(schema: Schema<object>, message: Message): Generator<string, void> {
  if (message instanceof Uint8Array && message.length <= WHOLE_BYTES) {
    yield messageToJson(schema, decodeMessage(schema, message));
    return;
  }
  const parts = message instanceof Uint8Array ? [message] : message;
  let separator = "{";
  /** The repeated field whose items are being written. */
  let open: FieldInfo | undefined;
  for (const { number, field, payload } of encodedFields(parts)) {
    const info = schema.byNumber.get(number);
    if (info === undefined) continue;
    if (open !== undefined && open !== info) {
      yield "]";
      open = undefined;
    }
    if (info.repeated) {
      yield open === info ? "," : `${separator}"${info.protoName}":[`;
      open = info;
      yield* itemPieces(schema, info, field, payload);
    } else {
      const pieces = fieldPieces(schema, info, field, payload);
      if (pieces === undefined) continue;
      yield separator;
      yield* pieces;
    }
    separator = ",";
  }
  if (open !== undefined) yield "]";
  yield separator === "{" ? "{}" : "}";
}

/** One item of a repeated field. */
function itemPieces(
  schema: Schema<object>,
  info: FieldInfo,
  field: Uint8Array,
  payload: Uint8Array,
): Iterable<string> {
  if (info.kind === "message") return jsonPieces(info.of!() as Schema<object>, payload);
  const text = messageToJson(schema, decodeMessage(schema, field));
  return [text.slice(`{"${info.protoName}":[`.length, -"]}".length)];
}

/** A field that is not repeated, with its name; undefined when JSON leaves it out. */
function fieldPieces(
  schema: Schema<object>,
  info: FieldInfo,
  field: Uint8Array,
  payload: Uint8Array,
): Iterable<string> | undefined {
  if (info.kind === "message" && payload.length > WHOLE_BYTES) {
    return namedPieces(info, payload);
  }
  const text = messageToJson(schema, decodeMessage(schema, field));
  return text === "{}" ? undefined : [text.slice(1, -1)];
}

function* namedPieces(info: FieldInfo, payload: Uint8Array): Generator<string, void> {
  yield `"${info.protoName}":`;
  yield* jsonPieces(info.of!() as Schema<object>, payload);
}

interface EncodedField {
  readonly number: number;
  /** With its tag. */
  readonly field: Uint8Array;
  /** Without tag and length; of fields with a length only. */
  readonly payload: Uint8Array;
}

/** The fields of a message in parts; a field may lie across parts. */
function* encodedFields(parts: readonly Uint8Array[]): Generator<EncodedField, void> {
  let rest: Uint8Array = EMPTY_BYTES;
  for (const part of parts) {
    const bytes = rest.length === 0 ? part : concatBytes([rest, part]);
    let at = 0;
    for (;;) {
      const end = fieldEnd(bytes, at);
      if (end > bytes.length) break;
      yield encodedField(bytes.subarray(at, end));
      at = end;
    }
    rest = bytes.subarray(at);
  }
}

function encodedField(field: Uint8Array): EncodedField {
  const r = new Reader(field);
  r.next();
  const number = r.tag >>> 3;
  return { number, field, payload: (r.tag & 7) === BYTES ? r.view() : EMPTY_BYTES };
}

/** Where the field that begins at `at` ends; beyond the bytes when they do not hold all of it. */
function fieldEnd(bytes: Uint8Array, at: number): number {
  const tag = varint(bytes, at);
  if ((tag.value & 7) !== BYTES) return varint(bytes, tag.end).end;
  const length = varint(bytes, tag.end);
  return length.end + length.value;
}

function varint(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  for (let scale = 1; at < bytes.length; scale *= 128) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, end: at };
  }
  return { value: 0, end: Number.POSITIVE_INFINITY };
}
