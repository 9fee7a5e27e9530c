/** The joint plan itself, by the number of short nodes: 30 pods each, twice as many targets, half as much room again as is needed. */
import { planJointly } from "../../../src/planning/joint/solve.ts";
import { drawProblem } from "../../planning/joint/random-problem.ts";
import type { Benchmark } from "../measure.ts";

export const jointPlan: Benchmark = {
  name: "joint plan: 30 pods a short node, twice as many targets, room 1.5 times the need",
  unit: "nodes",
  sizes: [1, 2, 5, 10, 20, 50],
  prepare(nodes) {
    const problem = drawProblem(1, { demands: nodes, candidates: 30, targets: 2 * nodes, room: 1.5, mostMoves: 100 });
    return () => {
      if (planJointly(problem).moves.length === 0) throw new Error("nothing was planned");
    };
  },
};
