import { allocBytes, assert } from "../base/index.ts";
import { KeyValueReader } from "./key-value.ts";

const CHUNK_BYTES = 256 * 1024;
const ENTRY_WORDS = 4;
const TABLE_ENTRIES = 4096;

const DELETE = 1;
const CREATE = 2;

/**
 * The changes of one transaction in order; the position of a change is its sub revision. Records
 * are copied into chunks that the next transaction uses again, and a change is four words:
 *
 *   chunk, start in it, length, flags
 */
export class ChangeList {
  revision = 0;
  #length = 0;
  readonly #tables: Uint32Array[] = [];
  readonly #chunks: Uint8Array[] = [allocBytes(CHUNK_BYTES)];
  #chunk = 0;
  #used = 0;
  readonly #reader = new KeyValueReader();

  get length(): number {
    return this.#length;
  }

  /** Forgets all changes, and the room that a large transaction took. */
  clear(revision: number): void {
    this.revision = revision;
    this.#length = 0;
    this.#used = 0;
    if (this.#tables.length > 1) this.#tables.length = 1;
    if (this.#chunk > 0) this.#chunks.length = 1;
    this.#chunk = 0;
    if (this.#chunks[0]!.length > CHUNK_BYTES) this.#chunks[0] = allocBytes(CHUNK_BYTES);
  }

  addPut(record: Uint8Array, options: { isCreate: boolean }): void {
    this.#add(record, options.isCreate ? CREATE : 0);
  }

  addDelete(record: Uint8Array): void {
    this.#add(record, DELETE);
  }

  /** View of the changed key. */
  key(i: number): Uint8Array {
    this.#reader.read(this.keyValue(i));
    return this.#reader.key;
  }

  /** View of the stored record: a whole KeyValue of a put, one with only its key of a delete. */
  keyValue(i: number): Uint8Array {
    const start = this.#word(i, 1);
    return this.#chunks[this.#word(i, 0)]!.subarray(start, start + this.#word(i, 2));
  }

  isDelete(i: number): boolean {
    return (this.#word(i, 3) & DELETE) !== 0;
  }

  /** Whether it is a put that found no key. */
  isCreate(i: number): boolean {
    return (this.#word(i, 3) & CREATE) !== 0;
  }

  #word(i: number, word: number): number {
    assert(i >= 0 && i < this.#length, "no such change");
    return this.#tables[Math.floor(i / TABLE_ENTRIES)]![(i % TABLE_ENTRIES) * ENTRY_WORDS + word]!;
  }

  #add(record: Uint8Array, flags: number): void {
    const start = this.#takeRoom(record.length);
    this.#chunks[this.#chunk]!.set(record, start);
    const i = this.#length++;
    const index = Math.floor(i / TABLE_ENTRIES);
    if (index === this.#tables.length) {
      this.#tables.push(new Uint32Array(TABLE_ENTRIES * ENTRY_WORDS));
    }
    const table = this.#tables[index]!;
    const at = (i % TABLE_ENTRIES) * ENTRY_WORDS;
    table[at] = this.#chunk;
    table[at + 1] = start;
    table[at + 2] = record.length;
    table[at + 3] = flags;
  }

  #takeRoom(length: number): number {
    if (this.#used + length > this.#chunks[this.#chunk]!.length) {
      this.#chunks.push(allocBytes(Math.max(length, CHUNK_BYTES)));
      this.#chunk++;
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return start;
  }
}
