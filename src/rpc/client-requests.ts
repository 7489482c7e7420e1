import type { Metadata } from "../grpc/index.ts";

/** Calls of one kind by clients of one version. */
export interface RequestTally {
  readonly type: "unary" | "stream";
  readonly version: string;
  count: number;
}

/** More versions than this are counted as unknown: clients may call themselves anything. */
const VERSIONS_MAX = 100;
const UNKNOWN = "unknown";

/** Counts calls by the `client-api-version` in their metadata, which recur with their list. */
export class ClientRequests {
  readonly #unary = new Map<string, RequestTally>();
  readonly #stream = new Map<string, RequestTally>();

  count(type: "unary" | "stream", metadata: Metadata): void {
    this.#tally(type, metadata.get("client-api-version") ?? UNKNOWN).count++;
  }

  *entries(): Iterable<RequestTally> {
    yield* this.#unary.values();
    yield* this.#stream.values();
  }

  #tally(type: "unary" | "stream", version: string): RequestTally {
    const tallies = type === "unary" ? this.#unary : this.#stream;
    const known = tallies.get(version);
    if (known !== undefined) return known;
    if (tallies.size >= VERSIONS_MAX && version !== UNKNOWN) return this.#tally(type, UNKNOWN);
    const tally = { type, version, count: 0 };
    tallies.set(version, tally);
    return tally;
  }
}
