/** Concurrent writers with values that never repeat, and a record of what was acknowledged. */
import type { DescMethod } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Prng } from "../../src/base/index.ts";
import {
  CompactionResponseSchema,
  DeleteRangeRequestSchema,
  DeleteRangeResponseSchema,
  KV,
  PutRequestSchema,
  TxnRequestSchema,
} from "../lib/api.ts";
import { pathOf, type Answer, type Client } from "../lib/grpc.ts";

/** One write: all its effects belong to one revision, or it never happened. */
export interface Write {
  /** The puts of the write: key and a value that no other write has. */
  readonly puts: readonly { readonly key: string; readonly value: string }[];
  /** The key of a delete. */
  readonly deletes?: string;
  /** Set once the server has said yes; undefined for a write whose fate nobody knows. */
  revision?: number;
}

const KEYS = 60;
const WRITERS = 24;
/** A server may stop answering without ending; a write that old has an unknown fate. */
const ANSWER_TIMEOUT_MS = 8_000;
/** UNAVAILABLE, UNKNOWN, CANCELLED, DEADLINE_EXCEEDED: what a broken connection looks like. */
const BROKEN = new Set([14, 2, 1, 4]);

/** Stands between the part of a value that is unique and the part that only makes it long. */
export const PADDING = "|";

export interface LoadOptions {
  readonly client: Client;
  readonly prng: Prng;
  /** Every write is added here before it is sent. */
  readonly writes: Write[];
  /** Makes the values of this load differ from those of all others. */
  readonly round: number;
  /** How much longer than needed each value is. */
  readonly paddingBytes?: number;
  /** Whether a refusal is a fate like any other. Otherwise it is an error. */
  readonly mayBeRefused?: boolean;
}

export class Load {
  readonly #client: Client;
  readonly #prng: Prng;
  readonly #options: LoadOptions;
  readonly #padding: string;
  #count = 0;
  #stopped = false;

  constructor(options: LoadOptions) {
    this.#client = options.client;
    this.#prng = options.prng;
    this.#options = options;
    this.#padding = PADDING + "p".repeat(options.paddingBytes ?? 0);
  }

  /** Runs until `stop()`, or until the connection breaks. Throws when a write is refused but may not be. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: WRITERS }, () => this.#writer()));
  }

  stop(): void {
    this.#stopped = true;
  }

  async #writer(): Promise<void> {
    while (!this.#stopped) {
      const write = this.#draw();
      this.#options.writes.push(write);
      const answer = await this.#send(write);
      if (answer.code === 0) {
        const revision = answeredRevision(write, answer);
        if (revision !== undefined) write.revision = revision;
        continue;
      }
      if (BROKEN.has(answer.code) || this.#options.mayBeRefused === true) return;
      throw new Error(`a write was refused: ${answer.code} ${answer.text}`);
    }
  }

  #draw(): Write {
    const put = () => ({ key: this.#key(), value: `r${this.#options.round}-${this.#count++}` });
    if (this.#prng.oneIn(10)) return { puts: [], deletes: this.#key() };
    if (!this.#prng.oneIn(8)) return { puts: [put()] };
    const puts = [put(), put(), put(), put()];
    // One key may be put only once in a transaction.
    return { puts: puts.filter(({ key }, i) => puts.findIndex((p) => p.key === key) === i) };
  }

  #key(): string {
    return `crash/${this.#prng.below(KEYS)}`;
  }

  #send(write: Write): Promise<Answer> {
    const requests = write.puts.map(({ key, value }) => ({
      key: Buffer.from(key),
      value: Buffer.from(value + this.#padding),
    }));
    const { deleteRange, put, txn } = KV.method;
    if (write.deletes !== undefined) {
      const request = create(DeleteRangeRequestSchema, { key: Buffer.from(write.deletes) });
      return this.#unary(deleteRange, toBinary(DeleteRangeRequestSchema, request));
    }
    if (requests.length === 1) {
      const request = create(PutRequestSchema, requests[0]!);
      return this.#unary(put, toBinary(PutRequestSchema, request));
    }
    const success = requests.map((value) => ({ request: { case: "requestPut" as const, value } }));
    const request = create(TxnRequestSchema, { success });
    return this.#unary(txn, toBinary(TxnRequestSchema, request));
  }

  #unary(method: DescMethod, message: Uint8Array): Promise<Answer> {
    const deadline = Date.now() + ANSWER_TIMEOUT_MS;
    return this.#client.unary(pathOf(method), message, { deadline });
  }
}

/** The revision that a write got; undefined when it changed nothing. */
function answeredRevision(write: Write, answer: Answer): number | undefined {
  if (write.deletes !== undefined) {
    const { deleted, header } = fromBinary(DeleteRangeResponseSchema, answer.body);
    return deleted === 0n ? undefined : Number(header!.revision);
  }
  // The header is the first field of every answer.
  return Number(fromBinary(CompactionResponseSchema, answer.body).header!.revision);
}
