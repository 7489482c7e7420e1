import assert from "node:assert/strict";
import { constants } from "node:fs";
import { test } from "node:test";
import { bytesToHex, Prng } from "../base/index.ts";
import { BoltError, type Commit, type Db, writeMeta } from "../bolt/index.ts";
import { pagesInUse } from "../bolt/testing.ts";
import { defragment } from "./defragment.ts";
import { DiskError, type FileIo } from "./file-io.ts";
import { MemoryFiles, systemError } from "./memory-files.ts";
import { commitTo, PageFile, runWithPages, withPages } from "./page-file.ts";

const PATH = "/db";
/** Files in memory are slow to change their size. */
const GROWTH_BYTES = 65536;

/** What a database holds: bucket and key to value. */
type Content = ReadonlyMap<string, string>;

function keyOf(number: number): Uint8Array {
  const key = Buffer.alloc(number % 50 === 0 ? 300 : 4, number);
  key.writeUInt32BE(number);
  return key;
}

/** A database with a plain map beside it. */
class Writer {
  readonly file: PageFile;
  readonly db: Db;
  readonly content = new Map<string, string>();

  private constructor(file: PageFile, db: Db) {
    this.file = file;
    this.db = db;
  }

  static async open(io: FileIo, options: object = {}): Promise<Writer> {
    const file = await PageFile.open(PATH, { io, growthBytes: GROWTH_BYTES, ...options });
    const db = await file.openDb();
    await runWithPages(file, () => db.recoverFreePages());
    const writer = new Writer(file, db);
    for (const [key, value] of await contentOf(file, db)) writer.content.set(key, value);
    return writer;
  }

  /** Puts and deletes at random. */
  async change(random: Prng, operations: number): Promise<void> {
    for (let i = 0; i < operations; i++) {
      const name = random.oneIn(4) ? "lease" : "key";
      const key = keyOf(random.below(2000));
      const value = Buffer.alloc(random.oneIn(60) ? 9000 : random.below(80), random.below(256));
      const isDelete = random.oneIn(3);
      await withPages(this.file, () => {
        const bucket = this.db.bucket(name);
        if (isDelete) bucket.delete(key);
        else bucket.put(key, value);
      });
      if (isDelete) this.content.delete(`${name} ${bytesToHex(key)}`);
      else this.content.set(`${name} ${bytesToHex(key)}`, bytesToHex(value));
    }
  }

  /** Deletes most of what there is. */
  async empty(random: Prng): Promise<void> {
    for (const entry of this.content.keys()) {
      if (random.oneIn(10)) continue;
      const [name, key] = entry.split(" ");
      const bucket = await withPages(this.file, () => this.db.bucket(name!));
      await withPages(this.file, () => bucket.delete(Buffer.from(key!, "hex")));
      this.content.delete(entry);
    }
  }

  async verify(): Promise<void> {
    sameContent(await contentOf(this.file, this.db), this.content);
    const check = this.db.check();
    await runWithPages(this.file, () => check.run());
    assert.deepEqual(check.problems, []);
  }
}

async function contentOf(file: PageFile, db: Db): Promise<Content> {
  const content = new Map<string, string>();
  for (const name of await withPages(file, () => db.bucketNames())) {
    const cursor = (await withPages(file, () => db.bucket(name))).cursor();
    let found = await withPages(file, () => cursor.first());
    for (; found; found = await withPages(file, () => cursor.next())) {
      content.set(`${name} ${bytesToHex(cursor.key)}`, bytesToHex(cursor.value));
    }
  }
  return content;
}

const sorted = (content: Content) => [...content].toSorted(([a], [b]) => (a < b ? -1 : 1));

function sameContent(content: Content, expected: Content): void {
  assert.deepEqual(sorted(content), sorted(expected));
}

function bound(files: FileIo): FileIo {
  const names = ["open", "close", "read", "readSync", "write", "sync", "truncate", "size"] as const;
  const others = ["rename", "unlink", "mkdir", "readdir"] as const;
  const calls = [...names, ...others].map((name) => [
    name,
    (files[name] as (...parameters: unknown[]) => unknown).bind(files),
  ]);
  return Object.fromEntries(calls) as unknown as FileIo;
}

