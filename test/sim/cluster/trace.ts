import { createHash } from "node:crypto";

/** Everything that happens in a world, one line each. */
export class Trace {
  readonly lines: string[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  say(who: string, what: string): void {
    this.lines.push(`${this.#now().toFixed(3)} ${who} ${what}`);
  }

  digest(): string {
    const hash = createHash("sha256");
    for (const line of this.lines) hash.update(`${line}\n`);
    return hash.digest("hex");
  }
}
