/** The response of an HTTP/1.1 server, read as it comes: what a stream needs and no more. */
import { bytesToText } from "../base/index.ts";

export interface ResponseHead {
  readonly status: number;
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
}

export interface ResponseSink {
  head(head: ResponseHead): void;
  /** A view of what was fed. */
  body(bytes: Uint8Array): void;
  end(): void;
}

/** Bytes of a head, or of the line before a chunk, that are gathered at most. */
const LINES_BYTES_MAX = 64 * 1024;
const LINE_FEED = 10;

type State = "head" | "chunkSize" | "chunk" | "chunkEnd" | "trailer" | "length" | "rest" | "done";

export class ResponseParser {
  readonly #sink: ResponseSink;
  #state: State = "head";
  /** The beginning of a line whose end has not come yet. */
  #line = "";
  readonly #lines: string[] = [];
  #linesBytes = 0;
  #left = 0;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** Throws when this is no HTTP response. Bytes behind its end are ignored. */
  feed(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "rest") return this.#sink.body(at === 0 ? bytes : bytes.subarray(at));
      const isBody = this.#state === "chunk" || this.#state === "length";
      at = isBody ? this.#feedBody(bytes, at) : this.#feedLine(bytes, at);
    }
  }

  #feedBody(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    const isLast = this.#left === 0;
    const isChunk = this.#state === "chunk";
    if (isLast) this.#state = isChunk ? "chunkEnd" : "done";
    this.#sink.body(bytes.subarray(at, end));
    if (isLast && !isChunk) this.#sink.end();
    return end;
  }

  #feedLine(bytes: Uint8Array, at: number): number {
    const end = bytes.indexOf(LINE_FEED, at);
    const stop = end < 0 ? bytes.length : end;
    this.#linesBytes += stop - at;
    if (this.#linesBytes > LINES_BYTES_MAX) malformed("a head without end");
    this.#line += bytesToText(bytes.subarray(at, stop));
    if (end < 0) return stop;
    const line = this.#line.replace(/\r$/, "");
    this.#line = "";
    this.#takeLine(line);
    return end + 1;
  }

  #takeLine(line: string): void {
    switch (this.#state) {
      case "head":
        if (line !== "") this.#lines.push(line);
        else this.#endHead();
        return;
      case "chunkSize":
        return this.#beginChunk(line);
      case "chunkEnd":
        if (line !== "") malformed("a chunk that is too long");
        this.#state = "chunkSize";
        return;
      default:
        if (line === "") this.#end();
    }
  }

  #endHead(): void {
    const [first = "", ...lines] = this.#lines.splice(0);
    this.#linesBytes = 0;
    const match = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first);
    if (match === null) malformed("no status line");
    const status = Number(match[1]);
    const fields = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(":");
      if (colon <= 0) malformed("a field without a name");
      fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    // An interim response; the real one follows.
    if (status < 200) return;
    this.#beginBody(status, fields);
    this.#sink.head({ status, fields });
    if (this.#isEmpty) this.#end();
  }

  #beginBody(status: number, fields: ReadonlyMap<string, string>): void {
    const length = fields.get("content-length");
    if (fields.get("transfer-encoding")?.toLowerCase() === "chunked") this.#state = "chunkSize";
    else if (status === 204 || status === 304) this.#state = "length";
    else if (length === undefined) this.#state = "rest";
    else {
      if (!/^\d{1,15}$/.test(length)) malformed("a bad length");
      this.#left = Number(length);
      this.#state = "length";
    }
  }

  get #isEmpty(): boolean {
    return this.#state === "length" && this.#left === 0;
  }

  #beginChunk(line: string): void {
    const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)?.[1];
    if (size === undefined) malformed("a bad chunk");
    this.#linesBytes = 0;
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? "trailer" : "chunk";
  }

  #end(): void {
    this.#state = "done";
    this.#sink.end();
  }
}

function malformed(what: string): never {
  throw new Error(`malformed HTTP response: ${what}`);
}
