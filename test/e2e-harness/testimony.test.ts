/** The end-to-end tests' witness: it must notice everything that must never be. */
import { describe, expect, it } from "vitest";
import { emptyTestimony, hear, parseStatement, type Testimony } from "../e2e/harness/testimony.ts";
import { assertOneLife, freezeMilliseconds } from "../e2e/harness/witness.ts";

type Heard = [instance: string, n: number, atMs: number, damagedPages?: number, damagedFiles?: number];

function testimonyOf(...heard: Heard[]): Testimony {
  const testimony = emptyTestimony();
  for (const [instance, n, atMs, damagedPages = 0, damagedFiles = 0] of heard) {
    hear(testimony, { name: "w", instance, n, heldMiB: 1, damagedPages, damagedFiles }, atMs);
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
    expect(parseStatement("w-1 00ff 7 128 0 2 1700000000000000")).toEqual({
      name: "w-1",
      instance: "00ff",
      n: 7,
      heldMiB: 128,
      damagedPages: 0,
      damagedFiles: 2,
    });
    expect(parseStatement("anything")).toBeUndefined();
  });
});
