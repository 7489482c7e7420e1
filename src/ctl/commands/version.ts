import { define } from "../define.ts";

/** The version of etcd whose commands, API and outputs these are. */
const ETCD_VERSION = "3.7.3";
const API_VERSION = "3.7";

export const version = define({
  use: "version",
  run: ({ context: ctl }) => {
    // Scripts look for these lines.
    ctl.out(`etcdctl version: ${ETCD_VERSION}\nAPI version: ${API_VERSION}\n`);
  },
});
