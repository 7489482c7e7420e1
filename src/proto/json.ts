import { base64ToBytes, bytesToBase64, runeBytes } from "../base/index.ts";
import { PARTIAL_TEXT, scanJson } from "./json-scan.ts";
import { emptyMessage, type FieldInfo, type Init, type Schema } from "./schema.ts";

/**
 * Messages as JSON, as etcd's gateway writes and reads them: field names as in the `.proto`
 * files, 64-bit numbers as decimal strings, bytes as base64, enums by name, zero values left out.
 */

type Loose = Record<string, unknown>;

// --- Writing ---

export function messageToJson<T>(schema: Schema<T>, message: Init<T>): string {
  return JSON.stringify(jsonObject(schema, message as Loose));
}

function jsonObject(schema: Schema<unknown>, message: Loose): Loose {
  const object: Loose = {};
  for (const field of schema.fields) {
    const value = message[field.name];
    if (isUnset(field, value)) continue;
    object[field.protoName] = field.repeated
      ? (value as unknown[]).map((item) => jsonValue(field, item))
      : jsonValue(field, value);
  }
  return object;
}

function isUnset(field: FieldInfo, value: unknown): boolean {
  if (value === undefined) return true;
  if (field.repeated) return (value as unknown[]).length === 0;
  if (field.oneof !== undefined || field.kind === "message") return false;
  return value instanceof Uint8Array ? value.length === 0 : !value;
}

function jsonValue(field: FieldInfo, value: unknown): unknown {
  switch (field.kind) {
    case "message":
      return jsonObject(field.of!(), value as Loose);
    case "bytes":
      return bytesToBase64(value as Uint8Array);
    case "int64":
    case "uint64":
    case "id":
    case "signedId":
      return String(value);
    case "enum":
      return enumName(field, value as number) ?? value;
    default:
      return value;
  }
}

function enumName(field: FieldInfo, value: number): string | undefined {
  const names = field.names!;
  return Object.keys(names).find((name) => names[name] === value);
}

// --- Reading ---

/** A message read, the end of the bytes, or a refusal in etcd's words. */
export type JsonRead<T> =
  | { readonly kind: "message"; readonly message: T; readonly end: number }
  | { readonly kind: "end" }
  | { readonly kind: "error"; readonly text: string };

/** Reads the JSON value at `from`. What follows it is left to the caller, as etcd does. */
export function jsonToMessage<T>(schema: Schema<T>, bytes: Uint8Array, from = 0): JsonRead<T> {
  const scan = scanJson(bytes, from);
  if (scan.kind === "end") return scan;
  if (scan.kind === "partial") return { kind: "error", text: PARTIAL_TEXT };
  if (scan.kind === "error") return scan;
  try {
    const message = new Decoder(bytes.subarray(from, scan.end)).message(schema, 0);
    return { kind: "message", message: message as T, end: scan.end };
  } catch (error) {
    if (error instanceof JsonError) return { kind: "error", text: `proto: ${error.message}` };
    throw error;
  }
}

/** JSON, but not this message. */
class JsonError extends Error {}

interface Token {
  readonly at: number;
  readonly raw: string;
  readonly kind: "string" | "number" | "word" | "{" | "[";
}