for (const synchronous of [true, false]) {
  const how = synchronous ? "read at once" : "that must be fetched first";
  test(`a file with few pages in memory, ${how}, holds what was put`, async () => {
    const random = new Prng(7);
    const io = bound(new MemoryFiles());
    for (let opening = 0; opening < 3; opening++) {
      const writer = await Writer.open(io, { synchronous, cacheBytes: 100_000 });
      for (let commit = 0; commit < 4; commit++) {
        await writer.change(random, 300);
        await commitTo(writer.file, writer.db);
      }
      await writer.verify();
      await writer.file.close();
    }
  });
}

test("whatever survives a power loss at any moment is the last durable commit or the next", async () => {
  let cuts = 0;
  const watched = (files: MemoryFiles): FileIo => ({
    ...bound(files),
    truncate: async (fd, length) => {
      if (length < (await files.size(fd))) cuts++;
      return files.truncate(fd, length);
    },
  });
  for (let seed = 1; seed <= 35; seed++) {
    const random = new Prng(seed);
    let disk = new MemoryFiles();
    let acknowledged: Content = new Map();
    for (let life = 0; life < 4; life++) {
      const states = [acknowledged];
      const io = losingPower(watched(disk), 1 + random.below(60));
      const living = liveUntilPowerLoss(io, random, states);
      await assert.rejects(living, (error: Error) => error.message.includes("power"));
      disk = disk.afterPowerLoss(() => random.oneIn(2));
      const found = await Writer.open(bound(disk));
      await found.verify();
      const place = states.findLastIndex((state) => isSame(state, found.content));
      assert.ok(place >= states.length - 2, `seed ${seed}: neither of the last two commits`);
      acknowledged = states[place]!;
      await found.file.close();
    }
  }
  assert.ok(cuts > 20, `the file was cut ${cuts} times`);
});

const isSame = (a: Content, b: Content) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

/**
 * Commits for ever, and makes the file smaller and larger. `states` gets the content of every
 * commit as it begins to be written.
 */
async function liveUntilPowerLoss(io: FileIo, random: Prng, states: Content[]): Promise<void> {
  const writer = await Writer.open(io, { cacheBytes: 50_000, growthBytes: 16_384 });
  for (;;) {
    if (random.oneIn(8)) await writer.empty(random);
    else await writer.change(random, 1 + random.below(100));
    if (random.oneIn(3)) writer.db.defragment();
    await runWithPages(writer.file, () => writer.db.shrink(1 + random.below(30)));
    states.push(new Map(writer.content));
    if (states.length > 2) states.shift();
    await commitTo(writer.file, writer.db);
    // Durable: what was before is not to come back.
    states.splice(0, states.length - 1);
  }
}

/** Files whose n-th write, sync or truncate is the last call that does something. */
function losingPower(files: FileIo, calls: number): FileIo {
  let left = calls;
  const guard = <P extends unknown[], R>(call: (...parameters: P) => Promise<R>) => {
    return async (...parameters: P): Promise<R> => {
      if (left-- <= 0) throw new Error("no power");
      const result = await call(...parameters);
      if (left === 0) throw new Error("no power");
      return result;
    };
  };
  const { write, sync, truncate } = files;
  return { ...files, write: guard(write), sync: guard(sync), truncate: guard(truncate) };
}

type Call = "write" | "sync" | "truncate";

/** Files of which one call fails, the n-th of its kind from now on. */
function failing(files: FileIo, name: Call, nth: number, code: string): FileIo {
  let left = nth;
  const call = files[name] as (...parameters: unknown[]) => Promise<unknown>;
  const failingCall = async (...parameters: unknown[]) => {
    if (--left === 0) throw systemError(code, name, PATH);
    return call(...parameters);
  };
  return { ...files, [name]: failingCall };
}

const FAILURES: [Call, number, string, RegExp][] = [
  // The first two writes and syncs, and the sync of the directory, make the new file.
  ["write", 3, "ENOSPC", /^write \/db at offset \d+: ENOSPC/],
  ["write", 4, "EIO", /^write \/db at offset \d+: EIO/],
  ["sync", 4, "EIO", /^sync \/db: EIO/],
  ["sync", 5, "EIO", /^sync \/db: EIO/],
  ["truncate", 2, "ENOSPC", /^resize \/db: ENOSPC/],
];

