/** The end-to-end tests' witness: it must notice everything that must never be. */
import { describe, expect, it } from "vitest";
import { emptyTestimony, hear, nodeAt, parseStatement, type Testimony } from "../e2e/harness/testimony.ts";
import { assertOneLife, freezeMilliseconds } from "../e2e/harness/witness.ts";

type Heard = [instance: string, n: number, atMs: number, damagedPages?: number, damagedFiles?: number, node?: string];

function testimonyOf(...heard: Heard[]): Testimony {
  const testimony = emptyTestimony();
  for (const [instance, n, atMs, damagedPages = 0, damagedFiles = 0, node = "n1"] of heard) {
    hear(testimony, { name: "w", instance, n, heldMiB: 1, damagedPages, damagedFiles, node }, atMs);
  }
  return testimony;
}

describe("the witness", () => {
  it("finds nothing wrong with one instance that counts on, however long it was silent", () => {
    const testimony = testimonyOf(["a", 0, 0], ["a", 1, 10], ["a", 2, 5010], ["a", 3, 5020]);
    expect(() => assertOneLife("w", testimony)).not.toThrow();
    expect(freezeMilliseconds(testimony, 0, 6000)).toBe(5000);
  });

  it.each<[what: string, heard: Heard[], sentence: RegExp]>([
    [
      "a gap",
      [
        ["a", 0, 0],
        ["a", 2, 10],
      ],
      /gap: n=0 was followed by n=2/,
    ],
    [
      "a repetition, as two copies of one process make",
      [
        ["a", 0, 0],
        ["a", 1, 10],
        ["a", 1, 11],
      ],
      /repeated: n=1 came after n=1/,
    ],
    [
      "a step back, as an old checkpoint makes",
      [
        ["a", 5, 0],
        ["a", 6, 10],
        ["a", 3, 20],
      ],
      /repeated: n=3 came after n=6/,
    ],
    [
      "two instances at once",
      [
        ["a", 0, 0],
        ["b", 0, 10],
        ["a", 1, 20],
      ],
      /two at once: a spoke after b had begun/,
    ],
    [
      "a cold start",
      [
        ["a", 0, 0],
        ["b", 0, 10],
      ],
      /2 instances were heard/,
    ],
    [
      "damaged memory",
      [
        ["a", 0, 0],
        ["a", 1, 10, 3],
      ],
      /3 damaged pages at n=1/,
    ],
    [
      "a file that was lost or is not as it was left",
      [
        ["a", 0, 0],
        ["a", 1, 10, 0, 1],
      ],
      /1 damaged files at n=1/,
    ],
    ["silence from the beginning", [], /0 instances were heard/],
  ])("notices %s", (_what, heard, sentence) => {
    expect(() => assertOneLife("w", testimonyOf(...heard))).toThrow(sentence);
  });

  it("measures only silences that began within the move", () => {
    const testimony = testimonyOf(["a", 0, 0], ["a", 1, 9000], ["a", 2, 20_000], ["a", 3, 20_700]);
    expect(freezeMilliseconds(testimony, 20_000, 21_000)).toBe(700);
  });

  it("reads what the workload sends", () => {
    expect(parseStatement("w-1 00ff 7 128 0 2 1700000000000000", "n3")).toEqual({
      name: "w-1",
      instance: "00ff",
      n: 7,
      heldMiB: 128,
      damagedPages: 0,
      damagedFiles: 2,
      node: "n3",
    });
    expect(parseStatement("anything", "n3")).toBeUndefined();
  });

  it.each([
    ["10.193.2.17", "n2"],
    ["10.183.1.3", "n3"],
    ["10.183.0.1", "10.183.0.1"],
    ["10.194.2.17", "10.194.2.17"],
  ])("knows that %s is %s in instance 3", (address, node) => {
    expect(nodeAt(address, 3)).toBe(node);
  });

  it("keeps an instance's stays on nodes apart", () => {
    const on = (node: string, n: number, atMs: number): Heard => ["a", n, atMs, 0, 0, node];
    const testimony = testimonyOf(
      on("n1", 0, 0),
      on("n1", 1, 10),
      on("n2", 2, 500),
      on("n2", 3, 510),
      on("n1", 4, 990),
    );
    expect(testimony.lives[0]?.stays).toEqual([
      { node: "n1", firstN: 0, lastN: 1, firstAtMs: 0, lastAtMs: 10 },
      { node: "n2", firstN: 2, lastN: 3, firstAtMs: 500, lastAtMs: 510 },
      { node: "n1", firstN: 4, lastN: 4, firstAtMs: 990, lastAtMs: 990 },
    ]);
    expect(testimony.violations).toEqual([]);
  });

  it("finds a copy beside its source, even if no n is heard twice", () => {
    const on = (node: string, n: number, atMs: number): Heard => ["a", n, atMs, 0, 0, node];
    const both = testimonyOf(on("n1", 1, 0), on("n2", 1, 4), on("n1", 2, 10), on("n2", 2, 14));
    expect(both.violations.map(({ kind }) => kind)).toContain("repeated");
    const inTurn = testimonyOf(on("n1", 1, 0), on("n2", 2, 10), on("n1", 3, 20));
    expect(inTurn.violations).toMatchObject([{ kind: "repeated", text: expect.stringContaining("n1 and n2 in turn") }]);
  });

  it("blames the older instance once, if the younger one is silent from then on", () => {
    const testimony = testimonyOf(["a", 0, 0], ["b", 0, 10], ["a", 1, 20], ["a", 2, 3000], ["a", 3, 6000]);
    expect(testimony.violations).toMatchObject([{ kind: "two", atMs: 20, untilMs: 20, times: 1, instance: "a" }]);
  });

  it("counts violations within a second as one, and remembers every kind in a flood of another", () => {
    const burst = testimonyOf(["a", 0, 0], ["a", 2, 10], ["a", 4, 900], ["a", 6, 2000]);
    expect(burst.violations).toMatchObject([
      { kind: "gap", atMs: 10, untilMs: 900, times: 2 },
      { kind: "gap", atMs: 2000, untilMs: 2000, times: 1 },
    ]);
    const gaps = Array.from({ length: 100 }, (_, index): Heard => ["a", 2 * index, 2000 * index]);
    const flood = testimonyOf(...gaps, ["a", 7, 300_000, 1, 1], ["b", 0, 300_010], ["a", 8, 300_020]);
    expect(flood.violations.length).toBeLessThanOrEqual(20);
    expect(new Set(flood.violations.map(({ kind }) => kind))).toEqual(
      new Set(["gap", "repeated", "two", "pages", "files"]),
    );
    expect(flood.violations.filter(({ kind }) => kind === "gap").at(-1)?.untilMs).toBe(198_000);
  });

  it("keeps every silence of 250 ms or more, besides the longest ten", () => {
    const pauses = [...Array(30).fill(10), ...Array(30).fill(250), ...Array(30).fill(10)];
    const heard = pauses.map((_, n): Heard => ["a", n, pauses.slice(0, n + 1).reduce((sum, pause) => sum + pause)]);
    expect(testimonyOf(...heard).silences.map(({ milliseconds }) => milliseconds)).toEqual(Array(30).fill(250));
    expect(testimonyOf(...heard.slice(0, 30)).silences).toHaveLength(10);
  });
});
