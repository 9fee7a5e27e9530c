import { z } from "zod";
import { admitted, formatBytes, parseDuration } from "../../api/quantity.ts";
import { durationBetween } from "../../api/v1alpha1/fields.ts";
import { FORECAST_MODELS, MODEL_NAMES } from "../forecast/models.ts";
import { strategy } from "../strategy.ts";
import type { PressureRule } from "./pressure.ts";

const models = FORECAST_MODELS.map(({ name, summary }) => `${name}: ${summary}`).join(" ");

/**
 * A node is short when less than `freeBelow` might be free at some time up to the `horizon`: by the bound that memory stays below with
 * the given confidence. It must free the difference. The first such moment is the deadline of the moves that relieve it.
 *
 * Good: sees growth early and leaves alone what will fit; moves start when they must, not before. Bad: needs some minutes of samples,
 * and a jump that nothing announces is seen no earlier than by Threshold.
 *
 * Without a series the bound is what is used now and a quarter more; nothing is moved because of that quarter alone.
 */
export const forecast = strategy<PressureRule>()({
  name: "Forecast",
  summary:
    "A node is short when less than freeBelow of it may be free within the horizon, by a forecast and its bound.",
  options: z.object({
    horizon: durationBetween("10s", "24h")
      .default("5m")
      .describe("How far ahead to look: more than the longest move takes, with an evaluation before it."),
    confidence: z
      .number()
      .min(0.5)
      .max(0.999)
      .default(0.95)
      .describe(
        "How often memory is to stay below what is foreseen at most: the higher, the earlier and the more is moved.",
      ),
    model: z.enum(MODEL_NAMES).default("Auto").describe(models),
  }),
  configure: ({ horizon, confidence, model }) => {
    const horizonSeconds = admitted(parseDuration, horizon);
    return {
      aheadMinutes: horizonSeconds / 60,
      forecast: { horizonSeconds, confidence, model },
      judge({ capacityBytes, usedBytes, freeBelowBytes, atMost }) {
        const limitBytes = capacityBytes - freeBelowBytes;
        const needBytes = Math.max(usedBytes, atMost?.(limitBytes) ?? 0);
        const pressureBytes = Math.max(0, needBytes - limitBytes);
        const state = `${formatBytes(capacityBytes - usedBytes)} of ${formatBytes(capacityBytes)} is free`;
        const then = `within ${horizon} at most ${formatBytes(needBytes)} is used`;
        if (pressureBytes === 0) return { pressureBytes, message: `${state}; ${then}` };
        const message = `${state}; ${then} (${confidence * 100}%), more than the ${formatBytes(limitBytes)} that may be`;
        return { pressureBytes, message };
      },
    };
  },
});
