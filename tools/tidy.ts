/**
 * The house rules as a check: who may import whom, what a pure room may not say, and a few marks
 * of unfinished work. Run by `npm run check` and by a test.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";

type Kind = "pure" | "ported" | "edge";

interface Room {
  readonly kind: Kind;
  readonly imports: readonly string[] | "all";
  /** Rooms of which types may be imported, but no code. */
  readonly types?: readonly string[];
}

/** docs/ARCHITECTURE.md explains this table. */
const ROOMS: Readonly<Record<string, Room>> = {
  base: { kind: "pure", imports: [] },
  proto: { kind: "pure", imports: ["base"] },
  h2: { kind: "pure", imports: ["base"] },
  grpc: { kind: "pure", imports: ["base", "proto", "h2"] },
  raft: { kind: "pure", imports: ["base", "proto"] },
  wal: { kind: "pure", imports: ["base", "proto"] },
  bolt: { kind: "pure", imports: ["base"] },
  mvcc: { kind: "pure", imports: ["base", "proto", "bolt"] },
  lease: { kind: "pure", imports: ["base", "proto", "bolt"] },
  cluster: { kind: "pure", imports: ["base", "proto", "bolt"] },
  apply: { kind: "pure", imports: ["base", "proto", "bolt", "mvcc", "lease", "cluster"] },
  member: {
    kind: "ported",
    imports: ["base", "proto", "raft", "bolt", "apply", "mvcc", "lease", "cluster"],
  },
  rpc: {
    kind: "ported",
    imports: ["base", "proto", "grpc", "member", "apply", "mvcc", "lease", "cluster"],
  },
  disk: { kind: "edge", imports: ["base", "proto", "wal", "bolt"], types: ["member", "raft"] },
  net: { kind: "edge", imports: ["base"] },
  peer: { kind: "edge", imports: ["base", "proto", "net"], types: ["member"] },
  http: { kind: "edge", imports: ["base", "proto", "h2", "grpc", "rpc", "net"] },
  client: { kind: "edge", imports: ["base", "proto", "h2", "grpc", "net"] },
  observe: { kind: "edge", imports: ["base"] },
  keys: { kind: "edge", imports: ["base"] },
  cli: { kind: "edge", imports: ["base"] },
  ctl: { kind: "edge", imports: ["base", "proto", "client", "cli"] },
  utl: {
    kind: "edge",
    imports: ["base", "proto", "wal", "bolt", "mvcc", "cluster", "apply", "disk", "keys", "cli"],
  },
  server: { kind: "edge", imports: "all" },
};

/** Tests, and what only tests use. */
const TEST_FILE = /(\.test|testkit|testing)\.ts$/;