for (const [call, nth, code, text] of FAILURES) {
  test(`${code} in ${call} ${nth} is fatal: said with its place, and nothing is done after`, async () => {
    const files = new MemoryFiles();
    const writer = await Writer.open(failing(bound(files), call, nth, code));
    await writer.change(new Prng(1), 200);
    const committing = commitTo(writer.file, writer.db);
    await assert.rejects(committing, (error) => {
      assert.ok(error instanceof DiskError && error.code === code);
      assert.match(error.message, text);
      return true;
    });
    await assert.rejects(writer.file.write({} as Commit), DiskError);
    await assert.rejects(writer.file.load(2), DiskError);
    await assert.rejects(writer.file.readRaw(0, 1), DiskError);
    const found = await Writer.open(bound(files));
    assert.ok(found.content.size === 0 || isSame(found.content, writer.content));
  });
}

test("a write that takes only a part of its bytes is continued", async () => {
  const files = new MemoryFiles();
  const io = bound(files);
  const write: FileIo["write"] = (fd, bytes, position) =>
    io.write(fd, bytes.subarray(0, Math.max(1, bytes.length >>> 1)), position);
  const writer = await Writer.open({ ...io, write });
  await writer.change(new Prng(2), 300);
  await commitTo(writer.file, writer.db);
  const found = await Writer.open(io);
  sameContent(found.content, writer.content);
});

test("pages of a commit are read from memory until it is durable", async () => {
  const io = bound(new MemoryFiles());
  let release = () => {};
  let isHeld = false;
  const write: FileIo["write"] = async (fd, bytes, position) => {
    if (isHeld) await new Promise<void>((resolve) => (release = resolve));
    return io.write(fd, bytes, position);
  };
  const writer = await Writer.open({ ...io, write });
  await writer.change(new Prng(3), 500);
  isHeld = true;
  const commit = await runWithPages(writer.file, function* () {
    const commit = yield* writer.db.commit();
    return { commit, durable: writer.file.write(commit!) };
  });
  sameContent(await contentOf(writer.file, writer.db), writer.content);
  await writer.change(new Prng(4), 100);
  sameContent(await contentOf(writer.file, writer.db), writer.content);
  isHeld = false;
  release();
  await commit.durable;
  writer.db.committed(commit.commit!.txid);
  await commitTo(writer.file, writer.db);
  await writer.verify();
});

test("a page that is written while it is being fetched is not kept as it was before", async () => {
  const io = bound(new MemoryFiles());
  let release: (() => void) | undefined;
  let holdsReads = false;
  const read: FileIo["read"] = async (fd, bytes, position) => {
    const count = await io.read(fd, bytes, position);
    if (!holdsReads) return count;
    holdsReads = false;
    await new Promise<void>((resolve) => (release = resolve));
    return count;
  };
  const writer = await Writer.open({ ...io, read }, { synchronous: false });
  await writer.change(new Prng(6), 300);
  await commitTo(writer.file, writer.db);
  const { page, bytes } = await leafOf(writer.file);
  holdsReads = true;
  const loaded = writer.file.load(page);
  while (release === undefined) await new Promise((resolve) => setImmediate(resolve));
  const changed = bytes.slice().fill(9, 16);
  const meta = { page: 0, bytes: await writer.file.readRaw(0, 4096) };
  const sizeInPages = writer.db.sizeInPages;
  await writer.file.write({ pages: [{ page, bytes: changed }], meta, sizeInPages, txid: 9 });
  release();
  await loaded;
  assert.equal(writer.file.source.read(page), undefined);
  await writer.file.load(page);
  assert.deepEqual(Buffer.from(writer.file.source.read(page)!), Buffer.from(changed));
});

test("a defragmented file ends close behind its last page, and holds what it held", async () => {
  const files = new MemoryFiles();
  const writer = await Writer.open(bound(files));
  await writer.change(new Prng(8), 3000);
  await commitTo(writer.file, writer.db);
  const before = files.contents(PATH).length;
  await writer.empty(new Prng(9));
  await defragment(writer.file, writer.db);
  const needed = writer.db.sizeInPages * 4096;
  assert.ok(needed < before / 4, `${needed} of ${before} bytes`);
  assert.ok(files.contents(PATH).length <= needed + 1.5 * GROWTH_BYTES + 4096);
  await writer.verify();
  await writer.file.close();
  const again = await Writer.open(bound(files));
  sameContent(again.content, writer.content);
});

