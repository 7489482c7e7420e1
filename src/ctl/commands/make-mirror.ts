import { concatBytes } from "../../base/index.ts";
import {
  boolFlag,
  EXIT,
  Exit,
  type FlagValues,
  intFlag,
  stringFlag,
  uintFlag,
} from "../../cli/index.ts";
import type { Access, Ctl } from "../ctl.ts";
import { badArgs, define, orExit } from "../define.ts";
import { argBytes } from "../raw-args.ts";
import type { Mirror } from "./make-mirror-sync.ts";

const TOTAL_EVERY_MS = 30_000;

const flags = {
  prefix: stringFlag("Key-value prefix to mirror"),
  rev: intFlag("Specify the kv revision to start to mirror"),
  "max-txn-ops": uintFlag(
    "Maximum number of operations permitted in a transaction during syncing updates.",
    128,
  ),
  "dest-prefix": stringFlag(
    "destination prefix to mirror a prefix to a different prefix in the destination cluster",
  ),
  "no-dest-prefix": boolFlag("mirror key-values to the root of the destination cluster"),
  "dest-cert": stringFlag(
    "Identify secure client using this TLS certificate file for the destination cluster",
  ),
  "dest-key": stringFlag("Identify secure client using this TLS key file"),
  "dest-cacert": stringFlag(
    "Verify certificates of TLS enabled secure servers using this CA bundle",
  ),
  "dest-insecure-transport": boolFlag("Disable transport security for client connections", true),
  "dest-user": stringFlag(
    "Destination username[:password] for authentication (prompt if password is not supplied)",
  ),
  "dest-password": stringFlag(
    "Destination password for authentication (if this option is used, --user option shouldn't " +
      "include password)",
  ),
} as const;

type MirrorFlags = FlagValues<typeof flags>;

export const makeMirror = define({
  use: "make-mirror [options] <destination>",
  flags,
  run: async ({ args, context: ctl }, values) => {
    if (args.length !== 1) badArgs("make-mirror takes one destination argument");
    const to = await ctl.connect(args, { access: destinationAccess(values) });
    const from = await ctl.connect();
    if (values["no-dest-prefix"] && values["dest-prefix"] !== "") {
      badArgs("`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, choose one");
    }
    const { Mirror } = await import("./make-mirror-sync.ts");
    const prefix = argBytes(values.prefix);
    const mirror = new Mirror({
      from,
      to,
      prefix,
      rename: renamer(prefix, argBytes(destinationPrefix(values))),
      opsMax: values["max-txn-ops"],
    });
    await run(ctl, mirror, Math.max(0, values.rev - 1));
  },
});

function destinationAccess(values: MirrorFlags): Access {
  return {
    user: values["dest-user"],
    password: values["dest-password"],
    prompt: "Destination Password: ",
    cert: values["dest-cert"],
    key: values["dest-key"],
    cacert: values["dest-cacert"],
    isPlain: values["dest-insecure-transport"],
  };
}

/** Keys keep their prefix unless told otherwise; but, as with etcdctl, not with a revision. */
function destinationPrefix(values: MirrorFlags): string {
  const { prefix, rev, "dest-prefix": other, "no-dest-prefix": none } = values;
  return other === "" && !none && rev <= 1 ? prefix : other;
}

function renamer(from: Uint8Array, to: Uint8Array): (key: Uint8Array) => Uint8Array {
  return (key) => concatBytes([to, key.subarray(from.length)]);
}

/** Mirrors until something fails, and every now and then says how many keys that were. */
async function run(ctl: Ctl, mirror: Mirror, revision: number): Promise<void> {
  const telling = setInterval(() => ctl.out(`${mirror.total}\n`), TOTAL_EVERY_MS);
  try {
    const reason = await orExit(async () => {
      return mirror.follow(revision === 0 ? await mirror.copy() : revision);
    });
    throw new Exit(EXIT.error, reason);
  } finally {
    clearInterval(telling);
  }
}
