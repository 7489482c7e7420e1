/** What the commands of this folder have in common. */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { EXIT_SKIPPED, needPeer } from "../lib/binaries.ts";

export interface Arguments {
  readonly isQuick: boolean;
  readonly seed: number;
  number(name: string, usual: { readonly full: number; readonly quick: number }): number;
  text(name: string): string | undefined;
}

/** Reads the command line; ends as skipped where real etcd is missing. */
export function readArguments(names: readonly string[]): Arguments {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      seed: text,
      ...Object.fromEntries(names.map((name) => [name, text])),
    },
  });
  needPeer("etcd");
  const given = values as Readonly<Record<string, string | boolean | undefined>>;
  const isQuick = given["quick"] === true;
  return {
    isQuick,
    seed: Number(given["seed"] ?? Date.now() % 1_000_000),
    number: (name, { full, quick }) => Number(given[name] ?? (isQuick ? quick : full)),
    text: (name) => given[name] as string | undefined,
  };
}

export function skip(why: string): never {
  console.log(`skipped: ${why}`);
  process.exit(EXIT_SKIPPED);
}

const startedAt = performance.now();

export function say(text: string): void {
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(7);
  console.log(`${seconds} s  ${text}`);
}

/** What is wrong with etcd itself is told, and is no problem of ours. */
export function blame(programs: readonly string[], problems: readonly string[]): string[] {
  if (programs.some((program) => program === "quord")) return [...problems];
  for (const problem of problems) say(`etcd itself: ${shorten(problem)}`);
  return [];
}

const PROBLEM_CHARS_MAX = 6_000;
const SHOWN_MAX = 20;

function shorten(text: string): string {
  return text.length > PROBLEM_CHARS_MAX ? `${text.slice(0, PROBLEM_CHARS_MAX)} ...` : text;
}

/** Runs a command to its end, which it tells with its exit code: 0 when nothing was wrong. */
export async function runCommand(name: string, main: () => Promise<string[]>): Promise<never> {
  let problems: string[];
  try {
    problems = await main();
  } catch (error) {
    problems = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
  for (const problem of problems.slice(0, SHOWN_MAX)) console.log(`PROBLEM  ${shorten(problem)}`);
  if (problems.some(({ length }) => length > PROBLEM_CHARS_MAX)) {
    const file = join(tmpdir(), `quord-${name}-${process.pid}.txt`);
    writeFileSync(file, problems.join("\n"));
    say(`all of it is in ${file}`);
  }
  say(`${name}: ${problems.length === 0 ? "nothing wrong" : `${problems.length} problems`}`);
  process.exit(problems.length === 0 ? 0 : 1);
}
