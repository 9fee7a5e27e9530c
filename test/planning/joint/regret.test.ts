import { describe, expect, it } from "vitest";
import { DEFAULT_STEPS } from "../../../src/planning/joint/solve.ts";
import type { Shape } from "./random-problem.ts";
import { countRegret, type Regret } from "./regret.ts";

const SHAPES: readonly Shape[] = [
  { demands: 1, candidates: 10, targets: 3, room: 3 },
  { demands: 2, candidates: 6, targets: 3, room: 0.8 },
  { demands: 3, candidates: 5, targets: 3, room: 1.5, mostMoves: 4 },
];

function quickly(shape: Shape): Regret {
  const [regret] = countRegret(shape, 8, [DEFAULT_STEPS]);
  if (regret === undefined) throw new Error("nothing was counted");
  return regret;
}

describe("joint plans beside an exact solver's", { timeout: 60_000 }, () => {
  it.each(SHAPES)(
    "$demands nodes of $candidates pods, room $room times the need: the optimum, within 2 % in the mean",
    (shape) => {
      const { missingMore, mean, proved, problems } = quickly(shape);
      expect(missingMore).toBe(0);
      expect(mean).toBeLessThan(0.02);
      expect(proved).toBeGreaterThan(problems / 2);
    },
  );

  it("what is proved is the optimum", () => {
    const { proved, problems, worst } = quickly({ demands: 2, candidates: 5, targets: 3, room: 1.2 });
    expect(proved).toBe(problems);
    expect(worst).toBeLessThan(1e-5);
  });
});
