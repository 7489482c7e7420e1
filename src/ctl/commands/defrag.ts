import { formatDuration } from "../../base/index.ts";
import { boolFlag, EXIT, Exit } from "../../cli/index.ts";
import { commandDeadline, define } from "../define.ts";
import { targets } from "../targets.ts";

export const defrag = define({
  use: "defrag",
  persistentFlags: { cluster: boolFlag("use all endpoints from the cluster member list") },
  flags: { cluster: boolFlag("use all endpoints from the cluster member list") },
  run: async ({ context: ctl }, flags) => {
    const { describeError, maintenance } = await import("../../client/index.ts");
    let failed = false;
    for (const endpoint of await targets(ctl, flags.cluster)) {
      const client = await ctl.connect([endpoint]);
      const deadline = await commandDeadline(ctl);
      const started = performance.now();
      const took = () => `took ${formatDuration(performance.now() - started)}`;
      try {
        await client.call(maintenance.defragment, {}, deadline);
        ctl.out(`Finished defragmenting etcd member[${endpoint}]. ${took()}\n`);
      } catch (error) {
        failed = true;
        const reason = `${took()}. (${describeError(error, deadline)})`;
        ctl.err(`Failed to defragment etcd member[${endpoint}]. ${reason}\n`);
      }
      client.close();
    }
    if (failed) throw new Exit(EXIT.error);
  },
});
