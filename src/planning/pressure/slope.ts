import { z } from "zod";
import { admitted, formatBytes, parseDuration } from "../../api/quantity.ts";
import { durationBetween } from "../../api/v1alpha1/fields.ts";
import { strategy } from "../strategy.ts";
import type { NodeGrowth, PressureRule } from "./pressure.ts";

/**
 * A node is short when less than `freeBelow` would be free after `ahead`, if it goes on growing as it does: the sum of its
 * pods' growth or, where that is more, the growth of the node itself. It must free the difference. Strict, as Threshold.
 *
 * Good: sees a growing node before it is short. Bad: takes every growth to go on in a straight line, and many pods that go up
 * and down look as if all went up; when growth ends by itself, a pod was moved for nothing.
 *
 * The predecessor counted a pod without data as shrinking by 1/min, and let shrinking pods cancel growing ones; here neither
 * ever makes a node look safer: unknown growth is none, and is told, and only growth adds up.
 */
export const slope = strategy<PressureRule>()({
  name: "Slope",
  summary: "A node is short when less than freeBelow of it would be free some time ahead, growing as it does now.",
  options: z.object({
    ahead: durationBetween("0s", "24h").default("5m").describe("How far ahead to look: at least what a move takes."),
  }),
  configure: ({ ahead }) => {
    const aheadMinutes = admitted(parseDuration, ahead) / 60;
    return {
      aheadMinutes,
      judge({ capacityBytes, usedBytes, freeBelowBytes, growth }) {
        const grows = growth();
        const freeBytes = capacityBytes - usedBytes;
        const aheadBytes = freeBytes - aheadMinutes * grows.perMinute;
        const pressureBytes = Math.max(0, freeBelowBytes - aheadBytes);
        const state = `${formatBytes(freeBytes)} of ${formatBytes(capacityBytes)} is free, ${described(grows)}`;
        if (pressureBytes === 0) return { pressureBytes, message: state };
        const then = formatBytes(Math.max(0, aheadBytes));
        const message = `${state}; in ${ahead} ${then} would be free, less than ${formatBytes(freeBelowBytes)}`;
        return { pressureBytes, message };
      },
    };
  },
});

function described({ perMinute, unknownPods }: NodeGrowth): string {
  const unknown = unknownPods === 0 ? "" : ` (growth of ${unknownPods} pods not known)`;
  return `growing by ${formatBytes(perMinute)} a minute${unknown}`;
}
