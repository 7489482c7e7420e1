import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { answers } from "../../test/lib/probe.ts";
import { endWithUs, freePort, freshDir } from "../../test/lib/processes.ts";

const MAIN = join(import.meta.dirname, "main.ts");

/** A running `quord dev`, and what it prints. */
function startDev(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, "dev", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  endWithUs(child);
  let text = "";
  let check = () => {};
  const read = (chunk: Buffer) => {
    text += chunk;
    check();
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  const exited = once(child, "close").then(([code]) => code as number);
  return {
    exited,
    text: () => text,
    /** Resolves when all of it has been printed. */
    until: (pattern: RegExp) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      check = () => {
        if (pattern.test(text)) resolve();
      };
      read(Buffer.alloc(0));
      return Promise.race([promise, exited.then(() => assert.match(text, pattern))]);
    },
    say: (line: string) => child.stdin.write(`${line}\n`),
    signal: (signal: NodeJS.Signals) => child.kill(signal),
  };
}

test("quord dev starts a cluster; a member is killed and started by name; its directory is its own", async () => {
  const dir = join(freshDir(), "dev");
  const port = await freePort();
  const dev = startDev("--members", "1", "--data-dir", dir, "--port", `${port}`);
  await dev.until(/put greeting hello/);
  assert.match(dev.text(), new RegExp(`--endpoints 127.0.0.1:${port} `));
  const pid = Number(readFileSync(join(dir, "m1.pid"), "utf8"));
  dev.say("kill m1");
  await dev.until(/m1 ended: SIGKILL/);
  assert.throws(() => process.kill(pid, 0));
  dev.say("start m1");
  await dev.until(new RegExp(`m1 .* pid (?!${pid})\\d+\\n$`));
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 20));
  dev.say("status");
  await dev.until(/m1 .* leads in term \d+, revision 1/);
  const second = startDev("--members", "1", "--data-dir", dir, "--port", `${port}`);
  assert.equal(await second.exited, 1);
  assert.match(second.text(), /still there: m1.pid/);
  dev.signal("SIGTERM");
  assert.equal(await dev.exited, 0);
  assert.ok(!existsSync(join(dir, "m1.pid")));
  assert.equal(await answers(port, 200), false);
  const third = startDev("--members", "3", "--data-dir", dir);
  assert.equal(await third.exited, 1);
  assert.match(third.text(), new RegExp(`holds a cluster of --members 1 --port ${port}:`));
});

test("quord dev says which of its ports are in use, and starts nothing", async () => {
  const dir = join(freshDir(), "dev");
  const other = createServer().listen(await freePort(), "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const dev = startDev("--members", "1", "--data-dir", dir, "--port", `${port}`);
  assert.equal(await dev.exited, 1);
  assert.equal(dev.text(), `quord dev: ports in use: ${port}; --port chooses others\n`);
  assert.ok(!existsSync(join(dir, "m1")));
  other.close();
});