test("a long cut is made in pieces, for the log waits for each", async () => {
  const io = bound(new MemoryFiles());
  const sizes: number[] = [];
  const truncate = (fd: number, bytes: number) => {
    sizes.push(bytes);
    return io.truncate(fd, bytes);
  };
  await (await Writer.open(io)).file.close();
  await io.truncate(await io.open(PATH, constants.O_RDWR), 20_000_000);
  const { file, db } = await Writer.open({ ...io, truncate });
  const before = file.sizeBytes;
  await file.shrink(db.readInPages);
  const cuts = sizes.map((bytes, i) => (sizes[i - 1] ?? before) - bytes);
  assert.ok(cuts.length >= 4 && cuts.every((bytes) => bytes > 0 && bytes <= 4 * 1024 * 1024));
  assert.ok(file.sizeBytes < 100_000, "nothing is left to be cut");
});

test("whoever reads ahead while the file is cut reads no further than the cut", async () => {
  const files = new MemoryFiles();
  const io = bound(files);
  const writer = await Writer.open(io);
  await writer.change(new Prng(8), 3000);
  await commitTo(writer.file, writer.db);
  await writer.file.close();
  await io.truncate(await io.open(PATH, constants.O_RDWR), 1_000_000);
  let isCut = () => {};
  const cut = new Promise<void>((resolve) => (isCut = resolve));
  const truncate = async (fd: number, bytes: number) => {
    await io.truncate(fd, bytes);
    await cut;
  };
  const { file, db } = await Writer.open({ ...io, truncate });
  const shrunk = file.shrink(db.readInPages);
  for (let page = 2; page < db.sizeInPages; page++) file.source.readFirst!(page);
  isCut();
  await shrunk;
});

test("the file keeps what a pinned commit may read, until it is released", async () => {
  const files = new MemoryFiles();
  const writer = await Writer.open(bound(files));
  await writer.change(new Prng(8), 3000);
  await commitTo(writer.file, writer.db);
  const pin = writer.db.pin();
  const image = await writer.file.readRaw(8192, (pin.sizeInPages - 2) * 4096);
  await writer.empty(new Prng(9));
  await defragment(writer.file, writer.db);
  const now = await writer.file.readRaw(8192, (pin.sizeInPages - 2) * 4096);
  const source = new Map<number, Uint8Array>();
  for (let page = 2; page < pin.sizeInPages; page++) {
    const at = (page - 2) * 4096;
    source.set(page, image.subarray(at, at + (1 + image[at + 12]!) * 4096));
  }
  const uses = pagesInUse({ read: (id) => source.get(id) }, pin.meta);
  for (let page = 2; page < pin.sizeInPages; page++) {
    const [from, to] = [(page - 2) * 4096, (page - 1) * 4096];
    if (!uses(page)) continue;
    assert.ok(Buffer.from(now.subarray(from, to)).equals(image.subarray(from, to)));
  }
  pin.release();
  await defragment(writer.file, writer.db);
  assert.ok(writer.file.sizeBytes < (pin.sizeInPages * 4096) / 2);
  await writer.verify();
});

test("a page that was missed and is gone when it is fetched is not fetched", async () => {
  const files = new MemoryFiles();
  const io = bound(files);
  let overtake = async () => {};
  const read: FileIo["read"] = async (fd, bytes, position) => {
    const first = overtake;
    overtake = async () => {};
    await first();
    return Math.max(1, await io.read(fd, bytes, position));
  };
  const writer = await Writer.open({ ...io, read }, { synchronous: false, cacheBytes: 50_000 });
  await writer.change(new Prng(8), 3000);
  await commitTo(writer.file, writer.db);
  const { sizeInPages } = writer.db;
  await writer.empty(new Prng(9));
  overtake = () => defragment(writer.file, writer.db);
  await writer.file.load(sizeInPages - 3);
  assert.ok(writer.file.sizeBytes < (sizeInPages - 3) * 4096);
  assert.equal(writer.file.source.read(sizeInPages - 3), undefined);
  await writer.verify();
});

/** Some leaf of one page. */
async function leafOf(file: PageFile): Promise<{ page: number; bytes: Uint8Array }> {
  for (let page = 2; ; page++) {
    const bytes = await file.readRaw(page * file.pageSize, file.pageSize);
    if (bytes[8] === 2 && bytes[12] === 0) return { page, bytes };
  }
}

