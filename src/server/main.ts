import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { parseBool } from "../cli/index.ts";
import { SERVER_VERSION } from "../cluster/index.ts";
import { nodeFileIo, walExists } from "../disk/index.ts";
import { Logger, openLogger } from "../observe/index.ts";
import { type Config, makeConfig } from "./config.ts";
import { datedNotes, UNADVERTISED } from "./config-checks.ts";
import type { FileFlags } from "./config-file.ts";
import { defaultHost } from "./default-host.ts";
import {
  configFileOf,
  FlagError,
  HelpRequest,
  HINT,
  type Note,
  type ParsedFlags,
  parseFlags,
  usage,
} from "./flags.ts";
import { logOptions } from "./log-options.ts";
import { notifySystemd } from "./notify.ts";
import { REMOVED } from "../peer/index.ts";
import { type Running, serve } from "./serve.ts";
import { writeShims } from "./shims.ts";
import { startFields } from "./start-line.ts";
import { QUORD_VERSION } from "./version.ts";

/** A second signal, or a stop that takes longer than this, ends the process at once. */
const STOP_MS_MAX = 10_000;

/** The compiled code is kept for the next start when this one has settled: a stop may be a kill. */
const COMPILE_CACHE_MS = 2000;

/** As long as a timer can be. */
const HOLD_MS = 2 ** 31 - 1;

/** What is known before the settings are: the defaults of the log. */
let logger = new Logger({ level: "info" });
process.on("exit", () => logger.flush());

async function main(argv: readonly string[]): Promise<void> {
  if (argv[0] === "shims") {
    await writeShims(argv.slice(1));
    return;
  }
  if (argv[0] === "dev") {
    const { runDev } = await import("./dev.ts");
    process.exit(await runDev(argv.slice(1)));
  }
  if (argv[0] === "gateway" || argv[0] === "grpc-proxy") {
    throw new Error(`quord ${argv[0]} is not supported yet`);
  }
  const config = await configure(argv);
  if (config === undefined) return;
  const walDir = config.walDir || join(config.dataDir, "member", "wal");
  const isInitialized = await walExists(nodeFileIo, walDir);
  logger.info("starting an etcd server", startFields(config, { isInitialized }));
  const die = (error: unknown): never => {
    logger.fatal("stopping: the member cannot go on safely", { error: asError(error) });
    process.exit(1);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
  // The member's own timers hold no process, and for moments there is nothing else to wait for, as
  // before the ports are open: the end of this process is a signal or `exit`, never that.
  setInterval(() => {}, HOLD_MS);
  const failed = (error: unknown): never => {
    if (error instanceof FlagError) throw error;
    logger.fatal("failed to start", { error: asError(error) });
    process.exit(1);
  };
  const running = await serve(config, logger, die).catch(failed);
  stopOnSignals(() => running.stop(), die);
  let wasReady = false;
  void running.removed.then(() => endRemoved(running, { wasReady }, die));
  await running.ready.catch(failed);
  wasReady = true;
  notifySystemd(logger);
  setTimeout(flushCompileCache, COMPILE_CACHE_MS).unref();
}

/** Undefined when the command line asked for no more than a text, which is out by then. */
async function configure(argv: readonly string[]): Promise<Config | undefined> {
  const line = parseFlags(argv, process.env, say);
  if (parseBool(line.values.get("version") ?? "false")) {
    process.stdout.write(versionText());
    return undefined;
  }
  const path = configFileOf(line.values, process.env);
  const file = path === undefined ? undefined : await readFile(path);
  const flags = file ?? line;
  const earlier = logger;
  logger = openLog(flags);
  earlier.flush();
  const config = makeConfig(flags, { say, defaultHost });
  if (file !== undefined) {
    logger.info(LOADED, { path });
    for (const key of file.unknownKeys)
      logger.warn("unknown key in the configuration file", { key });
  }
  datedNotes(flags).forEach(say);
  logRunning(argv);
  if (flags.values.get("data-dir") === undefined) {
    logger.warn("'data-dir' was empty; using default", { "data-dir": config.dataDir });
  }
  return config;
}

const LOADED =
  "loaded server configuration, other configuration command line flags and environment " +
  "variables will be ignored if provided";

async function readFile(path: string): Promise<FileFlags> {
  const { readConfigFile } = await import("./config-file.ts");
  return readConfigFile(path);
}

function openLog(flags: ParsedFlags): Logger {
  const options = logOptions(flags);
  try {
    return openLogger(options);
  } catch (error) {
    throw new FlagError((error as Error).message);
  }
}

function say({ level, message, fields }: Note): void {
  if (level === "info") logger.info(message, fields);
  else logger.warn(message, fields);
}

function logRunning(argv: readonly string[]): void {
  logger.info("Running: ", { args: ["quord", ...argv] });
}

/** As Go calls them. */
const SIGNAL_NAMES: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGTERM: "terminated",
  SIGINT: "interrupt",
};

