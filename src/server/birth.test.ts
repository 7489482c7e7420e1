import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToText } from "../base/index.ts";
import { type Birth, foundByConfig, writeFounders } from "./birth.ts";
import { makeConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";

const CLUSTER = "b=http://127.0.0.1:24003,a=http://127.0.0.1:24001,c=http://127.0.0.1:24005";
const PEER_URLS = { a: 24001, b: 24003, c: 24005 };

function born(name: keyof typeof PEER_URLS): Birth {
  const url = `http://127.0.0.1:${PEER_URLS[name]}`;
  const flags = ["--name", name, "--initial-cluster", CLUSTER, "--initial-cluster-token", "t"];
  const config = makeConfig(parseFlags([...flags, "--initial-advertise-peer-urls", url], {}));
  return foundByConfig(config);
}

/** What etcd 3.7.3 answers for the same flags. */
const IDS = {
  cluster: "dab0c3d81cfbc36",
  a: "4b85d061854ca70",
  b: "b4e6e1697a898aa9",
  c: "7da97974c03b0e89",
};

test("founders have the ids that etcd gives for the same flags, and the same first entries", () => {
  const written = (["a", "b", "c"] as const).map((name) => {
    const birth = born(name);
    assert.equal(birth.ids.clusterId.toString(16), IDS.cluster);
    assert.equal(birth.ids.memberId.toString(16), IDS[name]);
    assert.equal(birth.isFounder, true);
    const lines: string[] = [];
    const bootstrap = (peers: readonly { id: bigint; context: Uint8Array }[]) => {
      for (const { id, context } of peers) lines.push(`${id} ${bytesToText(context)}`);
    };
    writeFounders({ bootstrap } as never, birth);
    return lines;
  });
  assert.deepEqual(written[1], written[0]);
  assert.deepEqual(written[2], written[0]);
  assert.equal(written[0]!.length, 3);
  const a = BigInt(`0x${IDS.a}`);
  const line = `${a} {"id":${a},"peerURLs":["http://127.0.0.1:24001"],"name":"a"}`;
  assert.ok(written[0]!.includes(line));
});
