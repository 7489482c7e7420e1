import type { Fault, Plan } from "./plan.ts";
import { type Outcome, run } from "./run.ts";
import { FAIR } from "./network.ts";

export interface Least {
  readonly plan: Plan;
  readonly outcome: Outcome;
}

/** Runs that it may take. */
const TRIES_MAX = 120;

/**
 * Looks for the least plan that violates something: fewer faults, fewer clients, less time, a calm
 * network. Undefined when the plan itself violates nothing.
 */
export async function shrink(plan: Plan, say: (text: string) => void): Promise<Least | undefined> {
  const shrinking = new Shrinking(say);
  if (!(await shrinking.tries(plan))) return undefined;
  await shrinking.shorten();
  await shrinking.dropFaults();
  await shrinking.simplify();
  await shrinking.dropFaults();
  await shrinking.shorten();
  return shrinking.least;
}

class Shrinking {
  least: Least | undefined;
  #tries = 0;
  readonly #say: (text: string) => void;

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  get #plan(): Plan {
    return this.least!.plan;
  }

  /** Takes a plan for the least one if it still goes wrong. */
  async tries(plan: Plan): Promise<boolean> {
    if (this.#tries++ >= TRIES_MAX) return false;
    const outcome = await run(plan);
    if (outcome.violations.length === 0) return false;
    this.least = { plan, outcome };
    this.#say(
      `try ${this.#tries}: ${plan.ms} ms, ${plan.faults.length} faults, ${plan.clients} clients, ` +
        `${outcome.trace.length} lines: ${outcome.violations[0]!.slice(0, 100)}`,
    );
    return true;
  }

  /** Ends as soon as it can. */
  async shorten(): Promise<void> {
    for (let part = 0.5; part < 0.95; part = (1 + part) / 2) {
      for (;;) {
        const ms = Math.floor(this.#plan.ms * part);
        const faults = this.#plan.faults.filter(({ at }) => at < ms);
        if (ms < 500 || !(await this.tries({ ...this.#plan, ms, faults }))) break;
      }
    }
  }

  /** Halves, quarters, …, single ones. */
  async dropFaults(): Promise<void> {
    for (let size = Math.ceil(this.#plan.faults.length / 2); size >= 1; size >>= 1) {
      for (let at = 0; at < this.#plan.faults.length; ) {
        const faults: Fault[] = [...this.#plan.faults];
        faults.splice(at, size);
        if (!(await this.tries({ ...this.#plan, faults }))) at += size;
      }
    }
  }

  async simplify(): Promise<void> {
    await this.tries({ ...this.#plan, weather: FAIR });
    while (this.#plan.clients > 1) {
      if (!(await this.tries({ ...this.#plan, clients: this.#plan.clients - 1 }))) break;
    }
    while (this.#plan.watchers > 1) {
      if (!(await this.tries({ ...this.#plan, watchers: this.#plan.watchers - 1 }))) break;
    }
    if (this.#plan.machines > 3) await this.tries({ ...this.#plan, machines: 3 });
  }
}

/** What of a trace helps to see what happened. */
const TOLD = /(\*\*\*|!!!|boots|ends:|serves|became leader|asks|is answered|is refused|=>)/;
const LINES_MAX = 400;

export function readable({ trace, violations }: Outcome): string {
  const told = trace.filter((line) => TOLD.test(line));
  const left = told.length - LINES_MAX;
  const head = left > 0 ? [`… ${left} lines before; --trace FILE has all of them`] : [];
  return [...head, ...told.slice(-LINES_MAX), ...violations.map((v) => `VIOLATION ${v}`)].join(
    "\n",
  );
}
