import fc from "fast-check";
import { expect, it } from "vitest";
import { indexByLabel } from "../../../src/planning/placement/label-index.ts";

const labelsArb = fc.dictionary(fc.constantFrom("a", "b", "constructor"), fc.constantFrom("1", "2"));
const holds = (labels: Record<string, string>, wanted: Record<string, string>) =>
  Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);

it("an index by label leaves out nothing that is asked for", () => {
  fc.assert(
    fc.property(fc.array(labelsArb, { maxLength: 20 }), labelsArb, (all, wanted) => {
      const index = indexByLabel(all, (labels) => labels);
      const having = new Set(index.having(wanted));
      const sharing = new Set(index.sharing(wanted));
      expect(all.filter((labels) => holds(labels, wanted) && !having.has(labels))).toEqual([]);
      expect(all.filter((labels) => holds(wanted, labels) && !sharing.has(labels))).toEqual([]);
    }),
  );
});

it("an index by label spares what has another value", () => {
  const things = ["1", "2", "2"].map((value, id) => ({ id, labels: { a: value } }));
  const index = indexByLabel(things, ({ labels }) => labels);
  expect(index.having({ a: "1" }).map(({ id }) => id)).toEqual([0]);
  expect(index.sharing({ a: "2", b: "x" }).map(({ id }) => id)).toEqual([1, 2]);
});
