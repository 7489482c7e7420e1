import { bytesToText, quoteBytes, quoteText } from "../../base/index.ts";
import { EXIT, Exit } from "../../cli/index.ts";
import { type Client, Deadline, kv, maintenance, prefixEnd } from "../../client/index.ts";
import type { Ctl } from "../ctl.ts";
import { callOrExit } from "../define.ts";

/** What both checks do before and after they write. */

const COMPACT_MS = 30_000;
const DEFRAG_MS = 30_000;

export async function connectAll(ctl: Ctl, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) clients.push(await ctl.connect());
  return clients;
}

/** Ends the program when there are keys where a check would write. */
export async function checkUnused(
  client: Client,
  prefix: Uint8Array,
  options: { readonly deadline?: Deadline; readonly quote: string },
): Promise<void> {
  const { deadline = Deadline.never, quote } = options;
  const request = { key: prefix, rangeEnd: prefixEnd(prefix), limit: 1 };
  const { kvs } = await callOrExit(client, kv.range, request, { deadline });
  if (kvs.length === 0) return;
  const remedy = `${quote}quordctl del --prefix ${bytesToText(prefix)}${quote}`;
  throw new Exit(
    EXIT.invalidInput,
    `prefix ${quoteBytes(prefix)} has keys. Delete with ${remedy} first`,
  );
}

/** Deletes what a check has written; returns the revision then. Rejects with StatusError. */
export async function removeKeys(
  client: Client,
  prefix: Uint8Array,
  deadline?: Deadline,
): Promise<number> {
  const request = { key: prefix, rangeEnd: prefixEnd(prefix) };
  const { header } = await client.call(kv.deleteRange, request, deadline);
  return header!.revision;
}

export async function compact(ctl: Ctl, client: Client, revision: number): Promise<void> {
  ctl.out(`Compacting with revision ${revision}\n`);
  const request = { revision, physical: true };
  await callOrExit(client, kv.compact, request, { deadline: Deadline.in(COMPACT_MS) });
  ctl.out(`Compacted with revision ${revision}\n`);
}

/** Each member that the flags name. */
export async function defragment(ctl: Ctl): Promise<void> {
  for (const endpoint of await ctl.endpoints()) {
    ctl.out(`Defragmenting ${quoteText(endpoint)}\n`);
    const client = await ctl.connect([endpoint]);
    await callOrExit(client, maintenance.defragment, {}, { deadline: Deadline.in(DEFRAG_MS) });
    ctl.out(`Defragmented ${quoteText(endpoint)}\n`);
  }
}
