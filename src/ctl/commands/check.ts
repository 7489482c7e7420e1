import { define } from "../define.ts";
import { datascale } from "./check-datascale.ts";
import { perf } from "./check-perf.ts";

export const check = define({
  use: "check <subcommand>",
  long: "commands for checking properties of the etcd cluster",
  commands: [perf, datascale],
});
