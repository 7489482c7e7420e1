/** Output under construction: text, and keys and values as the bytes they are. */
export class Page {
  readonly #parts: Uint8Array[] = [];

  line(...parts: readonly (string | Uint8Array)[]): this {
    for (const part of parts) this.#parts.push(typeof part === "string" ? Buffer.from(part) : part);
    this.#parts.push(NEWLINE);
    return this;
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

const NEWLINE = Uint8Array.of(0x0a);
