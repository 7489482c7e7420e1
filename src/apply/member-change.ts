import type { Change, ChangeEffect } from "../cluster/index.ts";
import type { ErrorName } from "../proto/index.ts";

/** What became of a configuration change. */
export interface MemberChange extends ChangeEffect {
  /** Of the request: who proposed it waits for this one. */
  readonly id: bigint;
  readonly change: Change;
  /** Why it changed nothing. */
  readonly error: ErrorName | undefined;
  /** The page file has it already: the log is gone through again. */
  readonly isReplayed: boolean;
}
