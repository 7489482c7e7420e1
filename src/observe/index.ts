/** What operators read: the log and the metrics. Other rooms reach both through ports. */
export { LoopMeter } from "./loop-meter.ts";
export { type Family, formatNumber, type Labels, metricsPage, type Sample } from "./metrics.ts";
export { at } from "./caller.ts";
export { LOG_LEVELS, type LogFormat, Logger, type LogLevel } from "./log.ts";
export { type LogOptions, openLogger } from "./open-log.ts";
export { ROTATION_DEFAULTS, type Rotation } from "./rotation.ts";
