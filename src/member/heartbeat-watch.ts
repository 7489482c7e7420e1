import { idToHex } from "../cluster/index.ts";
import type { Meters } from "./meters.ts";
import type { LogLines, TextPort, TimePort } from "./ports.ts";

/** Heartbeats that may fall out between two before a leader counts as late (etcd: 2). */
const LATE_HEARTBEATS = 2;

export interface HeartbeatWatchOptions {
  readonly heartbeatMs: number;
  readonly time: Pick<TimePort, "now">;
  readonly lines: LogLines;
  readonly text: TextPort;
  readonly meters: Meters;
}

/** Notices a leader that is too busy to send its heartbeats in time (etcd: `contention`). */
export class HeartbeatWatch {
  readonly #options: HeartbeatWatchOptions;
  readonly #sentAt = new Map<bigint, number>();

  constructor(options: HeartbeatWatchOptions) {
    this.#options = options;
  }

  /** Another leads, or this member does from now on. */
  restart(): void {
    this.#sentAt.clear();
  }

  /** A heartbeat leaves for a member. */
  sent(to: bigint): void {
    const { heartbeatMs, time, lines, text, meters } = this.#options;
    const now = time.now();
    const expectedMs = LATE_HEARTBEATS * heartbeatMs;
    const exceededMs = now - (this.#sentAt.get(to) ?? now) - expectedMs;
    this.#sentAt.set(to, now);
    if (exceededMs <= 0) return;
    lines.warn(
      "leader failed to send out heartbeat on time; took too long, leader is overloaded likely from slow disk",
      {
        to: idToHex(to),
        "heartbeat-interval": text.duration(heartbeatMs),
        "expected-duration": text.duration(expectedMs),
        "exceeded-duration": text.duration(exceededMs),
      },
    );
    meters.heartbeatsLate++;
  }
}
