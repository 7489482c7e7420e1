import type { State } from "../apply/index.ts";
import { deferred } from "../base/index.ts";
import { api, encodeMessage, REQUEST } from "../proto/index.ts";
import type { LogLines, TextPort } from "./ports.ts";
import type { ProposalWaiter } from "./proposals.ts";

/** Share of the quota below which space counts as back. */
const BACK_SHARE = 0.9;

const { NOSPACE } = api.ALARM_TYPE;
const { ACTIVATE, DEACTIVATE } = api.ALARM_ACTION;

export interface SpaceKeeperOptions {
  readonly memberId: bigint;
  readonly state: State;
  readonly lines: LogLines;
  readonly text: TextPort;
  readonly propose: (field: number, request: Uint8Array, waiter: ProposalWaiter) => void;
  /** Whether this member clears its own alarm when space is back, without being asked. */
  readonly disarms: boolean;
}

/** Raises this member's NOSPACE alarm when its page file reaches the quota. */
export class SpaceKeeper {
  readonly #options: SpaceKeeperOptions;
  #raising: Promise<void> | undefined;
  #isDisarming = false;

  constructor(options: SpaceKeeperOptions) {
    this.#options = options;
  }

  /** Whether the alarm stands. */
  get isRaised(): boolean {
    return this.#options.state.alarms.get(this.#options.memberId, NOSPACE) !== undefined;
  }

  /** Resolves when the alarm stands, or could not be raised. Calls at a time share one entry. */
  raise(): Promise<void> {
    if (this.isRaised) return Promise.resolve();
    this.#raising ??= this.#propose(ACTIVATE).then(() => {
      this.#raising = undefined;
    });
    return this.#raising;
  }

  /** The same, because an entry was applied that there was no room for. */
  raiseFor(error: string): Promise<void> {
    const { lines, text, state } = this.#options;
    if (this.#raising === undefined) {
      lines.warn("message exceeded backend quota; raising alarm", {
        "quota-size-bytes": state.quota.bytesMax,
        "quota-size": text.bytes(state.quota.bytesMax),
        error,
      });
    }
    return this.raise();
  }

  /** To be called every second or so. */
  look(): void {
    const { disarms, lines, state } = this.#options;
    const { usedBytes, bytesMax } = state.quota;
    if (!disarms || this.#isDisarming || !this.isRaised) return;
    if (usedBytes >= BACK_SHARE * bytesMax) return;
    lines.info("space is back; clearing the NOSPACE alarm", {
      "db-size-bytes": usedBytes,
      "quota-size-bytes": bytesMax,
    });
    this.#isDisarming = true;
    void this.#propose(DEACTIVATE).then(() => {
      this.#isDisarming = false;
    });
  }

  #propose(action: number): Promise<void> {
    const { memberId, propose } = this.#options;
    const { promise, resolve } = deferred<void>();
    const request = encodeMessage(api.AlarmRequest, {
      action,
      memberID: memberId,
      alarm: NOSPACE,
    });
    propose(REQUEST.alarm, request, { settle: () => resolve(), fail: () => resolve() });
    return promise;
  }
}
