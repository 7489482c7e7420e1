import { spawn } from "node:child_process";

/** A data directory cannot be locked: another process has it, or the means are missing. */
export class LockError extends Error {}

/** flock(1) itself answers at once; a machine that cannot run it must not hang quord. */
const FLOCK_TIMEOUT_MS = 1500;
/** Exit code of `flock -n` when somebody else holds the lock. */
const HELD = 1;

/**
 * Takes an flock on an open database file, for as long as the descriptor is open: until it is
 * closed or the process ends, however it ends. It is the lock that bbolt takes, so quord and etcd
 * keep each other out of `directory`. Node has no flock: a child takes it on the inherited
 * descriptor, and it stays with the open file when the child ends. Throws LockError, at once when
 * the file is locked.
 */
export function lockFile(fd: number, directory: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(new LockError(`cannot lock the data directory ${directory}: ${why}`));
    const child = spawn("flock", ["-xn", "3"], {
      stdio: ["ignore", "ignore", "inherit", fd],
      timeout: FLOCK_TIMEOUT_MS,
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") fail(error.message);
      else fail("the command flock is missing; install util-linux (Linux) or flock (Homebrew)");
    });
    child.on("exit", (code) => {
      if (code === 0) resolve();
      else if (code === HELD) fail("another process is using it");
      else fail(`flock ended with ${code ?? "a signal"}`);
    });
  });
}
