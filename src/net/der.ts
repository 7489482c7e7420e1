export const INTEGER = 0x02;
export const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
export const SEQUENCE = 0x30;

/** Fields of DER, one after the other. */
export class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Of the next field; undefined at the end. */
  get tag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** How much of the bytes the fields so far take. */
  get at(): number {
    return this.#at;
  }

  /** The contents of the next field. Throws with the text when it is not there, or of another tag. */
  take(tag: number | undefined, problem: string): Uint8Array {
    if (tag === undefined || this.tag !== tag) throw new Error(problem);
    let start = this.#at + 2;
    let length = this.#bytes[this.#at + 1] ?? Number.NaN;
    if (length >= 0x80) {
      const digits = this.#bytes.subarray(start, start + (length & 0x7f));
      if (digits.length > 4) throw new Error(problem);
      length = digits.reduce((sum, digit) => sum * 256 + digit, 0);
      start += digits.length;
    }
    const end = start + length;
    if (!(end <= this.#bytes.length)) throw new Error(problem);
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }
}
