import { z } from "zod";
import { formatBytes } from "../../api/quantity.ts";
import { strategy } from "../strategy.ts";
import type { PressureRule } from "./pressure.ts";

/**
 * A node with less than `freeBelow` free now must free the difference. The comparison is strict: exactly `freeBelow` is enough.
 *
 * Good: simple, and never moves on a guess. Bad: it sees a fast-growing node late; leave room for the time a move takes.
 */
export const threshold = strategy<PressureRule>()({
  name: "Threshold",
  summary: "A node is short when less than freeBelow of it is free now.",
  options: z.object({}),
  configure: () => ({
    aheadMinutes: 0,
    judge({ capacityBytes, usedBytes, freeBelowBytes }) {
      const freeBytes = capacityBytes - usedBytes;
      const pressureBytes = Math.max(0, freeBelowBytes - freeBytes);
      const state = `${formatBytes(freeBytes)} of ${formatBytes(capacityBytes)} is free`;
      const message = pressureBytes > 0 ? `${state}, less than ${formatBytes(freeBelowBytes)}` : state;
      return { pressureBytes, message };
    },
  }),
});
