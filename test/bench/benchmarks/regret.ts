/** What the joint plan costs beyond the optimum, on small cases that an exact solver (HiGHS) can judge. */
import { DEFAULT_STEPS } from "../../../src/planning/joint/solve.ts";
import type { Shape } from "../../planning/joint/random-problem.ts";
import { countRegret, type Regret } from "../../planning/joint/regret.ts";

export const REGRET = "regret: what plans for several nodes cost beyond the optimum (HiGHS)";

const SHAPES: readonly (Shape & { problems?: number })[] = [
  { demands: 1, candidates: 12, targets: 4, room: 3 },
  { demands: 1, candidates: 20, targets: 3, room: 0.8 },
  { demands: 2, candidates: 8, targets: 3, room: 1.2 },
  { demands: 3, candidates: 8, targets: 4, room: 0.8 },
  { demands: 3, candidates: 8, targets: 5, room: 3, mostMoves: 4 },
  { demands: 4, candidates: 8, targets: 5, room: 1.5 },
  // Takes the exact solver some 16 s each.
  { demands: 5, candidates: 15, targets: 8, room: 3, problems: 6 },
];
const PROBLEMS = 30;
/** The least shows what the first plan and a few exchanges are worth by themselves. */
const STEPS = [1000, 20_000, DEFAULT_STEPS];

const percent = (part: number) => `${(100 * part).toFixed(2)} %`.padStart(9);

export async function regret(): Promise<string> {
  const head = "nodes  pods each  targets  room  moves     steps  more missing, of need  mean cost    worst   proved";
  const rows = SHAPES.flatMap((shape) =>
    countRegret(shape, shape.problems ?? PROBLEMS, STEPS).map((found, index) => row(shape, STEPS[index] ?? 0, found)),
  );
  return [head, ...rows].map((line) => `  ${line}`).join("\n");
}

function row(shape: Shape, steps: number, found: Regret): string {
  const { problems, missingMore, missingPart, mean, worst, proved } = found;
  return [
    String(shape.demands).padStart(5),
    String(shape.candidates).padStart(10),
    String(shape.targets).padStart(8),
    `${shape.room}×`.padStart(5),
    String(shape.mostMoves ?? "any").padStart(6),
    String(steps).padStart(9),
    `${missingMore} of ${problems}`.padStart(13),
    percent(missingPart),
    `+${percent(mean).trim()}`.padStart(10),
    percent(worst),
    `${proved} of ${problems}`.padStart(9),
  ].join(" ");
}
