import { execFile } from "node:child_process";
import type { Logger } from "../observe/index.ts";

/**
 * Tells systemd that the member serves, for units with `Type=notify`. The message is a datagram,
 * which Node cannot send to a path, so systemd's own command sends it; the unit therefore needs
 * `NotifyAccess=all`.
 */
export function notifySystemd(logger: Logger): void {
  if (!process.env["NOTIFY_SOCKET"]) return;
  logger.info("notifying init daemon");
  execFile("systemd-notify", [`--pid=${process.pid}`, "--ready", "--no-block"], (error) => {
    if (error === null) logger.info("successfully notified init daemon");
    else logger.error("failed to notify systemd for readiness", { error: error.message });
  });
}
