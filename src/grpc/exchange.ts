import type { ResetOrigin } from "../h2/index.ts";

/** What a stream of a server carries: a gRPC call or a plain request. */
export interface Exchange {
  data(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  reset(origin: ResetOrigin): void;
  writable(): void;
}

/** Callbacks until the application sets its own. */
export function ignore(): void {}
