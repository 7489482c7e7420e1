import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesToHex, equalBytes } from "../base/index.ts";
import { EMPTY_CONF_STATE, type Entry } from "../proto/index.ts";
import { Frame, RECORD, WalError } from "../wal/index.ts";
import type { FileIo } from "./file-io.ts";
import { MemoryFiles } from "./memory-files.ts";
import { createWal, type OpenedWal, openWal } from "./wal-files.ts";

// Every cut and every flip of one bit in the last 4 KiB of a log. What may come of it: the log is
// refused by file and offset; or, when the damage is in its very last record and seems to be a torn
// write, it holds what the records before say. QUORD_WAL_DAMAGE=all tries each, otherwise some.

const STEP = process.env["QUORD_WAL_DAMAGE"] === "all" ? 1 : 23;
const LAST_BYTES = 4096;
const DIRECTORY = "/wal";
const confState = { ...EMPTY_CONF_STATE, voters: [7n], learners: [8n] };

/** A log of records of all kinds and many lengths, in two segments. */
async function writeLog(): Promise<MemoryFiles> {
  const files = new MemoryFiles();
  const at = { directory: DIRECTORY, io: files };
  let wal = await createWal({ ...at, segmentBytes: 2000 }, { nodeId: 7n, clusterId: 9n });
  let index = 0;
  for (let batch = 0; batch < 26; batch++) {
    const term = 1 + (batch >>> 3);
    const entries: Entry[] = [];
    for (let i = 0; i < 1 + (batch % 4); i++) {
      const type = batch % 7 === 3 ? 1 : 0;
      const data = new Uint8Array(batch % 5 === 4 ? 0 : 8 + 29 * ((batch + i) % 11));
      entries.push({ term, index: ++index, type, data: data.map((_, at) => at * 7 + index) });
    }
    const vote = batch % 2 === 0 ? 0n : 7n;
    await wal.append({ entries, hardState: { term, vote, commit: index }, mustSync: true });
    if (batch === 20) await wal.saveSnapshot({ index: index - 3, term: 3, confState });
    if (batch !== 8) continue;
    await wal.close();
    wal = (await openWal({ ...at, segmentBytes: 64_000 })).wal;
  }
  await wal.close();
  return files;
}

/** All that a log holds, as a text to compare. */
async function historyOf(opened: OpenedWal): Promise<string> {
  const { hardState, snapshot } = opened;
  const lines = [`snapshot ${snapshot.index}, state ${Object.values(hardState ?? {})}`];
  for await (const slice of opened.entries()) {
    for (const each of slice) {
      lines.push(`${each.index} ${each.term} ${each.type} ${bytesToHex(each.data)}`);
    }
  }
  return lines.join("\n");
}

/** A copy of the log with another last segment. */
function withSegment(log: Log, bytes: Uint8Array): MemoryFiles {
  const files = new MemoryFiles();
  files.addDirectory(DIRECTORY);
  for (const [name, contents] of log.others) files.addFile(`${DIRECTORY}/${name}`, contents);
  files.addFile(`${DIRECTORY}/${log.last}`, bytes);
  return files;
}

interface Log {
  readonly others: readonly (readonly [string, Uint8Array])[];
  readonly last: string;
  readonly bytes: Uint8Array;
  /** Where the records of the last segment begin, and where the last one ends. */
  readonly ends: readonly number[];
}

async function loadLog(): Promise<Log> {
  const files = await writeLog();
  const names = (await files.readdir(DIRECTORY)).filter((name) => name.endsWith(".wal")).toSorted();
  const last = names.pop()!;
  const whole = files.contents(`${DIRECTORY}/${last}`);
  const frame = new Frame();
  const ends = [0];
  for (let at = 0; at < whole.length && frame.parse(whole, at, whole.length) === "record"; ) {
    at = frame.end;
    ends.push(at);
  }
  const bytes = whole.slice(0, ends.at(-1));
  const others = names.map((name) => [name, files.contents(`${DIRECTORY}/${name}`)] as const);
  return { others, last, bytes, ends };
}

/** What a log holds whose last segment ends after so many records. */
async function prefixes(log: Log): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const end of log.ends.slice(2)) {
    const opened = await openWal(options(withSegment(log, log.bytes.slice(0, end))));
    assert.equal(opened.repaired, undefined);
    found.set(end, await historyOf(opened));
    await opened.wal.close();
  }
  return found;
}

