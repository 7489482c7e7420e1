// Revocation lists, as DER (RFC 5280 §5.1), as far as is needed to know what they revoke:
//
//   CertificateList  SEQUENCE
//     TBSCertList    SEQUENCE
//       INTEGER?     version
//       SEQUENCE     signature algorithm
//       SEQUENCE     issuer
//       TIME         this update
//       TIME?        next update
//       SEQUENCE?    of SEQUENCE { INTEGER serial, … }
//       [0]?         extensions

const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;

/** The serial numbers that a list revokes, in lower-case hexadecimal. Throws on what is no list. */
export function revokedSerials(list: Uint8Array): Set<string> {
  const outer = new Fields(list).take(SEQUENCE);
  const fields = new Fields(new Fields(outer).take(SEQUENCE));
  if (fields.tag === INTEGER) fields.skip();
  fields.take(SEQUENCE);
  fields.take(SEQUENCE);
  while (fields.tag === UTC_TIME || fields.tag === GENERALIZED_TIME) fields.skip();
  const serials = new Set<string>();
  if (fields.tag !== SEQUENCE) return serials;
  const entries = new Fields(fields.take(SEQUENCE));
  while (entries.tag !== undefined) {
    serials.add(serialText(new Fields(entries.take(SEQUENCE)).take(INTEGER)));
  }
  return serials;
}

function serialText(bytes: Uint8Array): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return normalSerial(digits);
}

/** As certificates print them: without zeros in front. */
export function normalSerial(digits: string): string {
  return digits.toLowerCase().replace(/^0+(?=.)/, "");
}

/** Fields of DER, one after the other. */
class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Of the next field; undefined at the end. */
  get tag(): number | undefined {
    return this.#bytes[this.#at];
  }

  skip(): void {
    this.take(this.tag);
  }

  /** The contents of the next field, which must be of this tag. */
  take(tag: number | undefined): Uint8Array {
    if (tag === undefined || this.tag !== tag) throw new Error("not a revocation list");
    let start = this.#at + 2;
    let length = this.#bytes[this.#at + 1] ?? Number.NaN;
    if (length >= 0x80) {
      const digits = this.#bytes.subarray(start, start + (length & 0x7f));
      if (digits.length > 4) throw new Error("not a revocation list");
      length = digits.reduce((sum, digit) => sum * 256 + digit, 0);
      start += digits.length;
    }
    const end = start + length;
    if (!(end <= this.#bytes.length)) throw new Error("not a revocation list");
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }
}
