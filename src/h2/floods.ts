import { ConnectionError, ErrorCode } from "./frames.ts";
import {
  EMPTY_RATE,
  PRIORITY_RATE,
  type Rate,
  RateLimit,
  RESET_RATE,
  SETTINGS_RATE,
  UNKNOWN_RATE,
  WINDOW_UPDATE_RATE,
  WINDOW_UPDATES_PER_DATA_FRAME,
} from "./limits.ts";

/** One kind of frame that costs its sender less than us. */
class Flood {
  readonly #limit: RateLimit;
  readonly #reason: string;

  constructor(rate: Rate, reason: string) {
    this.#limit = new RateLimit(rate);
    this.#reason = reason;
  }

  count(nowMs: number): void {
    if (!this.#limit.take(nowMs)) {
      throw new ConnectionError(ErrorCode.enhanceYourCalm, this.#reason);
    }
  }

  excuse(count: number): void {
    this.#limit.give(count);
  }
}

/** The flood limits of one connection. Each `count` throws ConnectionError when it is passed. */
export class Floods {
  readonly resets = new Flood(RESET_RATE, "too_many_resets");
  readonly settings = new Flood(SETTINGS_RATE, "too_many_settings");
  readonly priorities = new Flood(PRIORITY_RATE, "too_many_priorities");
  readonly empty = new Flood(EMPTY_RATE, "too_many_empty_frames");
  readonly windowUpdates = new Flood(WINDOW_UPDATE_RATE, "too_many_window_updates");
  readonly unknown = new Flood(UNKNOWN_RATE, "too_many_unknown_frames");

  sentData(): void {
    this.windowUpdates.excuse(WINDOW_UPDATES_PER_DATA_FRAME);
  }
}