function options(io: FileIo) {
  return { directory: DIRECTORY, io, segmentBytes: 64_000 };
}

async function open(log: Log, bytes: Uint8Array): Promise<OpenedWal | WalError> {
  try {
    return await openWal(options(withSegment(log, bytes)));
  } catch (error) {
    assert.ok(error instanceof WalError, String(error));
    assert.match(error.message, /in [0-9a-f]{16}-[0-9a-f]{16}\.wal at offset \d+$/);
    return error;
  }
}

const log = await loadLog();
const history = await prefixes(log);
const { lastIndex } = await openWal(options(withSegment(log, log.bytes)));

test("the log under test has more than 4 KiB in its last segment, and all records", () => {
  assert.ok(log.bytes.length > LAST_BYTES, `${log.bytes.length} bytes`);
  assert.equal(log.others.length, 1);
});

test("every cut leaves what the whole records before it say", async () => {
  for (let cut = log.bytes.length - LAST_BYTES; cut < log.bytes.length; cut += STEP) {
    for (const zeros of [0, 1000]) {
      const bytes = new Uint8Array(cut + zeros);
      bytes.set(log.bytes.subarray(0, cut));
      const opened = await open(log, bytes);
      assert.ok(!(opened instanceof WalError), `cut at ${cut}: ${opened}`);
      assert.equal(await historyOf(opened), history.get(soundEnd(bytes)), `cut at ${cut}`);
      await opened.wal.close();
    }
  }
});

/** Where the last record ends that is as it was: zeros may stand for zeros that were cut. */
function soundEnd(bytes: Uint8Array): number {
  return log.ends.findLast((end) => {
    return equalBytes(bytes.subarray(0, end), log.bytes.subarray(0, end));
  })!;
}

test("every flipped bit is refused, but in the last record, which may be dropped", async () => {
  const lastStart = log.ends.at(-2)!;
  let dropped = 0;
  for (let bit = (log.bytes.length - LAST_BYTES) * 8; bit < log.bytes.length * 8; bit += STEP) {
    const bytes = log.bytes.slice();
    bytes[bit >>> 3]! ^= 1 << (bit & 7);
    const opened = await open(log, bytes);
    if (opened instanceof WalError) continue;
    assert.ok(bit >>> 3 >= lastStart, `bit ${bit & 7} of byte ${bit >>> 3} went unnoticed`);
    assert.equal(await historyOf(opened), history.get(lastStart));
    dropped++;
    await opened.wal.close();
  }
  assert.ok(dropped > 0);
});

test("the last record is dropped or refused whatever its kind", async () => {
  for (const type of [RECORD.entry, RECORD.state, RECORD.snapshot]) {
    const last = log.ends.findLastIndex((end) => log.bytes[end + 9] === type);
    const [start, end] = [log.ends[last]!, log.ends[last + 1]!];
    for (let bit = start * 8; bit < end * 8; bit += Math.max(1, STEP >> 2)) {
      const bytes = log.bytes.slice(0, end);
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
      const opened = await open(log, bytes);
      if (opened instanceof WalError) continue;
      assert.equal(await historyOf(opened), history.get(start));
      await opened.wal.close();
    }
  }
});

test("a flipped bit in prepared space behind the records loses nothing", async () => {
  const end = log.bytes.length;
  for (let bit = 0; bit < 4096; bit += STEP) {
    const bytes = new Uint8Array(end + 512);
    bytes.set(log.bytes);
    bytes[end + (bit >>> 3)]! ^= 1 << (bit & 7);
    const opened = await open(log, bytes);
    assert.ok(!(opened instanceof WalError), `${opened}`);
    assert.equal(await historyOf(opened), history.get(end));
    await opened.wal.close();
  }
});

