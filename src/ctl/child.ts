import { spawn } from "node:child_process";
import { quoteText, errnoText } from "../base/index.ts";

/** How a command of the user's went wrong. */
export interface ChildFailure {
  /** Its exit status, 255 when a signal ended it, 1 when it could not be started. */
  readonly status: number;
  /** In Go's words. */
  readonly why: string;
}

/** Runs a command to its end, with our outputs and no input. Undefined when all went well. */
export async function runChild(
  [program = "", ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<ChildFailure | undefined> {
  const child = spawn(program, args, { env, stdio: ["ignore", "inherit", "inherit"] });
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ status: 1, why: startFailure(program, error) }));
    child.once("close", (status, signal) => {
      if (signal !== null) resolve({ status: 255, why: `signal: ${SIGNALS[signal] ?? signal}` });
      else if (status === 0) resolve(undefined);
      else resolve({ status: status!, why: `exit status ${status}` });
    });
  });
}

function startFailure(program: string, error: NodeJS.ErrnoException): string {
  if (program.includes("/")) return `fork/exec ${program}: ${errnoText(error)}`;
  return `exec: ${quoteText(program)}: executable file not found in $PATH`;
}

const SIGNALS: Readonly<Record<string, string>> = {
  SIGHUP: "hangup",
  SIGINT: "interrupt",
  SIGQUIT: "quit",
  SIGABRT: "aborted",
  SIGKILL: "killed",
  SIGSEGV: "segmentation fault",
  SIGPIPE: "broken pipe",
  SIGALRM: "alarm clock",
  SIGTERM: "terminated",
};
