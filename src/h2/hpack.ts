import { allocBytes, copyBytes } from "../base/index.ts";
import { ConnectionError, ErrorCode } from "./frames.ts";
import { HeaderField, HeaderList } from "./headers.ts";
import { huffmanDecode } from "./huffman.ts";
import { HEADER_TABLE_BYTES } from "./limits.ts";
import type { OutputBuffer } from "./output.ts";
import { STATIC_TABLE, staticFieldIndex, staticNameIndex } from "./static-table.ts";

/**
 * HPACK (RFC 7541): header fields as references into two tables, one fixed and one that both ends
 * keep in step. Representations, by their first bits:
 *
 *   1xxxxxxx  indexed field                          §6.1
 *   01xxxxxx  literal, added to the dynamic table    §6.2.1
 *   001xxxxx  size of the dynamic table              §6.3
 *   0001xxxx  literal, never to be indexed           §6.2.3
 *   0000xxxx  literal, not indexed                   §6.2.2
 */

interface Sized {
  /** Size by §4.1. */
  readonly bytes: number;
}

/** The dynamic table: the newest entry has index 0, the oldest leave when the size is passed. */
class DynamicTable<Entry extends Sized> {
  /** Oldest first. */
  readonly #entries: Entry[] = [];
  #bytes = 0;
  #bytesMax = HEADER_TABLE_BYTES;
  /** Changes with the contents, so that what was derived from them can be told as stale. */
  version = 0;

  get bytesMax(): number {
    return this.#bytesMax;
  }

  get(index: number): Entry | undefined {
    return this.#entries[this.#entries.length - 1 - index];
  }

  /** The index of this very entry, or -1. */
  indexOf(entry: Entry): number {
    const at = this.#entries.lastIndexOf(entry);
    return at < 0 ? -1 : this.#entries.length - 1 - at;
  }

  /** An entry larger than the table empties it and is not kept (§4.4). */
  insert(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
    this.#evict();
  }

  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#evict();
  }

  #evict(): void {
    this.version++;
    let count = 0;
    while (this.#bytes > this.#bytesMax) this.#bytes -= this.#entries[count++]!.bytes;
    if (count > 0) this.#entries.splice(0, count);
  }
}

/** Blocks that only index are remembered whole; a client has few kinds of them. */
const REMEMBERED_BLOCKS = 16;
const REMEMBERED_BLOCK_BYTES = 64;

class RememberedBlock {
  readonly bytes: Uint8Array;
  readonly list: HeaderList;
  readonly version: number;

  constructor(bytes: Uint8Array, list: HeaderList, version: number) {
    this.bytes = bytes;
    this.list = list;
    this.version = version;
  }

  matches(source: Uint8Array, start: number, end: number): boolean {
    if (this.bytes.length !== end - start) return false;
    for (let i = start; i < end; i++) if (this.bytes[i - start] !== source[i]) return false;
    return true;
  }
}

/** Turns header blocks into header lists. One for each connection, as blocks build on each other. */
export class HpackDecoder {
  readonly #table = new DynamicTable<HeaderField>();
  readonly #remembered: (RememberedBlock | undefined)[] = [];
  readonly #listBytesMax: number;
  #source: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  constructor(options: { listBytesMax: number }) {
    this.#listBytesMax = options.listBytesMax;
  }

  /**
   * Decodes the block `source[start, end)`. Throws ConnectionError (COMPRESSION_ERROR), after
   * which the tables of the two ends differ and the connection is of no more use.
   */
  decode(source: Uint8Array, start: number, end: number): HeaderList {
    if (end - start > REMEMBERED_BLOCK_BYTES) return this.#decodeBlock(source, start, end);
    const slot = hashRegion(source, start, end) & (REMEMBERED_BLOCKS - 1);
    const known = this.#remembered[slot];
    if (known?.version === this.#table.version && known.matches(source, start, end)) {
      return known.list;
    }
    const version = this.#table.version;
    const list = this.#decodeBlock(source, start, end);
    if (onlyIndexes(source, start, end) && version === this.#table.version) {
      this.#remembered[slot] = new RememberedBlock(
        copyBytes(source.subarray(start, end)),
        list,
        version,
      );
    }
    return list;
  }

  #decodeBlock(source: Uint8Array, start: number, end: number): HeaderList {
    this.#source = source;
    this.#at = start;
    this.#end = end;
    const list = new HeaderList();
    while (this.#at < this.#end) {
      const first = source[this.#at]!;
      if ((first & 0x80) !== 0) list.add(this.#field(this.#integer(7)), this.#listBytesMax);
      else if ((first & 0xe0) === 0x20) this.#resize(list);
      else list.add(this.#literal(first), this.#listBytesMax);
    }
    return list;
  }

  #literal(first: number): HeaderField {
    const indexed = (first & 0x40) !== 0;
    const nameIndex = this.#integer(indexed ? 6 : 4);
    const name = nameIndex === 0 ? this.#text() : this.#field(nameIndex).name;
    const field = new HeaderField(name, this.#text());
    if (indexed) this.#table.insert(field);
    return field;
  }

  /** Sizes may change only before the first field of a block (§4.2). */
  #resize(list: HeaderList): void {
    const bytesMax = this.#integer(5);
    if (bytesMax > HEADER_TABLE_BYTES) fail("table size above the limit");
    if (list.bytes > 0) fail("table size update after a field");
    this.#table.resize(bytesMax);
  }

  #field(index: number): HeaderField {
    if (index === 0) fail("index 0");
    if (index < STATIC_TABLE.length) return STATIC_TABLE[index]!;
    return this.#table.get(index - STATIC_TABLE.length) ?? fail("index out of range");
  }

  /** An integer whose first byte leaves `prefixBits` for it (§5.1). Bounded at 2^28. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
    return fail("integer too large");
  }

  #byte(): number {
    if (this.#at >= this.#end) fail("block ends early");
    return this.#source[this.#at++]!;
  }

  #text(): string {
    if (this.#at >= this.#end) fail("block ends early");
    const huffman = (this.#source[this.#at]! & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) fail("string ends early");
    this.#at = end;
    if (!huffman) return byteString(this.#source, start, end);
    const room = scratch(Math.floor((length * 8) / 5));
    const decoded = huffmanDecode(this.#source, start, end, room);
    if (decoded < 0) fail("bad Huffman code");
    return byteString(room, 0, decoded);
  }
}

function fail(reason: string): never {
  throw new ConnectionError(ErrorCode.compressionError, `hpack: ${reason}`);
}

/** Whether every representation in a block is an index of one or two bytes. */
function onlyIndexes(source: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const byte = source[at]!;
    if ((byte & 0x80) === 0) return false;
    at += byte === 0xff ? 2 : 1;
  }
  return at === end;
}