test("bytes changed anywhere are refused or dropped, and nothing else goes wrong", async () => {
  const change = fc.record({ at: fc.nat(log.bytes.length - 1), length: fc.nat(700) });
  const damage = fc.record({
    cut: fc.nat(log.bytes.length),
    zeroed: fc.array(change, { maxLength: 2 }),
    bytes: fc.array(fc.tuple(fc.nat(log.bytes.length - 1), fc.nat(255)), { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ cut, zeroed, bytes }) => {
      const damaged = log.bytes.slice(0, cut % 3 === 0 ? cut : undefined);
      for (const { at, length } of zeroed) damaged.fill(0, at, at + length);
      for (const [at, byte] of bytes) if (at < damaged.length) damaged[at] = byte;
      const opened = await open(log, damaged);
      if (opened instanceof WalError) return;
      assert.equal(await historyOf(opened), history.get(soundEnd(damaged)));
      await opened.wal.close();
    }),
  );
});

/**
 * Adds a write of several records to a log: entries, a hard state that has none of them committed,
 * and a snapshot position. They leave together, as they come while another write is under way.
 */
async function withWrite(
  log: Log,
  entryBytes: number,
): Promise<{ bytes: Uint8Array; start: number }> {
  const files = withSegment(log, log.bytes.slice());
  const { wal, lastIndex, hardState } = await openWal(options(files));
  const entries = [1, 2, 3, 4].map((i) => {
    return { term: 9, index: lastIndex + i, type: 0, data: new Uint8Array(entryBytes).fill(i) };
  });
  const state = { ...hardState!, term: 9 };
  const first = wal.append({ entries: [], hardState: state, mustSync: true });
  const second = wal.append({ entries, hardState: state, mustSync: true });
  const third = wal.saveSnapshot({ index: lastIndex, term: 3, confState });
  await Promise.all([first, second, third]);
  await wal.close();
  const whole = files.contents(`${DIRECTORY}/${log.last}`);
  const bytes = whole.slice(0, (whole.findLastIndex((byte) => byte !== 0) + 8) & ~7);
  const frame = new Frame();
  frame.parse(bytes, log.bytes.length, bytes.length);
  return { bytes, start: frame.end };
}

/** The log without sectors of its last write: those of the set, counted from where it begins. */
function withoutSectors(bytes: Uint8Array, start: number, missing: number): Uint8Array {
  const found = bytes.slice();
  for (let sector = start >>> 9; sector << 9 < bytes.length; sector++) {
    const isMissing = (missing >>> (sector - (start >>> 9))) & 1;
    if (isMissing) found.fill(0, Math.max(start, sector << 9), (sector + 1) << 9);
  }
  return found;
}

test("a last write of several records may lack any of its sectors, and is cut at the first", async () => {
  for (const entryBytes of [90, 400]) {
    const { bytes, start } = await withWrite(log, entryBytes);
    const sectors = ((bytes.length - 1) >>> 9) - (start >>> 9) + 1;
    for (let missing = 1; missing < 1 << sectors; missing++) {
      const opened = await open(log, withoutSectors(bytes, start, missing));
      assert.ok(!(opened instanceof WalError), `without sectors ${missing}: ${opened}`);
      const [, ...entries] = history.get(log.bytes.length)!.split("\n");
      assert.ok((await historyOf(opened)).includes(entries.join("\n")));
      assert.ok(opened.lastIndex < 4 + lastIndex || missing >>> (sectors - 1) === 1);
      await opened.wal.close();
    }
  }
});

test("a sector that is missing before a later write is refused", async () => {
  const first = await withWrite(log, 400);
  const { bytes } = await withWrite({ ...log, bytes: first.bytes }, 90);
  for (let sector = 1; first.start + sector * 512 < first.bytes.length; sector++) {
    const opened = await open(log, withoutSectors(bytes, first.start, 1 << sector));
    assert.ok(opened instanceof WalError, `without sector ${sector}`);
  }
});

test("a repaired log takes new entries and opens whole", async () => {
  for (const end of [log.ends.at(-1)!, log.ends.at(-3)!]) {
    const files = withSegment(log, log.bytes.slice(0, end - 3));
    const opened = await openWal(options(files));
    const entry = { term: 9, index: opened.lastIndex + 1, type: 0, data: new Uint8Array(3000) };
    await opened.wal.append({ entries: [entry], hardState: undefined, mustSync: true });
    await opened.wal.close();
    const again = await openWal(options(files));
    assert.equal(again.repaired, undefined);
    const lines = (await historyOf(again)).split("\n");
    assert.equal(lines.at(-1), `${entry.index} 9 0 ${bytesToHex(entry.data)}`);
    await again.wal.close();
  }
});