/** SIGTERM and SIGINT stop cleanly; then the process ends by the same signal, as etcd does. */
function stopOnSignals(stop: () => Promise<void>, die: (error: unknown) => never): void {
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(1);
    isStopping = true;
    logger.info("received signal; shutting down", { signal: SIGNAL_NAMES[signal] });
    setTimeout(() => die(new Error("the stop took too long")), STOP_MS_MAX).unref();
    stop().then(() => endBy(signal), die);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/**
 * A member that was removed says what is left to do, and ends well. One that was started after its
 * removal never served anybody, and that is a failure: so does etcd end (mostly, by a race of its).
 */
function endRemoved(
  running: Running,
  { wasReady }: { readonly wasReady: boolean },
  die: (error: unknown) => never,
): void {
  logger.warn("server error", { error: REMOVED });
  logger.warn("data-dir used by this member must be removed");
  setTimeout(() => die(new Error("the stop took too long")), STOP_MS_MAX).unref();
  running.stop().then(() => {
    if (wasReady) process.exit(0);
    logger.fatal("listener failed", { error: "server is stopping" });
    process.exit(1);
  }, die);
}

function endBy(signal: NodeJS.Signals): void {
  // As the first process of a container a re-raised signal has no effect.
  if (process.pid === 1) process.exit(0);
  logger.flush();
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function versionText(): string {
  return (
    `etcd Version: ${SERVER_VERSION}\nGit SHA: quord-${QUORD_VERSION}\n` +
    `quord Version: ${QUORD_VERSION}\nNode.js Version: ${process.versions.node}\n` +
    `OS/Arch: ${process.platform}/${process.arch}\n`
  );
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

/** Says why nothing was started, in the manner etcd has for each reason. */
function explain(error: FlagError, argv: readonly string[]): void {
  const { manner, message, fields } = error;
  if (manner === "usage") process.stderr.write(`${message}\n${HINT}`);
  else if (manner === "panic") process.stderr.write(`panic: ${message}\n`);
  else if (manner === "text") process.stderr.write(`${message}\n`);
  else if (manner === "conflict") logger.fatal(message, fields);
  else if (manner === "discovery") {
    logger.warn("failed to bootstrap; discovery token was already used", {
      ...fields,
      error: message,
    });
    logger.warn("do not reuse discovery token; generate a new one to bootstrap a cluster");
  } else if (manner === "start") logger.fatal("discovery failed", { error: message });
  else {
    logRunning(argv);
    logger.warn("failed to verify flags", { error: message });
    if (message === UNADVERTISED) {
      logger.warn("advertise client URLs are not set", { error: message });
    }
  }
}

const argv = process.argv.slice(2);
main(argv).catch((error: unknown) => {
  if (error instanceof HelpRequest) {
    process.stderr.write(HINT);
    process.stdout.write(usage());
    return;
  }
  if (error instanceof FlagError) explain(error, argv);
  else process.stderr.write(`${asError(error).message}\n`);
  process.exit(error instanceof FlagError ? error.exitCode : 1);
});
