import type { Storage } from "./storage.ts";
import { isLocalTarget, type Logger, NONE } from "./types.ts";

/** How reads are kept linearizable: by asking a quorum, or by trusting the leader's clock. */
export type ReadOnlyOption = "safe" | "leaseBased";

export interface RaftConfig {
  /** This member. Not 0 and not one of the two ids of local storage. */
  readonly id: bigint;
  /** Ticks without a leader before an election; the actual wait is up to twice as long. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly storage: Storage;
  /** The highest index applied before a restart: nothing up to there is handed out again. */
  readonly applied?: number;
  /** A uniform whole number in [0, bound). */
  readonly random: (bound: number) => number;
  readonly logger?: Logger;
  /** Bytes of entries in one append message; an entry that is larger goes alone. */
  readonly messageBytesMax: number;
  /** Bytes of committed entries handed out and not applied yet. Default: messageBytesMax. */
  readonly committedBytesMax?: number;
  /** Bytes of data proposed and not committed yet, above which proposals are dropped. */
  readonly uncommittedBytesMax?: number;
  /** Append messages sent to a follower and not acknowledged yet. */
  readonly inflightMessagesMax: number;
  /** Bytes of data in them, at least messageBytesMax. */
  readonly inflightBytesMax?: number;
  /** Storage answers by messages, and `advance` is not used. */
  readonly asyncStorageWrites?: boolean;
  /** A leader that has not heard of a quorum for an election timeout steps down. */
  readonly checkQuorum?: boolean;
  /** Ask whether an election could be won before disturbing anyone with a new term. */
  readonly preVote?: boolean;
  readonly readOnly?: ReadOnlyOption;
  /** Accept any configuration change; the application must know that it can be applied. */
  readonly disableConfChangeValidation?: boolean;
  /** A leader that is removed or demoted steps down once that is applied. */
  readonly stepDownOnRemoval?: boolean;
}

/** Throws an Error that says what is wrong. */
export function checkConfig(config: RaftConfig): void {
  const problem = configProblem(config);
  if (problem !== undefined) throw new Error(problem);
}

function configProblem(config: RaftConfig): string | undefined {
  if (config.id === NONE) return "cannot use none as id";
  if (isLocalTarget(config.id)) return "cannot use local target as id";
  if (config.heartbeatTicks <= 0) return "heartbeat tick must be greater than 0";
  if (config.electionTicks <= config.heartbeatTicks) {
    return "election tick must be greater than heartbeat tick";
  }
  if (config.inflightMessagesMax <= 0) return "max inflight messages must be greater than 0";
  if ((config.inflightBytesMax ?? Infinity) < config.messageBytesMax) {
    return "max inflight bytes must be >= max message size";
  }
  if (config.readOnly === "leaseBased" && config.checkQuorum !== true) {
    return "CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased";
  }
  return undefined;
}
