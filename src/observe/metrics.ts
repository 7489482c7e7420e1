import type { Histogram } from "../base/index.ts";

export type Labels = Readonly<Record<string, string>>;

/** One series: its labels and its value. */
export type Sample = readonly [labels: Labels, value: number | Histogram];

/** All series of one name. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** The series as they are now. A name without any is left out. */
  samples(): Iterable<Sample>;
}

/** So much text is gathered before it is handed on. */
const PART_CHARS = 32 * 1024;

/** A page in the text format of Prometheus, in parts. */
export function* metricsPage(families: Iterable<Family>): Generator<string, void> {
  let text = "";
  for (const family of families) {
    let head = `# HELP ${family.name} ${escapeHelp(family.help)}\n# TYPE ${family.name} ${family.type}\n`;
    for (const [labels, value] of family.samples()) {
      text += head;
      head = "";
      text += typeof value === "number" ? line(family.name, labels, value) : "";
      if (typeof value !== "number") text += histogramLines(family.name, labels, value);
      if (text.length < PART_CHARS) continue;
      yield text;
      text = "";
    }
  }
  yield text;
}

function histogramLines(name: string, labels: Labels, histogram: Histogram): string {
  const { bounds, counts, sum } = histogram;
  let text = "";
  let count = 0;
  for (let i = 0; i < counts.length; i++) {
    count += counts[i]!;
    const le = i < bounds.length ? formatNumber(bounds[i]!) : "+Inf";
    text += line(`${name}_bucket`, { ...labels, le }, count);
  }
  return text + line(`${name}_sum`, labels, sum) + line(`${name}_count`, labels, count);
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
  const list = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  return `${name}${list} ${formatNumber(value)}\n`;
}

/** As Go's `strconv` writes it: with an exponent from 1e+06 on and below 1e-04. */
export function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  const size = Math.abs(value);
  if (value === 0 || Number.isNaN(value) || (size >= 1e-4 && size < 1e6)) return String(value);
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
