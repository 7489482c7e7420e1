import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Progress } from "./progress.ts";

const OUTPUT = new URL("./output.ts", import.meta.url).href;

/** A program of its own, whose outputs are pipes. */
function program(body: string) {
  const code = `import { Descriptor } from ${JSON.stringify(OUTPUT)};
    const out = new Descriptor(1);
    ${body}
    await out.flushed();
    process.exit(7);`;
  return spawn(process.execPath, ["--input-type=module", "--eval", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

test("much output through a slow pipe arrives whole before the program ends", async () => {
  const child = program('out.write("start\\n"); out.write(Buffer.alloc(300_000, 120));');
  let bytes = 0;
  for await (const chunk of child.stdout) {
    bytes += (chunk as Buffer).length;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(bytes, 300_006);
  assert.equal(child.exitCode ?? (await once(child, "close"))[0], 7);
});

test("a reader that goes away ends the program without a word", async () => {
  const child = program('for (;;) out.write("x".repeat(10_000));');
  await once(child.stdout, "data");
  child.stdout.destroy();
  assert.deepEqual(await once(child, "close"), [141, null]);
});

test("progress is shown at a terminal only, and taken away again", () => {
  const shown = (isTTY: boolean) => {
    let text = "";
    const progress = new Progress({ isTTY, write: (chunk) => (text += chunk) }, "copy", 2_000);
    progress.update(500);
    progress.update(600);
    progress.clear();
    progress.clear();
    return text;
  };
  assert.equal(shown(false), "");
  assert.equal(shown(true), "\r\u001b[Kcopy: 500 B of 2.0 kB (25%)\r\u001b[K");
});
