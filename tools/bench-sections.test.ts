import assert from "node:assert/strict";
import { test } from "node:test";
import { replaceIntroduction, replaceSection } from "./bench-sections.ts";

test("each benchmark replaces its own part of the page and keeps the others'", () => {
  const first = "# Page\n\nold\n";
  const two = replaceSection(replaceSection(first, "A", "a"), "B", "b");
  assert.equal(two, "# Page\n\nold\n\n## A\n\na\n\n## B\n\nb\n");
  const changed = "# Page\n\nold\n\n## A\n\nc\n\n## B\n\nb\n";
  assert.equal(replaceSection(two, "A", "c\n"), changed);
  assert.equal(
    replaceIntroduction(changed, "# New\n"),
    changed.replace("# Page\n\nold\n", "# New\n"),
  );
});
