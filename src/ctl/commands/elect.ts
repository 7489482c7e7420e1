import { boolFlag, EXIT, Exit } from "../../cli/index.ts";
import type { Client, Election, Session } from "../../client/index.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, define, orExit } from "../define.ts";
import { aborted, interrupts } from "../interrupts.ts";
import { showRange } from "../printers/range.ts";
import { argBytes } from "../raw-args.ts";

const TTL_SECONDS = 60;

export const elect = define({
  use: "elect <election-name> [proposal]",
  flags: { listen: boolFlag("observation mode", false, "l") },
  run: async ({ args, context: ctl }, { listen }) => {
    if (args.length !== 1 && args.length !== 2) {
      badArgs("elect takes one election name argument and an optional proposal argument");
    }
    const client = await ctl.connect();
    const [name = "", proposal] = args;
    if (proposal === undefined && !listen) badArgs("no proposal argument but -l not set");
    if (proposal !== undefined && listen) badArgs("proposal given but -l is set");
    const { Election, Session } = await import("../../client/index.ts");
    const session = await orExit(() => Session.open(client, TTL_SECONDS));
    const election = new Election(session, argBytes(name));
    if (proposal === undefined) await observe(ctl, election);
    else await campaign(ctl, client, session, election, argBytes(proposal));
  },
});

async function observe(ctl: Ctl, election: Election): Promise<void> {
  const signal = interrupts();
  try {
    for await (const leader of election.observe(signal)) showRange(ctl, leader);
  } catch (error) {
    if (error instanceof Exit) throw error;
  }
  if (!signal.aborted) throw new Exit(EXIT.error, "elect: observer lost");
}

/** Shows the key once elected, and leads until interrupted. */
async function campaign(
  ctl: Ctl,
  client: Client,
  session: Session,
  election: Election,
  proposal: Uint8Array,
): Promise<void> {
  const signal = interrupts();
  await orExit(() => election.campaign(proposal, signal));
  const { kv } = await import("../../client/index.ts");
  showRange(ctl, await callOrExit(client, kv.range, { key: election.key }));
  await Promise.race([aborted(signal), session.done]);
  if (!signal.aborted) throw new Exit(EXIT.error, "elect: session expired");
  await orExit(() => election.resign());
}
