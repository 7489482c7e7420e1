import assert from "node:assert/strict";
import { test } from "node:test";
import {
  boolFlag,
  type Command,
  command,
  durationFlag,
  EXIT,
  Exit,
  FlagSet,
  helpCommand,
  intFlag,
  lazy,
  type Program,
  runProgram,
  stringFlag,
  stringsFlag,
  UsageError,
} from "./index.ts";

const flags = {
  prefix: boolFlag("all with this beginning"),
  limit: intFlag("at most so many"),
  out: stringFlag("how to write", "simple", "w"),
  quiet: boolFlag("say less", false, "q"),
  endpoints: stringsFlag("where", ["here"]),
  timeout: durationFlag("how long", 5_000),
} as const;

function parse(...argv: string[]): FlagSet {
  const set = new FlagSet(flags);
  set.parse(argv);
  return set;
}

test("flags are taken in all the forms that pflag takes", () => {
  const forms: readonly (readonly [argv: string[], name: string, value: unknown])[] = [
    [["--prefix"], "prefix", true],
    [["--prefix=false"], "prefix", false],
    [["--prefix=T"], "prefix", true],
    [["--limit", "5"], "limit", 5],
    [["--limit=0x10"], "limit", 16],
    [["--limit", "-5"], "limit", -5],
    [["-w", "json"], "out", "json"],
    [["-wjson"], "out", "json"],
    [["-w=json"], "out", "json"],
    [["-qw", "json"], "out", "json"],
    [["--out="], "out", ""],
    [["--endpoints=a,b", "--endpoints", "c"], "endpoints", ["a", "b", "c"]],
    [["--timeout", "1m"], "timeout", 60_000],
  ];
  for (const [argv, name, value] of forms) {
    assert.deepEqual(parse(...argv).values[name], value, argv.join(" "));
  }
});

test("arguments may stand between flags, and behind -- everything is one", () => {
  const set = parse("a", "--prefix", "b", "-", "", "--", "--limit", "-x");
  assert.deepEqual(set.args, ["a", "b", "-", "", "--limit", "-x"]);
  assert.deepEqual([...set.given], ["prefix"]);
});

test("what cannot be read is refused in pflag's words", () => {
  const refusals: readonly (readonly [argv: string[], text: string])[] = [
    [["--bogus"], "unknown flag: --bogus"],
    [["-x"], "unknown shorthand flag: 'x' in -x"],
    [["-qx"], "unknown shorthand flag: 'x' in -x"],
    [["--limit"], "flag needs an argument: --limit"],
    [["-w"], "flag needs an argument: 'w' in -w"],
    [["--=x"], "bad flag syntax: --=x"],
    [
      ["--limit", "x"],
      'invalid argument "x" for "--limit" flag: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      ["--prefix=maybe"],
      'invalid argument "maybe" for "--prefix" flag: strconv.ParseBool: parsing "maybe": ' +
        "invalid syntax",
    ],
    [
      ["-q=maybe"],
      'invalid argument "maybe" for "-q, --quiet" flag: strconv.ParseBool: parsing "maybe": ' +
        "invalid syntax",
    ],
  ];
  for (const [argv, text] of refusals) {
    assert.throws(() => parse(...argv), new UsageError(text), argv.join(" "));
  }
});

interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function run(...argv: string[]): Promise<Run> {
  let out = "";
  let err = "";
  const say = (text: string) => {
    out += text;
  };
  const program: Program<typeof say> = {
    root: {
      use: "tool",
      short: "A tool.",
      flags: {},
      persistentFlags: { wide: boolFlag("more columns", false, "w") },
      commands: [get(), group(), helpCommand(() => program, "Others")],
    },
    groups: ["Keys", "Others"],
    rootFlagsShown: false,
    aboutShown: true,
    helpFooter: "The end.\n",
    repeatsUsageErrors: false,
    context: () => say,
    out: say,
    err: (text) => {
      err += text;
    },
  };
  const status = await runProgram(program, argv);
  return { status, out, err };
}

type Say = (text: string) => void;

function get(): Command<Say> {
  const limit = intFlag("at most so many");
  const body = command<Say, { limit: typeof limit }>({
    use: "get <key>",
    flags: { limit },
    run: ({ args, context: say }, flags) => {
      if (args.length === 0) throw new Exit(EXIT.badArgs, "get needs a key");
      say(`got ${args.join()} limit ${flags.limit}\n`);
    },
  });
  return lazy("get", "Gets a key", async () => body, "Keys");
}

function group(): Command<Say> {
  return {
    use: "lease <subcommand>",
    short: "About leases",
    group: "Keys",
    flags: {},
    commands: [
      { use: "grant", short: "Grants", flags: {}, run: ({ context: say }) => say("granted\n") },
      { use: "list", short: "Lists", flags: {}, run: ({ context: say }) => say("listed\n") },
    ],
  };
}

test("a command is found by its name or an unmistakable beginning of it", async () => {
  assert.deepEqual(await run("get", "a"), { status: 0, out: "got a limit 0\n", err: "" });
  assert.equal((await run("-w", "ge", "--limit=3", "a")).out, "got a limit 3\n");
  assert.equal((await run("lease", "g")).out, "granted\n");
  assert.equal((await run("le", "--wide", "li")).out, "listed\n");
});

test("an unknown command is refused, with those that it could have meant", async () => {
  const { status, err } = await run("gte");
  assert.equal(status, EXIT.error);
  assert.equal(
    err,
    'Error: unknown command "gte" for "tool"\n\nDid you mean this?\n\tget\n\n' +
      "Run 'tool --help' for usage.\n",
  );
});

test("a wrong flag is answered with the usage of the command", async () => {
  const { status, out, err } = await run("get", "--bogus");
  assert.equal(status, EXIT.error);
  assert.equal(out, "");
  assert.equal(
    err,
    `Error: unknown flag: --bogus
Usage:
  tool get <key> [flags]

Flags:
  -h, --help        help for get
      --limit int   at most so many

`,
  );
});

test("an exit carries its status, and its message as an error", async () => {
  assert.deepEqual(await run("get"), { status: 128, out: "", err: "Error: get needs a key\n" });
});

test("help lists commands under their headings, and groups their subcommands", async () => {
  const root = `A tool.

Usage:
  tool [command]

Keys
  get         Gets a key
  lease       About leases

Others
  help        Help about any command

Use "tool [command] --help" for more information about a command.
The end.
`;
  assert.equal((await run()).out, root);
  assert.equal((await run("--help")).out, root);
  assert.equal((await run("help")).out, root);
  const lease = `About leases

Usage:
  tool lease [command]

Available Commands:
  grant       Grants
  list        Lists

Flags:
  -h, --help   help for lease

Use "tool lease [command] --help" for more information about a command.
The end.
`;
  assert.equal((await run("lease")).out, lease);
  assert.equal((await run("help", "lease")).out, lease);
  assert.equal((await run("lease", "bogus")).out, lease);
});
