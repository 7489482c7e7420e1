import { flagUsages } from "../../cli/index.ts";
import { define } from "../define.ts";
import { globalFlags } from "../global-flags.ts";

export const options = define({
  use: "options",
  run: ({ context: ctl }) => {
    const intro = "The following options can be passed to any command:\n\n";
    ctl.out(intro + flagUsages(globalFlags));
  },
});