const COLUMNS_MAX = 100;
/** A long text cannot be broken without losing the search for it. */
const LONG_TEXT = /https?:\/\/|["'`].{50,}["'`]|`.{70,}$|\/.{50,}\//;
const FUNCTION_LINES_MAX = 70;

/** Words that let time, chance or the outside into a room that must be deterministic. */
const FORBIDDEN_IN_PURE = [
  /\bfrom "node:/,
  /\basync\b/,
  /\bawait\b/,
  /\bPromise\b/,
  /\bDate\b/,
  /\bperformance\b/,
  /\bMath\.random\b/,
  /\bcrypto\b/,
  /\bset(Timeout|Interval|Immediate)\b/,
  /\bqueueMicrotask\b/,
  /\bstructuredClone\b/,
  /\bprocess\./,
  /\bconsole\./,
];

const FORBIDDEN_IN_PORTED = FORBIDDEN_IN_PURE.filter(
  (word) => !/async|await|Promise/.test(word.source),
);

/** Base holds the one promise helper and the one place that knows Buffer. */
const EXCEPTIONS: Readonly<Record<string, RegExp>> = {
  "src/base/deferred.ts": /Promise/,
};

export function tidy(root: string): string[] {
  const files = globSync("{src,test,tools}/**/*.ts", { cwd: root })
    .filter((file) => !file.startsWith("src/proto/gen/"))
    .sort();
  const problems = files.flatMap((file) => checkFile(root, file));
  return [...problems, ...unusedFiles(root, files), ...unusedNames(root, files)];
}

function checkFile(root: string, file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  const problems: string[] = [];
  const say = (line: number, what: string) => problems.push(`${file}:${line}: ${what}`);
  const isTest = !file.startsWith("src/") || TEST_FILE.test(file);
  const roomName = file.startsWith("src/") ? file.split("/")[1]! : undefined;
  const room = roomName === undefined ? undefined : ROOMS[roomName];
  if (roomName !== undefined && room === undefined) say(1, `room ${roomName} is not in the table`);
  const lines = text.split("\n");
  for (const [i, line] of lines.entries()) {
    if (line.length > COLUMNS_MAX && !LONG_TEXT.test(line)) {
      say(i + 1, `longer than ${COLUMNS_MAX} columns`);
    }
    if (!file.endsWith("tidy.ts") && /\b(FIXME|XXX|TODO)\b|\.only\(/.test(line))
      say(i + 1, "unfinished work");
    if (room !== undefined && !isTest)
      checkWords(file, room.kind, line, (what) => say(i + 1, what));
  }
  if (room !== undefined) checkImports(file, roomName!, room, text, isTest, (what) => say(1, what));
  for (const { line, length } of longFunctions(lines)) say(line, `function of ${length} lines`);
  return problems;
}

function checkWords(file: string, kind: Kind, line: string, say: (what: string) => void): void {
  const code = line.replace(/\/\/.*|^\s*\*.*|^\s*\/\*.*/, "").replace(/"[^"]*"(?! *;?$)/g, '""');
  if (kind !== "edge") {
    const words = kind === "pure" ? FORBIDDEN_IN_PURE : FORBIDDEN_IN_PORTED;
    for (const word of words) {
      const match = word.exec(word.source.includes("node:") ? line : code);
      if (match && !EXCEPTIONS[file]?.test(match[0])) say(`"${match[0]}" in a ${kind} room`);
    }
    if (/\bBuffer\b/.test(code) && file !== "src/base/bytes.ts")
      say("Buffer outside base/bytes.ts");
  }
}

function checkImports(
  file: string,
  roomName: string,
  room: Room,
  text: string,
  isTest: boolean,
  say: (what: string) => void,
): void {
  for (const match of text.matchAll(/^(import|export)( type)?[^;]*? from "(\.[^"]+)"/gms)) {
    const target = normalize(join(dirname(file), match[3]!));
    const [top, targetRoom, ...rest] = target.split("/");
    if (top !== "src" || targetRoom === roomName || targetRoom === undefined) {
      if (top !== "src" && !isTest) say(`imports ${target}, outside src/`);
      continue;
    }
    const typeOnly = match[2] !== undefined;
    const allowed =
      room.imports === "all" ||
      room.imports.includes(targetRoom) ||
      (typeOnly && room.types?.includes(targetRoom) === true) ||
      isTest;
    if (!allowed) say(`${roomName} may not import ${targetRoom}`);
    const isFace = rest.join("/") === "index.ts";
    if (!isFace && !isTest) say(`imports ${target} past its face`);
  }
}

/** Values that a room's face shows and nobody outside the room uses. */
function unusedNames(root: string, files: readonly string[]): string[] {
  const texts = files.map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));
  return Object.keys(ROOMS).flatMap((room) => {
    const face = texts.find(({ file }) => file === `src/${room}/index.ts`);
    if (face === undefined) return [];
    const isOwn = (file: string) => file.startsWith(`src/${room}/`);
    const users = texts
      .filter(({ file }) => !isOwn(file) || TEST_FILE.test(file))
      .filter(({ file, text }) => text.includes(isOwn(file) ? '"./index.ts"' : `${room}/index.ts"`))
      .map(({ text }) => text)
      .join();
    return valuesOf(face.text)
      .filter((name) => !new RegExp(`\\b${name}\\b`).test(users))
      .map((name) => `${face.file}:1: nobody outside uses ${name}`);
  });
}

function valuesOf(face: string): string[] {
  return [...face.matchAll(/^export \{([^}]*)\} from/gm)]
    .flatMap(([, names]) => names!.split(","))
    .map((name) => name.trim().replace(/^.* as /, ""))
    .filter((name) => name !== "" && !name.startsWith("type "));
}

/** Files of src/ that nothing imports, other than tests and the three commands' entries. */
function unusedFiles(root: string, files: readonly string[]): string[] {
  const imported = new Set<string>();
  for (const file of files) {
    const text = readFileSync(join(root, file), "utf8");
    for (const match of text.matchAll(/(?:from|import\() ?"(\.[^"]+)"/g)) {
      imported.add(normalize(join(dirname(file), match[1]!)));
    }
    for (const match of text.matchAll(/new URL\("(\.[^"]+\.ts)"/g)) {
      imported.add(normalize(join(dirname(file), match[1]!)));
    }
  }
  const isEntry = (file: string) => /^src\/(server|ctl|utl)\/main\.ts$/.test(file);
  return files
    .filter((file) => file.startsWith("src/") && !TEST_FILE.test(file))
    .filter((file) => !imported.has(file) && !isEntry(file))
    .map((file) => `${file}:1: nothing imports this file`);
}

/** Starts of functions and methods; also the last line of a signature that takes several. */
const FUNCTION_START =
  /^(\s*)(?:(?:export |default |async |static |private |override |get |set )*(?:function\b.*\{$|[#*]*\w+\(.*\)(?:: .+)? \{$)|\)(?:: .+)? \{$)/;

/** Function bodies by indentation: the formatter puts the closing brace under the opening line. */
function longFunctions(lines: readonly string[]): { line: number; length: number }[] {
  const found: { line: number; length: number }[] = [];
  for (const [i, line] of lines.entries()) {
    const match = FUNCTION_START.exec(line);
    if (match === null || line.includes("=>")) continue;
    if (/^\s*(if|for|while|switch|catch|else|do)\b/.test(line)) continue;
    const closings = new Set([`${match[1]}}`, `${match[1]}},`]);
    const end = lines.findIndex((other, j) => j > i && closings.has(other));
    const length = end - i + 1;
    if (end > 0 && length > FUNCTION_LINES_MAX) found.push({ line: i + 1, length });
  }
  return found;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  if (!existsSync(join(root, "src"))) throw new Error("run tidy in a checkout");
  const problems = tidy(root);
  for (const problem of problems)
    process.stderr.write(`${relative(process.cwd(), root) || ""}${problem}\n`);
  process.exit(problems.length === 0 ? 0 : 1);
}