test("pages that lie side by side are written in few pieces", async () => {
  const io = bound(new MemoryFiles());
  let writes = 0;
  const write: FileIo["write"] = (fd, bytes, position) => {
    writes++;
    return io.write(fd, bytes, position);
  };
  const writer = await Writer.open({ ...io, write });
  const bucket = writer.db.bucket("key", { fillPercent: 0.9 });
  for (let number = 0; number < 5000; number++) bucket.put(keyOf(number), new Uint8Array(200));
  writes = 0;
  await commitTo(writer.file, writer.db);
  assert.ok(writer.db.sizeInPages > 300);
  assert.ok(writes < 12, `${writes} writes`);
});

test("a new file is grown in steps, and one whose making was cut off is made anew", async () => {
  const files = new MemoryFiles();
  files.addFile(PATH, new Uint8Array(3 * 4096));
  const writer = await Writer.open(bound(files), { growthBytes: 1_000_000 });
  assert.equal(writer.file.sizeBytes, 3 * 4096);
  await writer.change(new Prng(1), 10);
  await commitTo(writer.file, writer.db);
  assert.ok(files.contents(PATH).length > 1_000_000);
});

const FOREIGN: [string, Uint8Array, RegExp][] = [
  ["text", new Uint8Array(20_000).fill(65), /\/db: no valid meta page: page 0: not a bbolt file/],
  ["a short text", new Uint8Array(20).fill(65), /page 0: the page is missing/],
  ["zeros beyond a new file's size", new Uint8Array(9 * 4096), /no valid meta page/],
];

for (const [what, bytes, text] of FOREIGN) {
  test(`a file with ${what} is refused and left alone`, async () => {
    const files = new MemoryFiles();
    files.addFile(PATH, bytes.slice());
    const file = await PageFile.open(PATH, { io: bound(files) });
    await assert.rejects(file.openDb(), (error: Error) => {
      assert.ok(error instanceof BoltError);
      assert.match(error.message, text);
      return true;
    });
    assert.deepEqual(files.contents(PATH), bytes);
  });
}

for (const pageSize of [1024, 16384]) {
  test(`pages of ${pageSize} bytes are found, also by the second meta alone`, async () => {
    const image = new Uint8Array(3 * pageSize);
    const meta = { pageSize, root: 2, freelist: -1, sizeInPages: 3, txid: 8 };
    writeMeta(image.subarray(0, pageSize), 0, meta);
    writeMeta(image.subarray(pageSize, 2 * pageSize), 1, { ...meta, txid: 7 });
    image.set([2, 0, 0, 0, 0, 0, 0, 0, 2], 2 * pageSize);
    for (const isTorn of [false, true]) {
      if (isTorn) image.fill(0, 0, 100);
      const files = new MemoryFiles();
      files.addFile(PATH, image.slice());
      const file = await PageFile.open(PATH, { io: bound(files) });
      assert.equal((await file.openDb()).pageSize, pageSize);
    }
  });
}

test("a run of pages that claims more than the file has is refused by name", async () => {
  const files = new MemoryFiles();
  const writer = await Writer.open(bound(files));
  await writer.change(new Prng(5), 300);
  await commitTo(writer.file, writer.db);
  const root = writer.db.sizeInPages - 1;
  new DataView(files.contents(PATH).buffer).setUint32(root * 4096 + 12, 0x7fff_ffff, true);
  const file = await PageFile.open(PATH, { io: bound(files) });
  assert.throws(() => file.source.read(root), /page \d+ at offset \d+ of \/db claims \d+ bytes/);
});

test("the lock is taken before anything is read, and a refused file is closed", async () => {
  const files = bound(new MemoryFiles());
  const calls: string[] = [];
  const io: FileIo = {
    ...files,
    size: (fd) => (calls.push("size"), files.size(fd)),
    close: (fd) => (calls.push("close"), files.close(fd)),
  };
  const lock = async () => {
    calls.push("lock");
  };
  await PageFile.open(PATH, { io, lock });
  const refusal = () => Promise.reject(new Error("held"));
  await assert.rejects(PageFile.open(PATH, { io, lock: refusal }), /held/);
  assert.deepEqual(calls, ["lock", "size", "close"]);
});
