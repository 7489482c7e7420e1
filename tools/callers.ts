/**
 * Tells each line of the log where it is written: in a bundle of one file the stack cannot. What
 * reads `logger.info(` in a source becomes `at(logger, "server/serve.ts:96").info(`.
 */
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Plugin } from "esbuild";

const CALL =
  /(?<![\w$.#?!)\]])((?:[\w$#]+[?!]?\.)*#?(?:logger|lines))(\.(?:debug|info|warn|error|fatal)|\[level\])\(/g;

/** The source with its calls of the log marked; lines stay where they are. */
export function markCallers(source: string, path: string, observe: string): string {
  const file = `${basename(dirname(path))}/${basename(path)}`;
  const marked = source
    .split("\n")
    .map((line, i) => line.replace(CALL, `logPlace($1, "${file}:${i + 1}")$2(`))
    .join("\n");
  return marked === source ? source : `import { at as logPlace } from "${observe}"; ${marked}`;
}

/** For the bundle of a program that writes such a log. */
export const callers: Plugin = {
  name: "callers",
  setup(build) {
    build.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
      const [, root, file] = /^(.*\/src\/)(.*)$/.exec(path)!;
      // The log itself is where all lines come from.
      if (file!.startsWith("observe/")) return undefined;
      const source = readFileSync(path, "utf8");
      return { contents: markCallers(source, path, `${root}observe/index.ts`), loader: "ts" };
    });
  },
};
