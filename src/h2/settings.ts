import { WINDOW_BYTES_MAX } from "./flow.ts";
import { ConnectionError, ErrorCode, FRAME_PAYLOAD_BYTES, Setting, violation } from "./frames.ts";
import type { Role } from "./stream-table.ts";

/** Throws ConnectionError when `role` may not be sent this setting (RFC 9113 §6.5.2). */
export function checkSetting(id: number, value: number, role: Role): void {
  if (id === Setting.enablePush && (value > 1 || (value === 1 && role === "client"))) {
    violation("bad ENABLE_PUSH");
  }
  if (id === Setting.initialWindowSize && value > WINDOW_BYTES_MAX) {
    throw new ConnectionError(ErrorCode.flowControlError, "bad INITIAL_WINDOW_SIZE");
  }
  // Not used: no frame of ours is larger than what everybody accepts.
  if (id === Setting.maxFrameSize && (value < FRAME_PAYLOAD_BYTES || value > 0xff_ffff)) {
    violation("bad MAX_FRAME_SIZE");
  }
}
