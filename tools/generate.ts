/**
 * After a change of a schema in proto/: `node tools/generate.ts`. Makes src/proto/gen, the code
 * that tests hold our own codecs against, and descriptors.ts
 * in it, which the reflection service answers.
 *
 * The generator and the compiler are fetched by npm into a directory of their own and used from
 * there, so that nobody who only builds or tests has to install them.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Reader } from "../src/proto/wire.ts";

const PACKAGES = ["@bufbuild/buf@1.75.0", "@bufbuild/protoc-gen-es@2.17.0"];
const root = join(import.meta.dirname, "..");
const home = process.env.QUORD_GENERATOR_DIR ?? join(tmpdir(), "quord-generator");
const out = join(root, "src/proto/gen");

/** Without enums, and with `.ts` in imports: the result runs under type stripping. */
const template = {
  version: "v2",
  inputs: [{ directory: join(root, "proto") }],
  plugins: [
    {
      local: join(home, "node_modules/.bin/protoc-gen-es"),
      out,
      opt: ["target=ts", "import_extension=ts", "erasable_syntax=true"],
    },
  ],
};

if (!existsSync(join(home, "node_modules"))) {
  mkdirSync(home, { recursive: true });
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--prefix", home, ...PACKAGES], {
    stdio: "inherit",
  });
}
const buf = (...args: string[]): Buffer =>
  execFileSync(join(home, "node_modules/.bin/buf"), args, {
    cwd: home,
    stdio: ["ignore", "pipe", "inherit"],
  });

rmSync(out, { recursive: true, force: true });
buf("generate", "--template", JSON.stringify(template));
writeFileSync(join(out, "README.md"), "Generated from `proto/` by `tools/generate.ts`.\n");

/** The fields of an encoded message, each as its number and bytes; other wire types are skipped. */
function* byteFields(bytes: Uint8Array): Generator<[number: number, value: Uint8Array]> {
  const reader = new Reader(bytes);
  while (reader.next()) {
    if (reader.tag % 8 === 2) yield [Math.floor(reader.tag / 8), reader.view()];
    else reader.skip();
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

// google.protobuf.FileDescriptorProto: 1 name, 2 package, 3 dependency, 4 message_type (1 name,
// 3 nested_type), 5 enum_type, 6 service.
function describe(file: Uint8Array): string {
  const fields = [...byteFields(file)];
  const texts = (number: number) => fields.filter(([n]) => n === number).map(([, v]) => text(v));
  const symbols = fields
    .filter(([n]) => n >= 4 && n <= 6)
    .map(([, v]) => `${texts(2)[0]}.${text([...byteFields(v)].find(([n]) => n === 1)![1])}`);
  return JSON.stringify({
    name: texts(1)[0],
    imports: texts(3),
    symbols,
    descriptor: Buffer.from(file).toString("base64"),
  });
}

const image = buf(
  "build",
  join(root, "proto"),
  "--as-file-descriptor-set",
  "--exclude-source-info",
  "-o",
  "-",
);
const files = [...byteFields(image)].map(([, file]) => describe(file));
writeFileSync(
  join(out, "descriptors.ts"),
  `/** Generated from proto/ by tools/generate.ts: what the reflection service answers. */
export interface FileDescriptor {
  readonly name: string;
  readonly imports: readonly string[];
  /** Full names of the messages, enums and services on the file's top level. */
  readonly symbols: readonly string[];
  /** An encoded google.protobuf.FileDescriptorProto, in base64. */
  readonly descriptor: string;
}

export const FILE_DESCRIPTORS: readonly FileDescriptor[] = [
${files.join(",\n")},
];
`,
);
