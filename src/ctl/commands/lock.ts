import { EXIT, Exit, intFlag } from "../../cli/index.ts";
import type { Client, Mutex, Session } from "../../client/index.ts";
import { runChild } from "../child.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, define, orExit } from "../define.ts";
import { aborted, interrupts } from "../interrupts.ts";
import { logLine } from "../log-line.ts";
import { showRange } from "../printers/range.ts";
import { argBytes, bytesAsText } from "../raw-args.ts";

/** For sessions whose TTL makes no sense. */
const TTL_SECONDS = 60;

export const lock = define({
  use: "lock <lockname> [exec-command arg1 arg2 ...]",
  flags: { ttl: intFlag("timeout for session", 10) },
  run: async ({ args, context: ctl }, flags) => {
    if (args.length === 0) {
      badArgs("lock takes a lock name argument and an optional command to execute");
    }
    const client = await ctl.connect();
    const { Mutex, Session } = await import("../../client/index.ts");
    const session = await orExit(() => Session.open(client, ttlOf(ctl, flags.ttl)));
    const signal = interrupts();
    const mutex = new Mutex(session, argBytes(args[0]!));
    const revision = await orExit(() => mutex.lock(signal));
    const command = args.slice(1);
    if (command.length > 0) return runLocked(mutex, revision, command);
    await holdUntil(ctl, client, session, mutex, signal);
  },
});

function ttlOf(ctl: Ctl, ttl: number): number {
  if (ttl > 0) return ttl;
  ctl.err(
    logLine({
      level: "warn",
      logger: "etcd-client",
      caller: "concurrency/session.go:133",
      msg: "WithTTL(): TTL should be > 0, preserving current TTL",
      fields: { "current-session-ttl": TTL_SECONDS },
    }),
  );
  return TTL_SECONDS;
}

/** Runs the user's command under the lock, and ends as it does. */
async function runLocked(
  mutex: Mutex,
  revision: number,
  command: readonly string[],
): Promise<void> {
  const own = {
    ETCD_LOCK_KEY: bytesAsText(Buffer.from(mutex.key)),
    ETCD_LOCK_REV: String(revision),
  };
  const failure = await runChild(command, { ...own, ...process.env });
  try {
    await orExit(() => mutex.unlock());
  } catch (error) {
    if (failure === undefined) throw error;
  }
  if (failure !== undefined) throw new Exit(failure.status, failure.why);
}

async function holdUntil(
  ctl: Ctl,
  client: Client,
  session: Session,
  mutex: Mutex,
  signal: AbortSignal,
): Promise<void> {
  const { kv } = await import("../../client/index.ts");
  const answer = await callOrExit(client, kv.range, { key: mutex.key });
  if (answer.kvs.length === 0) throw new Exit(EXIT.error, "lock lost on init");
  showRange(ctl, answer);
  await Promise.race([aborted(signal), session.done]);
  if (!signal.aborted) throw new Exit(EXIT.error, "session expired");
  await orExit(() => mutex.unlock());
}
