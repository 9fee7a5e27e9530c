import { describe, expect, it } from "vitest";
import type { Shape } from "./random-problem.ts";
import { countRegret } from "./regret.ts";

const SHAPES: readonly Shape[] = [
  { demands: 1, candidates: 10, targets: 3, room: 3 },
  { demands: 2, candidates: 6, targets: 3, room: 0.8 },
  { demands: 3, candidates: 5, targets: 3, room: 1.5, mostMoves: 4 },
];

describe("joint plans beside an exact solver's", () => {
  it.each(SHAPES)(
    "$demands nodes of $candidates pods, room $room times the need: the optimum, within 2 % in the mean",
    (shape) => {
      const { missingMore, mean, proved, problems } = countRegret(shape, 8);
      expect(missingMore).toBe(0);
      expect(mean).toBeLessThan(0.02);
      expect(proved).toBeGreaterThan(problems / 2);
    },
  );

  it("what is proved is the optimum", () => {
    const { proved, problems, worst } = countRegret({ demands: 2, candidates: 5, targets: 3, room: 1.2 }, 8);
    expect(proved).toBe(problems);
    expect(worst).toBeLessThan(1e-5);
  });
});
