import { boolFlag, EXIT, Exit, type FlagValues, offering, stringFlag } from "../../cli/index.ts";

/** What to do once the keys are deleted. */
export const afterwards = {
  "auto-compact": boolFlag("Compact storage with last revision after test is finished."),
  "auto-defrag": boolFlag("Defragment storage after test is finished."),
} as const;

export type Afterwards = FlagValues<typeof afterwards>;

const SIZES = { small: "s", medium: "m", large: "l", xLarge: "xl" } as const;

/** How much a check asks of a server. */
export type Size = (typeof SIZES)[keyof typeof SIZES];

export const loadFlag = (usage: string) => offering(Object.keys(SIZES), stringFlag(usage, "s"));

/** Throws `Exit` for what is no size. */
export function sizeOf(load: string): Size {
  const found = Object.entries(SIZES).find(([name, short]) => load === name || load === short);
  if (found === undefined) throw new Exit(EXIT.badFeature, `unknown load option ${load}`);
  return found[1];
}
