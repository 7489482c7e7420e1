/**
 * Builds what users run: one bundled file per command in dist/. Development and tests need no
 * build, because Node runs the TypeScript sources as they are.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { callers } from "./callers.ts";
import { serverLoader, toolLoader } from "./loaders.ts";

const COMMANDS = {
  quord: "src/server/main.ts",
  quordctl: "src/ctl/main.ts",
  quordutl: "src/utl/main.ts",
};

const root = new URL("..", import.meta.url).pathname;

rmSync(`${root}dist`, { recursive: true, force: true });
for (const [name, entry] of Object.entries(COMMANDS)) {
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: `dist/${name}.main.cjs`,
    bundle: true,
    plugins: name === "quord" ? [callers] : [],
    platform: "node",
    // CommonJS starts faster: an ECMAScript module looks at every export of each of Node's own
    // modules that it imports.
    format: "cjs",
    supported: { "dynamic-import": false },
    target: "node22.18",
    sourcemap: "linked",
    sourcesContent: false,
    define: { "import.meta.filename": "__filename", "import.meta.dirname": "__dirname" },
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "linked",
    logLevel: "warning",
  });
  const loader = `${root}dist/${name}.cjs`;
  const bundle = readFileSync(`${root}dist/${name}.main.cjs`);
  const digest = createHash("sha256").update(bundle).digest("hex").slice(0, 16);
  writeFileSync(loader, name === "quord" ? serverLoader(name) : toolLoader(name, digest));
  // A first run fills the cache, so that users who may not write there have one, too.
  execFileSync(process.execPath, [loader, "--help"], { stdio: "ignore" });
}
// The one library in a bundle; its license asks to come along.
copyFileSync(`${root}node_modules/yaml/LICENSE`, `${root}dist/yaml.LICENSE`);
