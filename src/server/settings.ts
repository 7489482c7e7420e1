import { parseBool, parseDurationMs, parseInt64, parseUint64 } from "../cli/index.ts";
import { FLAGS, type Flag, type FlagName } from "./flag-table.ts";
import type { ParsedFlags } from "./flags.ts";

/** The values of all flags, set or not, as what they stand for. */
export class Settings {
  readonly #flags: ParsedFlags;

  constructor(flags: ParsedFlags) {
    this.#flags = flags;
  }

  get isFromFile(): boolean {
    return this.#flags.source === "file";
  }

  isSet(name: FlagName): boolean {
    return this.#flags.values.has(name);
  }

  text(name: FlagName): string {
    return this.#flags.values.get(name) ?? FLAGS[name].default;
  }

  /** Whole numbers of any of Go's types; those above 2^53 lose their last digits. */
  number(name: FlagName): number {
    const parse = FLAGS[name].kind.startsWith("uint") ? parseUint64 : parseInt64;
    return Number(parse(this.text(name), 0));
  }

  ms(name: FlagName): number {
    return parseDurationMs(this.text(name));
  }

  isOn(name: FlagName): boolean {
    return parseBool(this.text(name));
  }

  /** Each once, sorted; an empty text is a list of one empty text, unless that is the default. */
  list(name: FlagName): string[] {
    const text = this.text(name);
    if (text === "" && !this.isSet(name)) return [];
    return [...new Set(text.split(","))].toSorted();
  }

  /** The URLs as they were written, each once, sorted. A flag set to nothing keeps its default. */
  urls(name: FlagName): string[] {
    const text = this.text(name) || FLAGS[name].default;
    if (text === "") return [];
    return [...new Set(text.split(",").map((url) => url.trim()))].toSorted();
  }

  /** Whether a flag asks for more than it does unset. */
  differs(name: FlagName): boolean {
    const flag: Flag = FLAGS[name];
    if (flag.kind === "bool") return this.isOn(name) !== parseBool(flag.default);
    return this.text(name) !== flag.default;
  }
}
