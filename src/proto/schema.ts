import { EMPTY_BYTES, textToBytes } from "../base/index.ts";
import { BYTES, ProtoError, Reader, Utf8Error, VARINT, Writer } from "./wire.ts";

/**
 * Messages as data: a table of fields gives the type, the codec and the JSON form of a message.
 * For everything that is not hot. It costs no start-up time, which a general library does: its
 * descriptors take as long to build as a whole command takes to run.
 *
 * In a decoded message every field is present: zero, empty or false when it was not sent, and
 * undefined for messages and members of a oneof. Bytes are views of what they were decoded from.
 */

/** How a field is written. `id` and `signedId` are opaque 64-bit numbers, exact as bigint. */
export type Kind =
  | "bool"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "id"
  | "signedId"
  | "string"
  | "bytes"
  | "enum"
  | "message";

export interface Field<T = unknown> {
  readonly number: number;
  readonly kind: Kind;
  readonly repeated: boolean;
  /** Members of one oneof share its name; at most one of them is set. */
  readonly oneof: string | undefined;
  /** The message of a field of kind `message`; a function, since messages may contain themselves. */
  readonly of: (() => Schema) | undefined;
  readonly names: Readonly<Record<string, number>> | undefined;
  /** The value of the field when it was not sent. Repeated fields get an array of their own. */
  readonly unset: T;
}

type Fields = Readonly<Record<string, Field>>;

/** `lease_id` to `leaseId`, as the generators of other languages name it. */
type Camel<S> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;

type ValueOf<F> = F extends Field<infer T> ? T : never;
type Decoded<F extends Fields> = { -readonly [K in keyof F as Camel<K> & string]: ValueOf<F[K]> };

/** A message to encode: whatever is left out is zero. */
export type Init<T> = T extends Uint8Array | string | number | bigint | boolean | undefined
  ? T
  : T extends readonly (infer U)[]
    ? readonly Init<U>[]
    : { readonly [K in keyof T]?: Init<T[K]> | undefined };

/** A field with what the codec wants to know about it at hand. */
export interface FieldInfo extends Field {
  /** Its name in the `.proto` file, which is its name in the gateway's JSON. */
  readonly protoName: string;
  /** Its name in the decoded message and in other people's JSON. */
  readonly name: string;
}

/** The table of one message. */
export interface Schema<T = object> {
  /** With its package. */
  readonly typeName: string;
  /** Ascending by number: the order in which they are written. */
  readonly fields: readonly FieldInfo[];
  readonly byNumber: ReadonlyMap<number, FieldInfo>;
  /** Never there: carries the type. */
  readonly type?: T;
}

/** The decoded form of a schema. */
export type MessageOf<S> = S extends Schema<infer T> ? T : never;

const scalar = <T>(kind: Kind, number: number, unset: T): Field<T> => ({
  number,
  kind,
  repeated: false,
  oneof: undefined,
  of: undefined,
  names: undefined,
  unset,
});

export const bool = (number: number) => scalar("bool", number, false as boolean);
export const int32 = (number: number) => scalar("int32", number, 0 as number);
export const uint32 = (number: number) => scalar("uint32", number, 0 as number);
/** A counter: a revision, an index, a size. Rounded beyond 2^53, where no counter gets. */
export const int64 = (number: number) => scalar("int64", number, 0 as number);
export const uint64 = (number: number) => scalar("uint64", number, 0 as number);
/** A uint64 that names something. */
export const id = (number: number) => scalar("id", number, 0n as bigint);
/** An int64 that names something: leases. */
export const signedId = (number: number) => scalar("signedId", number, 0n as bigint);
export const string = (number: number) => scalar("string", number, "" as string);
export const bytes = (number: number) => scalar("bytes", number, EMPTY_BYTES);

export function enumeration(
  number: number,
  names: Readonly<Record<string, number>>,
): Field<number> {
  return { ...scalar<number>("enum", number, 0), names };
}

export function one<T>(number: number, of: Schema<T> | (() => Schema<T>)): Field<T | undefined> {
  const get = typeof of === "function" ? of : () => of;
  return { ...scalar<T | undefined>("message", number, undefined), of: get as () => Schema };
}

export function many<T>(field: Field<T>): Field<Exclude<T, undefined>[]> {
  return { ...field, repeated: true, unset: [] };
}

export function oneof<T>(name: string, field: Field<T>): Field<T | undefined> {
  return { ...field, oneof: name, unset: undefined };
}

export function message<F extends Fields>(typeName: string, fields: F): Schema<Decoded<F>> {
  const infos = Object.entries<Field>(fields)
    .map(([protoName, field]) => Object.assign({ protoName, name: camel(protoName) }, field))
    .toSorted((a, b) => a.number - b.number);
  return { typeName, fields: infos, byNumber: new Map(infos.map((f) => [f.number, f])) };
}

