/**
 * Header lists and the rules they must keep (RFC 9113 §8). Names and values are byte strings: one
 * character (0-255) for each byte, because HTTP gives values no encoding.
 */

/** What the name of a field means to HTTP/2 itself. */
export const FieldKind = {
  regular: 0,
  method: 1,
  scheme: 2,
  authority: 3,
  path: 4,
  status: 5,
  contentLength: 6,
  /** May not occur in HTTP/2: bad characters, connection-specific, unknown pseudo-field. */
  malformed: 7,
} as const;

const KINDS = new Map<string, number>([
  [":method", FieldKind.method],
  [":scheme", FieldKind.scheme],
  [":authority", FieldKind.authority],
  [":path", FieldKind.path],
  [":status", FieldKind.status],
  ["content-length", FieldKind.contentLength],
  ["connection", FieldKind.malformed],
  ["keep-alive", FieldKind.malformed],
  ["proxy-connection", FieldKind.malformed],
  ["transfer-encoding", FieldKind.malformed],
  ["upgrade", FieldKind.malformed],
]);

/** A field takes this much more than its text in a table or list (RFC 7541 §4.1). */
export const FIELD_OVERHEAD_BYTES = 32;

export class HeaderField {
  readonly name: string;
  readonly value: string;
  /** One of FieldKind. */
  readonly kind: number;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.kind = kindOf(name, value);
  }

  /** Size in a table or list. */
  get bytes(): number {
    return this.name.length + this.value.length + FIELD_OVERHEAD_BYTES;
  }
}

function kindOf(name: string, value: string): number {
  const kind = KINDS.get(name) ?? FieldKind.regular;
  if (!isValue(value)) return FieldKind.malformed;
  if (kind !== FieldKind.regular) return kind;
  if (name === "te" && value !== "trailers") return FieldKind.malformed;
  return isName(name) ? FieldKind.regular : FieldKind.malformed;
}

/** Lower-case, visible, and without colon (§8.2.1). */
function isName(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    if (c <= 0x20 || c >= 0x7f || c === 0x3a || (c >= 0x41 && c <= 0x5a)) return false;
  }
  return name.length > 0;
}

function isValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c === 0 || c === 0x0a || c === 0x0d) return false;
  }
  return true;
}

/** The fields of one header block, in order. Shared between equal blocks: never changed. */
export class HeaderList {
  readonly fields: HeaderField[] = [];
  bytes = 0;
  /** The list passed its limit; only the fields before that are kept. */
  tooLarge = false;
  /** What the layer above made of this list, kept with it because equal blocks share one list. */
  derived: unknown = undefined;
  #seen: number | undefined = undefined;
  #contentLength = -1;

  add(field: HeaderField, bytesMax: number): void {
    this.bytes += field.bytes;
    if (this.bytes > bytesMax) this.tooLarge = true;
    else this.fields.push(field);
  }

  /** The first value of a field. */
  get(name: string): string | undefined {
    for (const field of this.fields) if (field.name === name) return field.value;
    return undefined;
  }

  /** The declared length of the body, or -1. Valid after a check below. */
  get contentLength(): number {
    return this.#contentLength;
  }

  isRequest(): boolean {
    const seen = this.#pseudoFields();
    if (seen < 0 || (seen & (1 << FieldKind.status)) !== 0) return false;
    const origin = (1 << FieldKind.method) | (1 << FieldKind.scheme) | (1 << FieldKind.path);
    if ((seen & origin) === origin) return this.get(":path") !== "";
    const connect = (1 << FieldKind.method) | (1 << FieldKind.authority);
    return seen === connect && this.get(":method") === "CONNECT";
  }

  isResponse(): boolean {
    return this.#pseudoFields() === 1 << FieldKind.status;
  }

  /** Trailers hold no pseudo-field. */
  isTrailers(): boolean {
    return this.#pseudoFields() === 0;
  }

  #pseudoFields(): number {
    this.#seen ??= this.#check();
    return this.#seen;
  }

  /** The set of pseudo-fields present, or -1 when a rule common to all lists is broken. */
  #check(): number {
    let seen = 0;
    let regular = false;
    for (const field of this.fields) {
      const kind = field.kind;
      if (kind === FieldKind.malformed) return -1;
      if (kind === FieldKind.contentLength && !this.#declareLength(field.value)) return -1;
      if (kind === FieldKind.regular || kind === FieldKind.contentLength) {
        regular = true;
        continue;
      }
      if (regular || (seen & (1 << kind)) !== 0) return -1;
      seen |= 1 << kind;
    }
    return seen;
  }

  #declareLength(text: string): boolean {
    if (!/^\d{1,15}$/.test(text)) return false;
    const length = Number(text);
    if (this.#contentLength >= 0 && this.#contentLength !== length) return false;
    this.#contentLength = length;
    return true;
  }
}
