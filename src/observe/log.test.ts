import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { at, Logger, type LogFormat, type LogLevel, openLogger } from "./index.ts";
import { timestamp } from "./log-line.ts";
import { ROTATION_DEFAULTS, RotatingFile } from "./rotation.ts";
import { Sampler } from "./sampler.ts";
import { StreamSink } from "./sinks.ts";

const dir = mkdtempSync(join(tmpdir(), "log-"));
after(() => rmSync(dir, { recursive: true }));

/** A logger, and what it has written. */
function listen(options: { level?: LogLevel; format?: LogFormat } = {}) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const sink = { write, flush: () => {}, onLost: () => {} };
  return { lines, logger: new Logger({ level: "info", ...options, sinks: [sink] }) };
}

test("a line has zap's members in zap's order, then the fields", () => {
  const { lines, logger } = listen();
  logger.warn("hello", { "member-id": 0xabcdn, took: "5ms", error: new Error("no") });
  const line = lines.join("");
  assert.match(
    line,
    /^\{"level":"warn","ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d{4})",/,
  );
  const { caller, ts: _ts, ...rest } = JSON.parse(line);
  assert.match(caller, /^observe\/log\.test\.ts:\d+$/);
  const fields = { "member-id": "abcd", took: "5ms", error: "no" };
  assert.deepEqual(rest, { level: "warn", msg: "hello", ...fields });
  assert.deepEqual(Object.keys(JSON.parse(line)).slice(2, 4), ["caller", "msg"]);
});

test("a part of the program has a name in its lines, and the sinks of the whole", () => {
  const { lines, logger } = listen();
  logger.named("raft").info("x");
  logger.info("y");
  const [named, plain] = lines.map((line) => JSON.parse(line));
  assert.deepEqual(Object.keys(named), ["level", "ts", "logger", "caller", "msg"]);
  assert.equal(named.logger, "raft");
  assert.ok(!("logger" in plain));
  const text = listen({ format: "console" });
  text.logger.named("raft").info("x");
  assert.match(text.lines[0]!, /^\S+\tinfo\traft\tobserve\/log\.test\.ts:\d+\tx\n$/);
});

test("a place that is said is believed", () => {
  const { lines, logger } = listen();
  at(logger, "room/file.ts:7").info("x");
  logger.info("y");
  assert.match(lines[0]!, /"caller":"room\/file\.ts:7"/);
  assert.match(lines[1]!, /"caller":"observe\/log\.test\.ts:\d+"/);
});

test("errors come with a stack, the one of the error if there is one", () => {
  const { lines, logger } = listen();
  logger.error("bad");
  logger.fatal("worse", { error: cause() });
  const stacks = lines.map((line) => JSON.parse(line).stacktrace);
  assert.match(stacks[0], /^\S.*\n\t\S*observe\/log\.test\.ts:\d+\n/);
  assert.match(stacks[1], /^cause\n\t\S*observe\/log\.test\.ts:\d+\n/);
});

function cause(): Error {
  return new Error("x");
}

test("text for people has tabs and spaced JSON", () => {
  const { lines, logger } = listen({ format: "console" });
  logger.info("plain");
  logger.info("rich", { a: [1, "x, y"], b: { c: true }, d: {} });
  assert.match(lines[0]!, /^\S+\tinfo\tobserve\/log\.test\.ts:\d+\tplain\n$/);
  assert.match(lines[1]!, /\trich\t\{"a": \[1, "x, y"\], "b": \{"c": true\}, "d": \{\}\}\n$/);
});

test("lines below the level are left out", () => {
  const { lines, logger } = listen({ level: "panic" });
  for (const level of ["debug", "info", "warn", "error", "fatal"] as const) logger[level](level);
  assert.equal(lines.length, 1);
  assert.equal(logger.isOn("error"), false);
});

test("time is local, to the microsecond", () => {
  assert.match(timestamp(1_764_094_353_123.456), /^2025-11-2\dT\d\d:\d\d:33\.123456(Z|[+-]\d{4})$/);
});

test("of equal lines in a second the first hundred pass, then each hundredth", () => {
  const sampler = new Sampler();
  const passed = (count: number, at: number) =>
    Array.from({ length: count }, () => sampler.admits("info", "x", at)).filter(Boolean).length;
  assert.equal(passed(350, 0), 102);
  assert.equal(passed(1, 999), 0);
  assert.equal(sampler.admits("warn", "x", 999), true);
  assert.equal(passed(100, 1_000), 100);
});

test("a file gets all lines, /dev/null silences, and what cannot be opened is told", async () => {
  const path = join(dir, "plain.log");
  const logger = openLogger({ level: "info", format: "json", outputs: [path] });
  for (let i = 0; i < 50; i++) logger.info(`line ${i}`);
  await sleep(50);
  logger.info("the last");
  logger.flush();
  await sleep(50);
  const messages = readFileSync(path, "utf8").split("\n").filter(Boolean);
  assert.equal(messages.length, 51);

  const outputs = [join(dir, "silent.log"), "/dev/null"];
  openLogger({ level: "info", format: "json", outputs }).info("x");
  assert.equal(readdirSync(dir).includes("silent.log"), false);

  const texts: readonly (readonly [string, string])[] = [
    ["/nowhere/x", 'open sink "/nowhere/x": open /nowhere/x: no such file or directory'],
    ["foo://x", 'open sink "foo://x": no sink found for scheme "foo"'],
  ];
  for (const [output, message] of texts) {
    const open = () => openLogger({ level: "info", format: "json", outputs: [output] });
    assert.throws(open, { message });
  }
});

test("a disk without space costs lines, and nothing else", async () => {
  const logger = openLogger({ level: "info", format: "json", outputs: ["/dev/full"] });
  for (let i = 0; i < 10; i++) logger.info("lost");
  await sleep(20);
  logger.flush();
});

test("a reader that stops reading holds nobody up", async () => {
  const child = spawn("sleep", ["60"], { stdio: ["pipe", "ignore", "ignore"] });
  const handle = (child.stdin as unknown as { _handle: { fd: number } })._handle;
  const sink = new StreamSink(handle.fd);
  const line = `${"x".repeat(999)}\n`;
  const started = performance.now();
  for (let i = 0; i < 5_000; i++) sink.write(line);
  // 5 MB: a pipe's worth is with the reader, a bounded amount waits, the others are lost.
  assert.ok(performance.now() - started < 1_000);
  child.kill();
  await once(child, "close");
  // Nobody will read it now.
  sink.write(line);
  sink.flush();
});

test("what a slow reader missed is counted", async () => {
  const reader = spawn("sh", ["-c", "sleep 0.3; cat"], { stdio: ["pipe", "pipe", "ignore"] });
  const handle = (reader.stdin as unknown as { _handle: { fd: number } })._handle;
  const sink = new StreamSink(handle.fd);
  let received = "";
  reader.stdout.on("data", (chunk: Buffer) => (received += chunk));
  let lost = 0;
  sink.onLost = (lines) => (lost += lines);
  const line = `${"x".repeat(999)}\n`;
  for (let i = 0; i < 3_000; i++) sink.write(line);
  while (lost === 0) await sleep(20);
  reader.stdin.end();
  await once(reader, "close");
  assert.equal(received.length / line.length + lost, 3_000);
  assert.ok(lost > 1_000, `${lost}`);
});

/** Writes lines as a sink does, and ends when all is on disk. */
async function writeAll(file: RotatingFile, lines: Buffer): Promise<void> {
  for (let rest = lines; rest.length > 0; ) {
    const { fd, bytes } = file.makeRoom(rest);
    writeSync(fd, rest, 0, bytes);
    rest = rest.subarray(bytes);
  }
  await file.close();
}

test("the last words of a process that ends are there, and last", () => {
  for (const end of ["process.exit(1)", 'logger.flush(); process.kill(process.pid, "SIGTERM")']) {
    const path = join(dir, "last.log");
    const code = `
      import { openLogger } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
      const logger = openLogger({ level: "info", format: "json", outputs: ["${path}"] });
      process.on("exit", () => logger.flush());
      logger.info("1");
      await new Promise(setImmediate);
      logger.info("2");
      logger.fatal("3");
      ${end};`;
    spawnSync(process.execPath, ["--input-type=module", "-e", code]);
    const lines = readFileSync(path, "utf8").trim().split("\n");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).msg),
      ["1", "2", "3"],
    );
    rmSync(path);
  }
});

