/** Selection Optimal over growing nodes. The pods' memory has no common divisor, so the unit is the smallest that is solved in time. */
import { optimal } from "../../../src/planning/selection/optimal.ts";
import { pod } from "../../planning/fixtures.ts";
import { randomFrom } from "../../planning/joint/random-problem.ts";
import type { Benchmark } from "../measure.ts";

export const optimalSelection: Benchmark = {
  name: "Optimal: one selection, a third of the pods' memory asked for",
  unit: "pods",
  sizes: [100, 300, 1000],
  prepare(pods) {
    const random = randomFrom(1);
    const candidates = Array.from({ length: pods }, (_, index) => {
      const bytes = Math.floor(2 ** 30 * 2 ** (5 * random()));
      const migrations = Math.floor(3 * random());
      const more = { growthBytesPerMinute: undefined, reliefBytes: bytes, grownBytes: bytes };
      return { pod: pod(`p${index}`, "n", bytes, { migrations }), bytes, ...more };
    });
    const all = candidates.reduce((sum, { bytes }) => sum + bytes, 0);
    const select = optimal.configure({});
    return () => {
      const chosen = select(candidates, all / 3, { freeBytes: 0 });
      const sum = chosen.reduce((total, { bytes }) => total + bytes, 0);
      if (sum > all / 3 || sum < 0.95 * (all / 3)) throw new Error("the amount is not filled from below");
    };
  },
};
