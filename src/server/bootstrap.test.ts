import assert from "node:assert/strict";
import { test } from "node:test";
import { bear } from "./birth.ts";
import { makeConfig } from "./config.ts";
import { FlagError, parseFlags } from "./flags.ts";

const LINES = { info: () => {}, warn: () => {} };

/** Why no member is born of these flags. */
async function refusal(args: readonly string[]): Promise<string | undefined> {
  const why = await bear(makeConfig(parseFlags(args, {})), LINES).catch((error: unknown) => error);
  if (why instanceof FlagError) {
    assert.equal(why.manner, "start");
    return why.message;
  }
  assert.ok(!(why instanceof Error), String(why));
  return undefined;
}

test("a new member must be part of its cluster as it says of itself", async () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      "b=http://localhost:2380",
      `couldn't find local name "m" in the initial cluster configuration`,
    ],
    ["m", "error setting up initial cluster: URL scheme must be http, https, unix, or unixs: "],
    [
      "m=http://localhost:1",
      "--initial-cluster has m=http://localhost:1 but missing from " +
        "--initial-advertise-peer-urls=http://localhost:2380 " +
        '(resolved urls: "http://localhost:2380" != "http://localhost:1")',
    ],
    [
      "m=http://localhost:2380,n=http://localhost:2380",
      "initial cluster m=http://localhost:2380,n=http://localhost:2380 has duplicate url",
    ],
  ];
  for (const [cluster, text] of cases)
    assert.equal(await refusal(["--name=m", `--initial-cluster=${cluster}`]), text);
  assert.equal(await refusal(["--name=m"]), undefined);
  const two = "m=http://localhost:2380,n=http://localhost:1";
  assert.equal(await refusal(["--name=m", `--initial-cluster=${two}`]), undefined);
  assert.equal(
    await refusal(["--name=m", "--initial-advertise-peer-urls=http://localhost:1"]),
    undefined,
  );
  // Under the default name the default cluster stays what it is.
  assert.match(
    (await refusal(["--initial-advertise-peer-urls=http://localhost:1"]))!,
    /has default=http/,
  );
});