/** Objects in objects; more is an attack on the stack. */
const DEPTH_MAX = 1_000;
const QUOTE = 0x22;
const CLOSE_ARRAY = 0x5d;
const CLOSE_OBJECT = 0x7d;
const PUNCTUATION = new Set([0x20, 9, 10, 13, 0x2c, 0x3a]);
const INTEGER = /^(-?)(?:0|([1-9][0-9]*))(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Walks JSON that is known to be well formed. */
class Decoder {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  message(schema: Schema<unknown>, depth: number): Loose {
    if (depth > DEPTH_MAX) throw new JsonError("exceeded max recursion depth");
    const open = this.#token();
    if (open.kind !== "{") this.#unexpected(open);
    const message = emptyMessage(schema) as Loose;
    const seen = new Set<string | number>();
    while (!this.#closes(CLOSE_OBJECT)) this.#field(schema, message, seen, depth);
    return message;
  }

  #field(schema: Schema<unknown>, message: Loose, seen: Set<string | number>, depth: number): void {
    const token = this.#token();
    const name = this.#text(token);
    const field = schema.fields.find((f) => f.name === name || f.protoName === name);
    if (field === undefined) {
      this.#skip();
      return;
    }
    if (seen.has(field.number)) this.#fail(token, `duplicate field ${token.raw}`);
    seen.add(field.number);
    if (this.#takeNull()) return;
    if (field.oneof !== undefined) {
      if (seen.has(field.oneof)) {
        const full = `${schema.typeName}.${field.oneof}`;
        this.#fail(token, `error parsing ${token.raw}, oneof ${full} is already set`);
      }
      seen.add(field.oneof);
    }
    if (field.repeated) this.#list(field, message[field.name] as unknown[], depth);
    else {
      const value = this.#value(field, depth);
      if (value !== undefined) message[field.name] = value;
    }
  }

  #list(field: FieldInfo, list: unknown[], depth: number): void {
    const open = this.#token();
    if (open.kind !== "[") this.#unexpected(open);
    while (!this.#closes(CLOSE_ARRAY)) {
      const value = this.#value(field, depth);
      if (value !== undefined) list.push(value);
    }
  }

  /** Undefined for the name of an enum value that this version does not know. */
  #value(field: FieldInfo, depth: number): unknown {
    if (field.kind === "message") return this.message(field.of!(), depth + 1);
    const token = this.#token();
    if (field.kind === "enum" && token.kind === "string") return field.names![this.#text(token)];
    const value = this.#scalar(field, token);
    if (value === undefined) {
      const kind = GO_KIND[field.kind] ?? field.kind;
      this.#fail(token, `invalid value for ${kind} field ${field.name}: ${token.raw}`);
    }
    return value;
  }

  #scalar(field: FieldInfo, token: Token): unknown {
    switch (field.kind) {
      case "bool":
        return token.raw === "true" ? true : token.raw === "false" ? false : undefined;
      case "string":
        return token.kind === "string" ? this.#text(token) : undefined;
      case "bytes":
        return token.kind === "string" ? base64ToBytes(this.#text(token)) : undefined;
      case "enum":
        return token.kind === "number" ? integer(token.raw, "int32") : undefined;
      default:
        if (token.kind === "number") return integer(token.raw, field.kind);
        return token.kind === "string" ? integer(this.#text(token), field.kind) : undefined;
    }
  }

  #text(token: Token): string {
    const start = token.at + 1;
    for (let at = start; at < this.#at - 1; ) {
      const size = runeBytes(this.#bytes, at);
      if (size === 0) this.#syntax(token.at, "invalid UTF-8 in string");
      at += size;
    }
    const text = JSON.parse(token.raw) as string;
    if (!text.isWellFormed()) this.#syntax(token.at, `invalid escape code in string`);
    return text;
  }

  #takeNull(): boolean {
    this.#skipPunctuation();
    if (this.#bytes[this.#at] !== 0x6e) return false;
    this.#at += 4;
    return true;
  }

  #closes(bracket: number): boolean {
    this.#skipPunctuation();
    if (this.#bytes[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  #skip(): void {
    this.#skipPunctuation();
    const scan = scanJson(this.#bytes, this.#at);
    if (scan.kind === "value") this.#at = scan.end;
  }

  #token(): Token {
    this.#skipPunctuation();
    const at = this.#at;
    const byte = this.#bytes[at]!;
    if (byte === 0x7b || byte === 0x5b) {
      this.#at++;
      const raw = byte === 0x7b ? "{" : "[";
      return { at, raw, kind: raw };
    }
    this.#skip();
    const raw = utf8.decode(this.#bytes.subarray(at, this.#at));
    if (byte === QUOTE) return { at, raw, kind: "string" };
    return { at, raw, kind: byte === 0x2d || (byte >= 0x30 && byte <= 0x39) ? "number" : "word" };
  }

  #skipPunctuation(): void {
    while (PUNCTUATION.has(this.#bytes[this.#at]!)) this.#at++;
  }

  #unexpected(token: Token): never {
    this.#syntax(token.at, `unexpected token ${token.raw}`);
  }

  #syntax(at: number, text: string): never {
    throw new JsonError(`syntax error ${this.#position(at)}: ${text}`);
  }

  #fail(token: Token, text: string): never {
    throw new JsonError(`${this.#position(token.at)}: ${text}`);
  }

  /** Line and column of a byte, counted from 1; columns are characters. */
  #position(at: number): string {
    const lines = utf8.decode(this.#bytes.subarray(0, at)).split("\n");
    return `(line ${lines.length}:${[...lines.at(-1)!].length + 1})`;
  }
}

const GO_KIND: Record<string, string> = { id: "uint64", signedId: "int64" };

const LIMITS: Record<string, readonly [bigint, bigint]> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  signedId: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  id: [0n, 2n ** 64n - 1n],
};

/** A JSON number without a fraction, like `12`, `-3` or `1.5e3`, if the kind can hold it. */
function integer(raw: string, kind: string): number | bigint | undefined {
  const match = INTEGER.exec(raw);
  if (match === null) return undefined;
  const fraction = (match[3] ?? "").replace(/0+$/, "");
  const shift = Number(match[4] ?? 0) - fraction.length;
  const digits = (match[2] ?? "") + fraction;
  if (/^0*$/.test(digits)) return kind === "id" || kind === "signedId" ? 0n : 0;
  if (shift > 20 || shift < -digits.length || digits.length > 40) return undefined;
  const kept = shift < 0 ? digits.slice(0, shift) : digits + "0".repeat(shift);
  if (shift < 0 && !/^0*$/.test(digits.slice(shift))) return undefined;
  const value = BigInt(match[1] + (kept === "" ? "0" : kept));
  const [least, most] = LIMITS[kind]!;
  if (value < least || value > most) return undefined;
  return kind === "id" || kind === "signedId" ? value : Number(value);
}
