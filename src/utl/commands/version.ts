import { define } from "../define.ts";

/** The version of etcd whose commands, files and outputs these are. */
const ETCD_VERSION = "3.7.3";
const API_VERSION = "3.7";

export const version = define({
  use: "version",
  run: ({ context: utl }) => {
    // Scripts look for these lines.
    utl.out(`etcdutl version: ${ETCD_VERSION}\nAPI version: ${API_VERSION}\n`);
  },
});
