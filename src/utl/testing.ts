import { PassThrough, Readable } from "node:stream";
import { main } from "./main.ts";

export interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the program. */
export async function runUtl(argv: readonly string[]): Promise<Run> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const status = await main(argv, {}, { stdin: Readable.from([]), stdout, stderr });
  return { status, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
}