function camel(protoName: string): string {
  return protoName.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

type Loose = Record<string, unknown>;

/** A message in which nothing is set. */
export function emptyMessage<T>(schema: Schema<T>): T {
  const message: Loose = {};
  for (const field of schema.fields) message[field.name] = field.repeated ? [] : field.unset;
  return message as T;
}

// --- Encoding ---

export function encodeMessage<T>(schema: Schema<T>, message: Init<T>): Uint8Array {
  const writer = new Writer();
  writeMessage(writer, schema, message as Loose);
  return writer.copy();
}

/** Appends the fields of a message to a writer. */
export function writeMessage(writer: Writer, schema: Schema<unknown>, message: Loose): void {
  for (const field of schema.fields) {
    const value = message[field.name];
    if (value === undefined) continue;
    if (field.repeated) writeRepeated(writer, field, value as unknown[]);
    else if (field.oneof !== undefined || !isZero(value)) writeField(writer, field, value);
  }
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === 0 || value === false || value === "" || value === 0n;
}

function writeRepeated(writer: Writer, field: FieldInfo, values: readonly unknown[]): void {
  if (values.length === 0) return;
  if (!isVarint(field.kind)) {
    for (const value of values) writeField(writer, field, value);
    return;
  }
  const start = writer.open(field.number);
  for (const value of values) writeVarint(writer, value as number | bigint | boolean);
  writer.close(start);
}

function isVarint(kind: Kind): boolean {
  return kind !== "string" && kind !== "bytes" && kind !== "message";
}

function writeField(writer: Writer, field: FieldInfo, value: unknown): void {
  switch (field.kind) {
    case "string":
      writer.messageField(field.number, textToBytes(value as string));
      return;
    case "bytes":
      writer.messageField(field.number, value as Uint8Array);
      return;
    case "message": {
      const start = writer.open(field.number);
      writeMessage(writer, field.of!(), value as Loose);
      writer.close(start);
      return;
    }
    default:
      writer.tag(field.number, VARINT);
      writeVarint(writer, value as number | bigint | boolean);
  }
}

function writeVarint(writer: Writer, value: number | bigint | boolean): void {
  if (typeof value === "bigint") writer.bigVarint(value);
  else if (typeof value === "boolean") writer.varint(value ? 1 : 0);
  else writer.counter(value);
}

// --- Decoding ---

/** Messages inside messages; more is an attack on the stack. */
const DEPTH_MAX = 1_000;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Throws `ProtoError`. Unknown fields are skipped. */
export function decodeMessage<T>(schema: Schema<T>, bytes: Uint8Array): T {
  const message = emptyMessage(schema);
  readInto(new Reader(bytes), schema, message as Loose, 0);
  return message;
}

function readInto(reader: Reader, schema: Schema<unknown>, message: Loose, depth: number): void {
  if (depth > DEPTH_MAX) throw new ProtoError("messages are nested too deep");
  while (reader.next()) {
    const field = schema.byNumber.get(Math.floor(reader.tag / 8));
    const wireType = reader.tag % 8;
    if (field === undefined) reader.skip();
    else if (wireType === (isVarint(field.kind) ? VARINT : BYTES)) {
      readField(reader, schema, field, message, depth);
    } else if (wireType === BYTES && field.repeated) readPacked(reader, field, message);
    else reader.skip();
  }
}

function readField(
  reader: Reader,
  schema: Schema<unknown>,
  field: FieldInfo,
  message: Loose,
  depth: number,
): void {
  const list = field.repeated ? (message[field.name] as unknown[]) : undefined;
  let value: unknown;
  if (field.kind === "message") {
    // A message that comes twice is one message, merged.
    value = (list === undefined ? message[field.name] : undefined) ?? emptyMessage(field.of!());
    readInto(reader.nested(), field.of!(), value as Loose, depth + 1);
  } else {
    value = readScalar(reader, field.kind);
  }
  if (list !== undefined) {
    list.push(value);
    return;
  }
  if (field.oneof !== undefined) clearOneof(schema, field, message);
  message[field.name] = value;
}

function clearOneof(schema: Schema<unknown>, kept: FieldInfo, message: Loose): void {
  for (const field of schema.fields) {
    if (field.oneof === kept.oneof) message[field.name] = undefined;
  }
}

function readPacked(reader: Reader, field: FieldInfo, message: Loose): void {
  const list = message[field.name] as unknown[];
  const packed = reader.nested();
  while (packed.at < packed.end) list.push(readScalar(packed, field.kind));
}

function readScalar(reader: Reader, kind: Kind): unknown {
  switch (kind) {
    case "bool":
      return reader.bool();
    case "int32":
    case "enum":
      return reader.int32();
    case "uint32":
      return reader.int32() >>> 0;
    case "int64":
      return reader.int();
    case "uint64":
      return reader.uint();
    case "id":
      return reader.big();
    case "signedId":
      return reader.signedBig();
    case "string":
      return readText(reader.view());
    default:
      return reader.view();
  }
}

function readText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Utf8Error();
  }
}
