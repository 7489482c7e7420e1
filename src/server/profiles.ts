import type { Session } from "node:inspector/promises";
import { errorPage, type Page, type PageMaker, type RequestHead } from "../http/index.ts";

/**
 * `/debug/pprof/` of `--enable-pprof`: profiles of this process, made by V8. They are in the formats
 * of Chromium's developer tools (`.cpuprofile`, `.heapprofile`), not in those of Go's pprof.
 */
export const PROFILES_FOLDER = "/debug/pprof/";

const SECONDS_DEFAULT = 30;
const SECONDS_MAX = 600;

interface Profile {
  readonly about: string;
  readonly page: (head: RequestHead) => Promise<Page>;
}

const PROFILES: Readonly<Record<string, Profile>> = {
  cmdline: {
    about: "the command line of this process",
    page: async () => textPage(process.argv.join("\0")),
  },
  heap: {
    about: "where memory is allocated, sampled over ?seconds= (a .heapprofile)",
    page: (head) => profile(head, HEAP),
  },
  profile: {
    about: "where time goes, over ?seconds= (a .cpuprofile)",
    page: (head) => profile(head, CPU),
  },
};

/** The page of a path in the folder; undefined for profiles that there are not. */
export function findProfile(path: string): PageMaker | undefined {
  const name = path.slice(PROFILES_FOLDER.length);
  if (name === "") return { isGetOnly: false, make: async () => textPage(indexText()) };
  if (!Object.hasOwn(PROFILES, name)) return undefined;
  return { isGetOnly: false, make: PROFILES[name]!.page };
}

function indexText(): string {
  const lines = Object.entries(PROFILES).map(([name, { about }]) => `${name}\t${about}\n`);
  return `${PROFILES_FOLDER}\n\n${lines.join("")}`;
}

interface Kind {
  readonly file: string;
  readonly start: (session: Session) => Promise<unknown>;
  readonly stop: (session: Session) => Promise<{ profile: object }>;
}

const CPU: Kind = {
  file: "quord.cpuprofile",
  start: async (session) => {
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
  },
  stop: (session) => session.post("Profiler.stop"),
};

const HEAP: Kind = {
  file: "quord.heapprofile",
  start: (session) => session.post("HeapProfiler.startSampling"),
  stop: (session) => session.post("HeapProfiler.stopSampling"),
};

let isBusy = false;

/** One at a time: they would disturb one another. */
async function profile(head: RequestHead, kind: Kind): Promise<Page> {
  const seconds = Number(head.query.get("seconds") ?? SECONDS_DEFAULT);
  if (!(seconds > 0 && seconds <= SECONDS_MAX)) {
    return errorPage(400, `seconds must be above 0 and at most ${SECONDS_MAX}`);
  }
  if (isBusy) return errorPage(500, "Could not enable profiling: profiling already in use");
  isBusy = true;
  const { Session } = process.getBuiltinModule("node:inspector/promises");
  const session = new Session();
  session.connect();
  try {
    await kind.start(session);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const { profile: made } = await kind.stop(session);
    const fields = {
      "Content-Type": "application/json",
      "Content-Disposition": `attachment; filename="${kind.file}"`,
    };
    return { status: 200, fields, body: JSON.stringify(made) };
  } finally {
    session.disconnect();
    isBusy = false;
  }
}

function textPage(body: string): Page {
  return { status: 200, fields: { "Content-Type": "text/plain; charset=utf-8" }, body };
}
