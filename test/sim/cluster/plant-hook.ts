/** Loaded before everything else: plants the bug that is named by the environment. */
import { registerHooks } from "node:module";
import { PLANTS } from "./plants.ts";

const name = process.env["QUORD_SIM_PLANT"];
const plant = PLANTS.find((candidate) => candidate.name === name);
if (plant === undefined) throw new Error(`there is no bug called ${name}`);

const left = new Set(plant.edits);
registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const edits = plant.edits.filter(({ file }) => url.endsWith(`/src/${file}`));
    if (edits.length === 0) return loaded;
    let source = String(loaded.source);
    for (const edit of edits) {
      const parts = source.split(edit.find);
      if (parts.length !== 2) throw new Error(`${edit.file} has ${parts.length - 1} ${edit.find}`);
      source = parts.join(edit.replace);
      left.delete(edit);
    }
    return { ...loaded, source };
  },
});
process.on("exit", () => {
  if (left.size > 0) console.log(`NOT PLANTED: ${[...left].map(({ file }) => file).join(", ")}`);
});
