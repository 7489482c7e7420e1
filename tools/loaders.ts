/** The files that Node is started with: they load the bundles. Plain JavaScript, for any Node. */

/** Refuses an older Node before it stumbles over the rest. */
const head = (name: string) => `"use strict";
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    "${name} needs Node.js 22.18 or newer, this is " + process.versions.node + "\\n",
  );
  process.exit(1);
}
// The bundle runs its command when it is the file that Node was started with.
const file = (process.argv[1] = __dirname + "/${name}.main.cjs");
`;

/** For a server: V8 keeps what it compiles at the start beside the bundle. */
export const serverLoader = (name: string): string => `${head(name)}
require("node:module").enableCompileCache(__dirname + "/cache");
require(file);
`;

/**
 * For a tool, which runs for a moment only: the whole bundle is kept compiled, so that nothing is
 * left to compile, whatever the command. V8 tells a cache of another bundle by the length of the
 * source only, hence the digest in its name.
 */
export const toolLoader = (name: string, digest: string): string => `${head(name)}
const { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } = require("node:fs");
const { Script } = require("node:vm");
const source =
  "(function(exports,require,module,__filename,__dirname){" + readFileSync(file, "utf8") + "\\n})";
const cache = [__dirname + "/cache/${name}", "${digest}", process.version, process.arch].join("-");

function compile() {
  try {
    return new Script(source, { filename: file, cachedData: readFileSync(cache) });
  } catch {
    return compileWhole();
  }
}

/** Where nothing can be kept, each run compiles just what it needs. */
function compileWhole() {
  const part = cache + "." + process.pid;
  let fd;
  try {
    mkdirSync(__dirname + "/cache", { recursive: true });
    fd = openSync(part, "wx");
  } catch {
    return new Script(source, { filename: file });
  }
  const { setFlagsFromString } = require("node:v8");
  setFlagsFromString("--no-lazy");
  const script = new Script(source, { filename: file });
  setFlagsFromString("--lazy");
  const data = script.createCachedData();
  if (writeSync(fd, data) === data.length) renameSync(part, cache);
  closeSync(fd);
  return script;
}

compile().runInThisContext()(exports, require, module, file, __dirname);
`;
