import { quoteText } from "../base/index.ts";
import { LOG_LEVELS, type LogOptions, type LogLevel } from "../observe/index.ts";
import { FlagError, type ParsedFlags } from "./flags.ts";
import { parseRotation } from "./rotation-config.ts";
import { Settings } from "./settings.ts";

/** How to log, checked before all else: later errors go there. Throws FlagError. */
export function logOptions(flags: ParsedFlags): LogOptions {
  const settings = new Settings(flags);
  checkLogger(settings.text("logger"));
  const outputs = settings.list("log-outputs");
  if (outputs.length > 1 && outputs.includes("default")) {
    throw new FlagError('multi logoutput for "default" is not supported yet');
  }
  const rotation = settings.isOn("enable-log-rotation")
    ? rotationOf(outputs, settings.text("log-rotation-config-json"))
    : undefined;
  checkJournal(outputs);
  const level = levelOf(settings.text("log-level"));
  return { level, format: formatOf(settings.text("log-format")), outputs, rotation };
}

function checkLogger(name: string): void {
  if (name === "zap") return;
  if (name === "capnslog") throw new FlagError("--logger=capnslog is removed in v3.5");
  throw new FlagError(`unknown logger option ${quoteText(name)}`);
}

function rotationOf(outputs: readonly string[], json: string) {
  const files = outputs.filter((output) => !["default", "stderr", "stdout"].includes(output));
  if (files.length > 1 || (files.length === 0 && outputs.length === 1)) {
    throw new FlagError(
      "--log-outputs requires a single file path when --log-rotate-config-json is defined",
    );
  }
  return parseRotation(json);
}

function checkJournal(outputs: readonly string[]): void {
  if (!outputs.includes("systemd/journal") || outputs.length === 1) return;
  const list = `[${outputs.map(quoteText).join(" ")}]`;
  throw new FlagError(
    `running with systemd/journal but other '--log-outputs' values (${list}) are configured with ` +
      "'default'; override 'default' value with something else",
  );
}

function levelOf(text: string): LogLevel {
  const level = text === "" ? "info" : text.toLowerCase();
  if ((LOG_LEVELS as readonly string[]).includes(level)) return level as LogLevel;
  throw new FlagError(`unrecognized level: ${quoteText(text)}`, "panic");
}

function formatOf(text: string): LogOptions["format"] {
  if (text === "" || text === "json") return "json";
  if (text === "console") return "console";
  throw new FlagError(`unknown log format: ${text}, supported values json, console`);
}
