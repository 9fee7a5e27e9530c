import { describe, expect, it } from "vitest";
import { changes, changeText, type KeptScores } from "./judge.ts";
import { readKept } from "./kept-file.ts";
import { currentScores } from "./suite.ts";

const kept = (kills: (number | null)[], jobsFinished = [1, 1, 1]): KeptScores => ({
  seeds: [1, 2, 3],
  workloads: { mixed: { forecast: { kills, jobsFinished } } },
});
const verdicts = (before: KeptScores, now: KeptScores) =>
  changes(before, now).map(({ score, verdict }) => [score, verdict]);

describe("kept scores", () => {
  it.each([
    ["more kills with every seed", [4, 9, 2], [5, 10, 3], "Worse"],
    ["fewer kills with every seed", [4, 9, 2], [3, 8, 1], "Better"],
    ["more with one seed, fewer with another", [4, 9, 2], [5, 8, 2], "Different"],
    ["more with one seed of three", [4, 9, 2], [4, 9, 3], "Different"],
  ])("tell %s as it is", (_, before, now, verdict) => {
    expect(verdicts(kept(before), kept(now))).toEqual([["kills", verdict]]);
  });

  it("know which way is better", () => {
    expect(verdicts(kept([1, 1, 1], [5, 6, 7]), kept([1, 1, 1], [4, 5, 6]))).toEqual([["jobsFinished", "Worse"]]);
  });

  it("say nothing of what is as it was, and call new what was not kept, or kept of other seeds", () => {
    expect(changes(kept([1, null, 3]), kept([1, null, 3]))).toEqual([]);
    const other = { ...kept([1, 2, 3]), seeds: [4, 5, 6] };
    expect(verdicts(other, kept([1, 2, 3]))).toEqual([
      ["kills", "New"],
      ["jobsFinished", "New"],
    ]);
  });

  it("are told with old and new mean and by how much", () => {
    expect(changes(kept([4, 9, 2]), kept([5, 10, 3])).map(changeText)).toEqual([
      "mixed, forecast: kills 5 → 6, by +1 [1, 1]: Worse",
    ]);
  });
});

describe("planning", () => {
  it('scores no worse than what is kept (accept on purpose: npm run scores -- --update "why")', () => {
    const worse = changes(readKept(), currentScores()).filter(
      ({ verdict }) => verdict === "Worse" || verdict === "New",
    );
    expect(worse.map(changeText)).toEqual([]);
  }, 120_000);
});
