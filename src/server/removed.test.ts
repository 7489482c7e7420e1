import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { endWithUs, freePort, freshDir } from "../../test/lib/processes.ts";
import { createPeerServer, Transport } from "../peer/index.ts";
import { FakeInbox, transportOptions } from "../peer/testing.ts";
import { foundByConfig } from "./birth.ts";
import { makeConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";

const MAIN = join(import.meta.dirname, "main.ts");
const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

test("a member that was removed before it served anybody ends with a failure", async () => {
  const [client, own, other] = [await freePort(), await freePort(), await freePort()];
  const flags = [
    ["--name=m", `--data-dir=${join(freshDir(), "data")}`],
    [`--listen-client-urls=${urlOf(client)}`, `--advertise-client-urls=${urlOf(client)}`],
    [`--listen-peer-urls=${urlOf(own)}`, `--initial-advertise-peer-urls=${urlOf(own)}`],
    [`--initial-cluster=m=${urlOf(own)},n=${urlOf(other)}`],
  ].flat();
  const { ids, members } = foundByConfig(makeConfig(parseFlags(flags, {})));
  const { id } = members.find(({ name }) => name === "n")!;
  // The other member knows of the removal; this one has yet to hear of it.
  const inbox = new FakeInbox({ memberId: id, clusterId: ids.clusterId });
  inbox.removed.add(ids.memberId);
  const transport = new Transport(transportOptions([urlOf(other)]), inbox);
  const server = createPeerServer(Promise.resolve(transport)).listen(other, "127.0.0.1");
  await once(server, "listening");
  const child = spawn(process.execPath, [MAIN, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  endWithUs(child);
  let log = "";
  for (const output of [child.stdout, child.stderr]) output.on("data", (some) => (log += some));
  const [code] = (await once(child, "close")) as [number | null];
  server.close();
  server.closeAllConnections();
  await transport.stop();
  assert.equal(code, 1);
  assert.match(log, /"level":"warn".*data-dir used by this member must be removed/);
  assert.match(log, /"level":"fatal".*"msg":"listener failed","error":"server is stopping"/);
});
