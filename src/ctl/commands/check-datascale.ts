import { EXIT, Exit, Progress, stringFlag } from "../../cli/index.ts";
import type { Client } from "../../client/index.ts";
import type { Ctl } from "../ctl.ts";
import { defineSub, orExit } from "../define.ts";
import { argBytes } from "../raw-args.ts";
import { type Afterwards, afterwards, loadFlag, type Size, sizeOf } from "./check-flags.ts";
import type { LoadReport } from "./check-load.ts";
import { residentBytes } from "./check-memory.ts";

const LOADS: Readonly<Record<Size, { readonly keys: number; readonly clients: number }>> = {
  s: { keys: 10_000, clients: 50 },
  m: { keys: 100_000, clients: 200 },
  l: { keys: 1_000_000, clients: 500 },
  xl: { keys: 3_000_000, clients: 1_000 },
};
const KEY_BYTES = 512;
const VALUE_BYTES = 512;
const MEGABYTE = 1024 ** 2;

export const datascale = defineSub({
  use: "datascale [options]",
  short:
    "Check the memory usage of holding data for different workloads on a given server endpoint.",
  long:
    "If no endpoint is provided, localhost will be used. If multiple endpoints are provided, " +
    "first endpoint will be used.",
  flags: {
    load: loadFlag(
      "The datascale check's workload model. Accepted workloads: s(small), m(medium), l(large), " +
        "xl(xLarge)",
    ),
    prefix: stringFlag(
      "The prefix for writing the datascale check's keys.",
      "/etcdctl-check-datascale/",
    ),
    ...afterwards,
  },
  run: async ({ context: ctl }, flags) => {
    const load = LOADS[sizeOf(flags.load)];
    const { checkUnused, connectAll } = await import("./check-steps.ts");
    const clients = await connectAll(ctl, load.clients);
    const prefix = argBytes(flags.prefix);
    await checkUnused(clients[0]!, prefix, { quote: "" });
    const before = await memoryOf(ctl, "before");
    const work = `${load.keys} key-value pairs, ${KEY_BYTES + VALUE_BYTES} bytes per key-value`;
    const clientCount = `${load.clients} concurrent clients`;
    ctl.out(`Start data scale check for work load [${work}, ${clientCount}].\n`);
    const report = await writeKeys(ctl, clients, prefix, load.keys);
    const after = await memoryOf(ctl, "after");
    await cleanUp(ctl, clients[0]!, prefix, flags);
    if (report.errors.size > 0) {
      ctl.out(`${report.errorLines().join("\n")}\n`);
      throw new Exit(EXIT.error);
    }
    const used = ((after - before) / MEGABYTE).toFixed(2);
    ctl.out(`PASS: Approximate system memory used : ${used} MB.\n`);
  },
});

/** What the first of the servers has resident. Throws `Exit` when it does not say. */
async function memoryOf(ctl: Ctl, when: "before" | "after"): Promise<number> {
  const [endpoint] = await ctl.endpoints();
  const bytes = await residentBytes(ctl, endpoint!);
  if (bytes > 0) return bytes;
  ctl.out(`FAIL: Could not read process_resident_memory_bytes ${when} the put operations.\n`);
  throw new Exit(EXIT.error);
}

async function writeKeys(
  ctl: Ctl,
  clients: readonly Client[],
  prefix: Uint8Array,
  keys: number,
): Promise<LoadReport> {
  const { write } = await import("./check-load.ts");
  const progress = new Progress(ctl.io.stderr, "writing", keys, String);
  let begun = 0;
  const next = async () => {
    progress.update(begun);
    return begun++ < keys;
  };
  const sizes = { keyBytes: KEY_BYTES, valueBytes: VALUE_BYTES };
  const report = await write({ clients, prefix, ...sizes, next });
  progress.clear();
  return report;
}

async function cleanUp(
  ctl: Ctl,
  client: Client,
  prefix: Uint8Array,
  flags: Afterwards,
): Promise<void> {
  const { compact, defragment, removeKeys } = await import("./check-steps.ts");
  const revision = await orExit(() => removeKeys(client, prefix));
  if (flags["auto-compact"]) await compact(ctl, client, revision);
  if (flags["auto-defrag"]) await defragment(ctl);
}