test("a full file is put aside, old ones are packed and the oldest go", async () => {
  const parent = join(dir, "deep", "er");
  const path = join(parent, "etcd.log");
  const rotation = { ...ROTATION_DEFAULTS, maxsize: 1, maxbackups: 2, compress: true };
  const file = new RotatingFile(path, rotation);
  const chunk = Buffer.from(`${"y".repeat(99)}\n`.repeat(655));
  await writeAll(file, Buffer.concat(Array.from({ length: 80 }, () => chunk)));
  const names = readdirSync(parent).toSorted();
  assert.equal(names.length, 3);
  for (const name of names.slice(0, 2)) {
    assert.match(name, /^etcd-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log\.gz$/);
    const text = gunzipSync(readFileSync(join(parent, name)));
    assert.equal(text.length % 100, 0);
    assert.ok(text.length <= 1024 * 1024 && text.length > 1024 * 1024 - 100, `${text.length}`);
  }
  assert.ok(readFileSync(path).length <= 1024 * 1024);
});

test("a log continues in the file it finds", async () => {
  const path = join(dir, "again.log");
  closeSync(openSync(path, "a"));
  for (const line of ["one\n", "two\n"]) {
    const file = new RotatingFile(path, ROTATION_DEFAULTS);
    await writeAll(file, Buffer.from(line));
  }
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
});

test("rotation loses and reorders nothing", async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 300_000 }), { maxLength: 20 });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(sizes, async (lengths) => {
      const path = join(dir, `run-${run++}`, "a.log");
      const file = new RotatingFile(path, { ...ROTATION_DEFAULTS, maxsize: 1 });
      const lines = lengths.map((length, i) => `${String(i).padEnd(length, ".")}\n`);
      await writeAll(file, Buffer.from(lines.join("")));
      if (lines.length === 0) return;
      const parent = join(path, "..");
      const names = readdirSync(parent).toSorted();
      const texts = names.map((name) => readFileSync(join(parent, name), "utf8"));
      assert.equal(texts.join(""), lines.join(""));
    }),
    { numRuns: 20 },
  );
});
