/** Turns the rounds of a benchmark into medians, ratios and the page docs/benchmarks.md. */
import { availableParallelism } from "node:os";
import { median } from "../test/lib/figures.ts";
import {
  generatorArgs,
  type Contender,
  type Load,
  type Round,
  type Sample,
} from "./bench-loads.ts";

export interface Results {
  readonly loads: readonly Load[];
  readonly rounds: number;
  readonly seconds: number;
  readonly results: ReadonlyMap<Contender, readonly Round[]>;
}

export interface Report {
  /** The whole page, in Markdown. */
  readonly page: string;
  readonly tables: string;
  /** One line: the ratios that matter most. */
  readonly summary: string;
}

export function writeReport(input: Results): Report {
  const tables = [speedTable(input), costTable(input), startTable(input)].join("\n\n");
  const ratios = input.loads.map((load) => `${load.name} ${times(speedRatio(input, load))}`);
  return { page: page(input, tables), tables, summary: `quord/etcd: ${ratios.join("; ")}` };
}

function pick(input: Results, who: Contender, load: Load, field: keyof Sample): number[] {
  return (input.results.get(who) ?? []).map((round) => round.samples.get(load.name)![field]);
}

function speedRatio(input: Results, load: Load): number {
  const of = (who: Contender) => median(pick(input, who, load, "perSecond"));
  return of("quord") / of("etcd");
}

export const times = (ratio: number) => `x${ratio.toFixed(2)}`;
const whole = (value: number) => Math.round(value).toLocaleString("en-US");

/** etcd's rate over that of its second run, round by round: what chance alone makes of a ratio. */
function noise(input: Results, load: Load): string {
  const again = pick(input, "etcd again", load, "perSecond");
  const ratios = pick(input, "etcd", load, "perSecond").map((rate, i) => rate / (again[i] ?? 0));
  if (again.length === 0) return "-";
  return `${times(Math.min(...ratios))} - ${times(Math.max(...ratios))}`;
}

const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;

/** Columns of one width each, as the formatter has them; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)));
  const aligned = (row: readonly string[]) =>
    line(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i]!))));
  const rule = line(
    widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)),
  );
  return [aligned(head), rule, ...rows.map(aligned)].join("\n");
}

function speedTable(input: Results): string {
  const rows = input.loads.map((load) => {
    const of = (who: Contender, field: keyof Sample) => median(pick(input, who, load, field));
    const latency = (who: Contender) =>
      `${of(who, "p50Ms").toFixed(2)} / ${of(who, "p99Ms").toFixed(2)}`;
    return [
      load.name,
      whole(of("quord", "perSecond")),
      whole(of("etcd", "perSecond")),
      times(speedRatio(input, load)),
      noise(input, load),
      latency("quord"),
      latency("etcd"),
    ];
  });
  const head = ["load", "quord /s", "etcd /s", "ratio", "etcd against itself"];
  return table([...head, "quord p50 / p99 ms", "etcd p50 / p99 ms"], rows);
}

function costTable(input: Results): string {
  const rows = input.loads.map((load) => {
    const of = (who: Contender, field: keyof Sample) => median(pick(input, who, load, field));
    const busy = (who: Contender) => `${(of(who, "busy") * 100).toFixed(0)} %`;
    return [
      load.name,
      of("quord", "cpuMicros").toFixed(0),
      of("etcd", "cpuMicros").toFixed(0),
      times(of("quord", "cpuMicros") / of("etcd", "cpuMicros")),
      busy("quord"),
      busy("etcd"),
    ];
  });
  const head = ["load", "quord CPU us/request", "etcd CPU us/request", "ratio"];
  return table([...head, "cores busy (quord)", "cores busy (etcd)"], rows);
}

function startTable(input: Results): string {
  const of = (who: Contender, read: (round: Round) => number | readonly number[]) =>
    median((input.results.get(who) ?? []).flatMap(read));
  const row = (name: string, read: (round: Round) => number | readonly number[]) => [
    name,
    of("quord", read).toFixed(0),
    of("etcd", read).toFixed(0),
    times(of("quord", read) / of("etcd", read)),
  ];
  return table(
    ["start and memory", "quord", "etcd", "ratio"],
    [
      row("empty directory to first answer, ms", ({ firstStarts }) =>
        firstStarts.map((start) => start.wallMs),
      ),
      row("the same, CPU ms", ({ firstStarts }) => firstStarts.map((start) => start.cpuMs)),
      row("filled directory to first answer, ms", (round) => round.restart.wallMs),
      row("the same, CPU ms", (round) => round.restart.cpuMs),
      row("peak memory over all loads, MiB", (round) => round.peakMib),
    ],
  );
}

function page(input: Results, tables: string): string {
  const commands = input.loads.map(
    (load) => `benchmark ${generatorArgs(load, 0).join(" ").replace("--total=0", "--total=N")}`,
  );
  return `# Benchmarks

Written by \`npm run bench\`; run it again on your own machine before believing it.

quord and etcd 3.7.3 in turn, one server at a time, on the same ${availableParallelism()} cores
that the load generator uses, Node ${process.versions.node}, each with a fresh directory on the
same file system and default flags. ${input.rounds} rounds; the order changes from round to round;
the figures are medians over the rounds. The generator is etcd's \`benchmark\`. Each load first
warms the server up, then runs for about ${input.seconds} s (\`N\` requests). Values are 256
bytes, keys are drawn from 100,000. "etcd against itself" is the smallest and the largest ratio,
over the rounds, between two runs of etcd: differences inside it mean nothing.

${tables}

"CPU us/request" is user and system time of the server process over completed requests.
"Cores busy" is CPU time of server and generator over wall time and cores: near 100 % the machine
was full, and the rate is set by what both cost together. Starting is timed from the execution of
the installed command, its launcher included, to the answer of a linearizable read.

The loads:

\`\`\`
${commands.join("\n")}
\`\`\`
`;
}
