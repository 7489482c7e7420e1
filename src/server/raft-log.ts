import type { Logger } from "../observe/index.ts";
import type { Logger as RaftLogger } from "../raft/index.ts";

/**
 * What raft says goes to the log under its name, in etcd's words. A level that is off is absent:
 * raft then builds no texts for it.
 */
export function raftLog(whole: Logger): RaftLogger {
  const logger = whole.named("raft");
  return {
    ...(logger.isOn("debug") && {
      debug: (text) => logger.debug(text),
      routine: (text) => logger.debug(text),
    }),
    ...(logger.isOn("info") && { info: (text) => logger.info(text) }),
    ...(logger.isOn("warn") && { warning: (text) => logger.warn(text) }),
    ...(logger.isOn("error") && { error: (text) => logger.error(text) }),
  };
}
