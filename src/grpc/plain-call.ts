import { EMPTY_BYTES } from "../base/index.ts";
import {
  type Connection,
  EncodedField,
  type HeaderList,
  type Ownership,
  type Stream,
} from "../h2/index.ts";
import type { PlainCall } from "./call.ts";
import { type Exchange, ignore } from "./exchange.ts";

/** A request that is not gRPC's, on its stream. */
export class PlainStream implements PlainCall, Exchange {
  readonly #http: Connection<Exchange>;
  readonly #stream: Stream<Exchange>;
  readonly #list: HeaderList;
  onData: (bytes: Uint8Array) => void = ignore;
  onEnd: () => void = ignore;
  onCancel: () => void = ignore;
  onDrain: () => void = ignore;

  constructor(http: Connection<Exchange>, stream: Stream<Exchange>, list: HeaderList) {
    this.#http = http;
    this.#stream = stream;
    this.#list = list;
  }

  get method(): string {
    return this.#list.get(":method") ?? "";
  }

  get path(): string {
    return this.#list.get(":path") ?? "";
  }

  get fields(): readonly { readonly name: string; readonly value: string }[] {
    return this.#list.fields;
  }

  get isOpen(): boolean {
    return !this.#stream.closed && !this.#stream.localEnded;
  }

  get bufferedBytes(): number {
    return this.#stream.queuedBytes;
  }

  respond(
    status: number,
    fields: Iterable<readonly [string, string]>,
    options?: { last: boolean },
  ): void {
    const encoded = [new EncodedField(":status", status.toString())];
    for (const [name, value] of fields) encoded.push(new EncodedField(name, value));
    this.#http.sendHead(this.#stream, encoded, options?.last ?? false);
  }

  write(bytes: Uint8Array, ownership: Ownership = "copy"): boolean {
    this.#http.sendData(this.#stream, EMPTY_BYTES, bytes, ownership);
    return this.#http.canSend(this.#stream);
  }

  end(): void {
    this.#http.sendLastData(this.#stream, EMPTY_BYTES, EMPTY_BYTES);
  }

  // --- Exchange --------------------------------------------------------------------------------

  data(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (start < end) this.onData(bytes.subarray(start, end));
    if (last) this.onEnd();
  }

  reset(): void {
    this.onCancel();
  }

  writable(): void {
    this.onDrain();
  }
}
