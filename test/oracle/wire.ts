/**
 * Other encodings of a message: fields in another order, twice, unknown ones between them, numbers
 * longer than needed, a wrong wire type, the end cut off. Whatever a decoder makes of them, both
 * servers must make the same.
 */
import type { Draw } from "./draw.ts";

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const GROUP = 3;
const GROUP_END = 4;
const FIXED32 = 5;

/** Above every field number of etcd's messages. */
const UNKNOWN_FIELD = 300;
const VARINT_BYTES_MAX = 10;

interface Field {
  readonly number: number;
  readonly type: number;
  /** What follows the tag; of a field with a length, what follows the length. */
  readonly value: Uint8Array;
}

/** Changes a valid message in one to three places; half the time inside a message it holds. */
export function mutate(message: Uint8Array, draw: Draw): Uint8Array {
  let mutated = message;
  for (let changes = 1 + draw.below(3); changes > 0; changes--) mutated = change(mutated, draw);
  return mutated;
}

function change(message: Uint8Array, draw: Draw): Uint8Array {
  const fields = split(message);
  if (fields === undefined) return message;
  const inner = fields.filter(({ type, value }) => type === BYTES && value.length > 2);
  if (inner.length > 0 && draw.percent(50)) {
    const field = draw.pick(inner);
    const changed = { ...field, value: change(field.value, draw) };
    return join(fields.toSpliced(fields.indexOf(field), 1, changed));
  }
  const at = draw.below(fields.length + 1);
  const field = fields[at];
  return draw.weighted<() => Uint8Array>([
    [15, () => join(fields.toSpliced(at, 0, unknownField(draw)))],
    [12, () => join([...fields.slice(at), ...fields.slice(0, at)])],
    [12, () => (field ? join(fields.toSpliced(draw.below(fields.length), 0, field)) : message)],
    [8, () => (field ? join(fields.toSpliced(at, 1, otherType(field, draw))) : message)],
    [8, () => (field ? join(fields.toSpliced(at, 1, otherValue(field, draw))) : message)],
    [5, () => message.subarray(0, draw.below(message.length + 1))],
  ])();
}

/** The fields of a message; undefined when the bytes are none. */
export function split(message: Uint8Array): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number | undefined => {
    let value = 0;
    for (let shift = 1, bytes = 0; bytes < VARINT_BYTES_MAX; shift *= 128, bytes++) {
      const byte = message[at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < message.length) {
    const tag = varint();
    if (tag === undefined) return undefined;
    const type = tag & 7;
    const start = at;
    let end: number | undefined;
    if (type === VARINT) end = varint() === undefined ? undefined : at;
    else if (type === FIXED64) end = at + 8;
    else if (type === FIXED32) end = at + 4;
    else if (type === BYTES) {
      const length = varint();
      if (length === undefined || at + length > message.length) return undefined;
      fields.push({ number: tag >>> 3, type, value: message.subarray(at, at + length) });
      at += length;
      continue;
    }
    if (end === undefined || end > message.length) return undefined;
    at = end;
    fields.push({ number: tag >>> 3, type, value: message.subarray(start, end) });
  }
  return fields;
}

export function join(fields: readonly Field[]): Uint8Array {
  return Buffer.concat(
    fields.flatMap(({ number, type, value }) => {
      const tag = varintOf(number * 8 + type);
      return type === BYTES ? [tag, varintOf(value.length), value] : [tag, value];
    }),
  );
}

/** A varint of at least `bytesMin` bytes. */
function varintOf(value: number, bytesMin = 1): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  while (left > 0x7f || bytes.length + 1 < bytesMin) {
    bytes.push((left % 128) | 0x80);
    left = Math.floor(left / 128);
  }
  return Uint8Array.from([...bytes, left]);
}

function unknownField(draw: Draw): Field {
  const number = draw.pick([UNKNOWN_FIELD, UNKNOWN_FIELD + 1, 536_870_911, 0, 19_000]);
  const groupEnd = varintOf(number * 8 + GROUP_END);
  return draw.pick<Field>([
    { number, type: VARINT, value: varintOf(draw.below(1_000), 1 + draw.below(10)) },
    { number, type: FIXED64, value: draw.bytes(8) },
    { number, type: FIXED32, value: draw.bytes(4) },
    { number, type: BYTES, value: draw.bytes(draw.below(6)) },
    { number, type: GROUP, value: groupEnd },
    { number, type: GROUP, value: Buffer.concat([join([innerField(draw)]), groupEnd]) },
    { number, type: GROUP, value: draw.bytes(3) },
    { number, type: GROUP_END, value: draw.bytes(0) },
    { number, type: 6 + draw.below(2), value: draw.bytes(draw.below(4)) },
  ]);
}

const innerField = (draw: Draw): Field => ({ number: 1, type: BYTES, value: draw.bytes(3) });

/** The same field with a wire type that its schema does not know: an unknown field. */
function otherType({ number, type }: Field, draw: Draw): Field {
  return type === BYTES
    ? { number, type: VARINT, value: varintOf(draw.below(300)) }
    : { number, type: BYTES, value: draw.bytes(draw.below(4)) };
}

/** A number in more bytes than it needs, or a large or negative one; bytes that are no text. */
function otherValue({ number, type, value }: Field, draw: Draw): Field {
  if (type === BYTES) return { number, type, value: Buffer.concat([value, draw.bytes(1)]) };
  if (type !== VARINT) return { number, type, value: draw.bytes(value.length) };
  const long = Buffer.concat([
    value.map((byte) => byte | 0x80),
    Uint8Array.of(...(value.length < VARINT_BYTES_MAX ? [0x80, 0] : [0])),
  ]);
  const large = Uint8Array.of(...Array.from({ length: 9 }, () => 0xff), draw.pick([0, 1, 2, 0x7f]));
  return { number, type, value: draw.pick([long, large]) };
}
