import { expect, it } from "vitest";
import { lineOf } from "../../src/api/line-of.ts";

const TEXT = `a: 1
b:
  - c: 2
  - d.e: 3
    f: [4,
      5]
---
---
a: 6
`;

it.each([
  [0, "", 1],
  [0, "a", 1],
  [0, "b[0].c", 3],
  [0, "b[1].d.e", 4],
  [0, "b[1].f[1]", 6],
  [0, "b[1].g.h", 4],
  [0, "b[7]", 3],
  [2, "a", 9],
  [9, "a", undefined],
])("document %i: %j is in line %s", (document, path, line) => {
  expect(lineOf(TEXT, document, path)).toBe(line);
});

it("has no line in what is not YAML", () => {
  expect(lineOf("a: [", 0, "a")).toBeUndefined();
});
