/**
 * Data-driven stories: a file of commands, each with the transcript that it must produce.
 *
 *   # a comment
 *   command arg key=value key=(several,values)
 *   more lines of input
 *   ----
 *   the expected output, up to an empty line
 *
 * The stories of etcd-io/raft lie beside the checkout and are not part of it; without them the
 * tests are skipped.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { test } from "node:test";

const STORIES = resolve(import.meta.dirname, "../../../shared/testdata/raft");

export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly args: readonly Argument[];
  readonly input: string;
  readonly expected: string;
  /** Line of the command in its file. */
  readonly line: number;
}

/** What answers the commands of one story. */
export type Player = (command: Command) => string;

/** Runs every story of a folder, each with a player of its own, as one test. */
export function playStories(
  folder: string,
  newPlayer: (story: readonly Command[]) => Player,
): void {
  const path = join(STORIES, folder);
  if (!existsSync(path)) {
    test(`stories of ${folder}`, { skip: "the stories of etcd-io/raft are not here" }, () => {});
    return;
  }
  for (const file of globSync("*.txt", { cwd: path }).toSorted()) {
    test(`story ${folder}/${basename(file)}`, () => {
      const story = parseStory(readFileSync(join(path, file), "utf8"));
      const play = newPlayer(story);
      for (const command of story) {
        const at = `${file}:${command.line}: ${command.name}`;
        assert.equal(`${at}\n${play(command)}`, `${at}\n${command.expected}`);
      }
    });
  }
}

function parseStory(text: string): Command[] {
  const lines = text.split("\n");
  const commands: Command[] = [];
  for (let i = 0; i < lines.length; i++) {
    const head = lines[i]!.trim();
    if (head === "" || head.startsWith("#")) continue;
    const input = linesTo(lines, i + 1, "----");
    const output = linesTo(lines, i + input.length + 2, "");
    const [name, args] = parseHead(head);
    commands.push({
      name,
      args,
      input: input.join("\n"),
      expected: output.join("\n"),
      line: i + 1,
    });
    i += input.length + output.length + 2;
  }
  return commands;
}

function linesTo(lines: readonly string[], from: number, end: string): string[] {
  const to = lines.indexOf(end, from);
  return lines.slice(from, to < 0 ? lines.length : to);
}

function parseHead(head: string): [string, Argument[]] {
  const [name, ...rest] = head.match(/[^\s=]+=\([^)]*\)|\S+/g) ?? [];
  return [name ?? "", rest.map(parseArgument)];
}

function parseArgument(text: string): Argument {
  const [key, value] = text.split("=", 2);
  if (value === undefined) return { key: key!, values: [] };
  const values = value.replace(/^\(|\)$/g, "").split(",");
  return { key: key!, values: values.map((one) => one.trim()).filter((one) => one !== "") };
}

/** The single value of an argument, if it is given. */
export function valueOf({ args }: Command, key: string): string | undefined {
  return args.find((arg) => arg.key === key)?.values[0];
}