function hashRegion(source: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ source[i]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

let scratchBytes = allocBytes(4096);

/** Room for one string while it is decoded. */
function scratch(length: number): Uint8Array {
  if (length > scratchBytes.length) return allocBytes(length);
  return scratchBytes;
}

const TEXT_STEP = 4096;

/** One character for each byte of `bytes[start, end)`. */
function byteString(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += TEXT_STEP) {
    const piece = bytes.subarray(at, Math.min(end, at + TEXT_STEP));
    text += String.fromCharCode.apply(undefined, piece as unknown as number[]);
  }
  return text;
}

/** A field made ready for sending: its literal form is encoded once. */
export class EncodedField {
  readonly name: string;
  readonly value: string;
  readonly bytes: number;
  /** Whether it recurs and so is worth a place in the peer's table. */
  readonly recurring: boolean;
  /** Place in the static table, or 0. */
  readonly staticIndex: number;
  readonly literal: Uint8Array;

  /** `name` and `value` are byte strings; `name` in lower case. */
  constructor(name: string, value: string, options?: { recurring: boolean }) {
    this.name = name;
    this.value = value;
    this.bytes = new HeaderField(name, value).bytes;
    this.recurring = options?.recurring ?? false;
    this.staticIndex = staticFieldIndex(name, value);
    this.literal = encodeLiteral(name, value, this.recurring);
  }
}

function encodeLiteral(name: string, value: string, recurring: boolean): Uint8Array {
  const nameIndex = staticNameIndex(name);
  const out: number[] = [];
  if (recurring) pushInteger(out, 0x40, 6, nameIndex);
  else pushInteger(out, 0, 4, nameIndex);
  if (nameIndex === 0) pushText(out, name);
  pushText(out, value);
  return Uint8Array.from(out);
}

function pushInteger(out: number[], pattern: number, prefixBits: number, value: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    out.push(pattern | value);
    return;
  }
  out.push(pattern | mask);
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
}

function pushText(out: number[], text: string): void {
  pushInteger(out, 0, 7, text.length);
  for (let i = 0; i < text.length; i++) out.push(text.charCodeAt(i) & 0xff);
}

/** Turns fields into header blocks. Strings go out as they are: Huffman saves little here. */
export class HpackEncoder {
  readonly #table = new DynamicTable<EncodedField>();
  /** The smallest size since the last block, when the size has changed (§4.2). */
  #smallest = -1;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  limitTable(bytesMax: number): void {
    const size = Math.min(bytesMax, HEADER_TABLE_BYTES);
    if (size === this.#table.bytesMax) return;
    this.#smallest = this.#smallest < 0 ? size : Math.min(this.#smallest, size);
    this.#table.resize(size);
  }

  encode(out: OutputBuffer, fields: readonly EncodedField[]): void {
    if (this.#smallest >= 0) this.#announceSizes(out);
    for (const field of fields) this.#encodeField(out, field);
  }

  #encodeField(out: OutputBuffer, field: EncodedField): void {
    const index = this.#indexOf(field);
    if (index > 0) {
      appendInteger(out, 0x80, 7, index);
      return;
    }
    out.append(field.literal);
    if (field.recurring) this.#table.insert(field);
  }

  /** The index by which the peer knows the field, or 0. */
  #indexOf(field: EncodedField): number {
    if (field.staticIndex > 0 || !field.recurring) return field.staticIndex;
    const at = this.#table.indexOf(field);
    return at < 0 ? 0 : at + STATIC_TABLE.length;
  }

  #announceSizes(out: OutputBuffer): void {
    const size = this.#table.bytesMax;
    if (this.#smallest < size) appendInteger(out, 0x20, 5, this.#smallest);
    appendInteger(out, 0x20, 5, size);
    this.#smallest = -1;
  }
}

function appendInteger(
  out: OutputBuffer,
  pattern: number,
  prefixBits: number,
  value: number,
): void {
  if (value < (1 << prefixBits) - 1) {
    const at = out.extend(1);
    out.bytes[at] = pattern | value;
    return;
  }
  const bytes: number[] = [];
  pushInteger(bytes, pattern, prefixBits, value);
  out.append(Uint8Array.from(bytes));
}
