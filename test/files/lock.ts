/** Two servers on one directory: the second must not get in. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Kind } from "../lib/binaries.ts";
import { answers } from "../lib/probe.ts";
import { spawnMember, startMember } from "../lib/processes.ts";

const QUIT_WITHIN_MS = 2_000;
/** etcd waits for the lock for ever; this long it must at least not serve. */
const STAY_OUT_MS = 3_000;

export async function keepsOthersOut(
  parent: string,
  kinds: { first: Kind; second: Kind },
): Promise<void> {
  const dir = join(parent, "data");
  const first = await startMember(kinds.first, { dir });
  const second = await spawnMember(kinds.second, { dir });
  if (kinds.second === "quord") {
    const exit = await Promise.race([second.exited, sleep(QUIT_WITHIN_MS)]);
    await second.kill();
    assert(exit, `still running after ${QUIT_WITHIN_MS} ms`);
    assert.notEqual(exit.code, 0, "it ended as if all were well");
    assert(second.log().includes(dir), `it does not name the directory: ${second.log()}`);
  } else {
    await sleep(STAY_OUT_MS);
    const served = await answers(second.ports.client, 500);
    await second.kill();
    assert(!served, "both serve one directory");
  }
  assert(await answers(first.ports.client), "the first server was disturbed");
  await first.stop();
}
