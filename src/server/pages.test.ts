import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bytesToText, textToBytes } from "../base/index.ts";
import { type Channel, connectChannel } from "../client/channel.ts";
import { kv, parseEndpoint } from "../client/index.ts";
import { Logger } from "../observe/index.ts";
import { api, decodeMessage, encodeMessage } from "../proto/index.ts";
import { makeConfig } from "./config.ts";
import { parseFlags } from "./flags.ts";
import { type Running, serve } from "./serve.ts";

/** Large replies, many at a time, whose memory is used again and again. */

const KEYS = 3000;
const PAGE = 1000;

const folder = mkdtempSync(join(tmpdir(), "pages-"));
const url = `unix://${join(folder, "grpc.sock")}`;
let running: Running;
let channel: Channel;

const keyOf = (number: number) => textToBytes(`k${String(number).padStart(5, "0")}`);
const valueOf = (number: number) => new Uint8Array(256).fill(number % 251);

before(async () => {
  const flags = [`--data-dir=${join(folder, "data")}`, `--listen-client-urls=${url}`];
  flags.push(`--listen-peer-urls=unix://${join(folder, "peer.sock")}`);
  flags.push("--advertise-client-urls=http://localhost:2379");
  const config = makeConfig(parseFlags(flags, {}));
  running = await serve(config, new Logger({ level: "fatal" }), (error) => {
    assert.fail(error as Error);
  });
  await running.ready;
  const limits = { receiveBytesMax: 2 ** 22, sendBytesMax: 2 ** 20, tls: undefined };
  const times = { timeoutMs: 5_000, keepAliveMs: 0, keepAliveTimeoutMs: 0 };
  channel = await connectChannel(parseEndpoint(url), { ...limits, ...times });
  for (let number = 0; number < KEYS; number += 100) {
    const success = Array.from({ length: 100 }, (_, i) => ({
      requestPut: { key: keyOf(number + i), value: valueOf(number + i) },
    }));
    await channel.unary(kv.txn.path, encodeMessage(api.TxnRequest, { success }), { metadata: {} });
  }
});

after(async () => {
  channel.close();
  await running.stop();
  rmSync(folder, { recursive: true });
});

async function page(from: number): Promise<void> {
  const request = { key: keyOf(from), rangeEnd: Uint8Array.of(0), limit: PAGE };
  const bytes = encodeMessage(api.RangeRequest, request);
  const reply = await channel.unary(kv.range.path, bytes, { metadata: {} });
  const { kvs, count, more } = decodeMessage(api.RangeResponse, reply);
  assert.deepEqual({ length: kvs.length, count, more }, { length: PAGE, count: KEYS - from, more });
  for (const [i, pair] of kvs.entries()) {
    assert.equal(bytesToText(pair.key), bytesToText(keyOf(from + i)));
    assert.equal(Buffer.compare(pair.value, valueOf(from + i)), 0, `the value of key ${from + i}`);
  }
}

test("pages read at the same time over one connection do not mix", async () => {
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 12 }, (_, i) => page((i * 167 + round) % 2000)));
  }
});
