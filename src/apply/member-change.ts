import type { Member } from "../cluster/index.ts";
import type { ErrorName } from "../proto/index.ts";

/** What became of a configuration change. */
export interface MemberChange {
  /** Of the request: who proposed it waits for this one. */
  readonly id: bigint;
  /** Why it changed nothing. */
  readonly error: ErrorName | undefined;
  /** A member that was added, or is another now. */
  readonly set: Member | undefined;
  readonly removed: bigint | undefined;
}
