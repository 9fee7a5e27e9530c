import { z } from "zod";
import { admitted, parseDuration } from "../../api/quantity.ts";
import { durationBetween } from "../../api/v1alpha1/fields.ts";
import { strategy } from "../strategy.ts";
import type { PlacementFunction } from "./placement.ts";

/**
 * The node with the most room ahead, in bytes: what is free now without what will be used more by then, reservations and their growth
 * counted. Where the policy forecasts, by the upper bounds at its horizon; else by what its pods' growth comes to after `ahead`.
 *
 * Good: the target is the last to be short again, also among nodes that grow. Bad: every node that could be a target must be forecast, and
 * a bound that is wide because little is known of a node makes it look full.
 */
export const mostHeadroom = strategy<PlacementFunction>()({
  name: "MostHeadroom",
  summary: "The node with the most room at the forecast's horizon, or after growing on for some time.",
  options: z.object({
    ahead: durationBetween("0s", "24h")
      .default("10m")
      .describe("How far ahead growth counts; with pressure Forecast its horizon does in place of this."),
  }),
  configure: ({ ahead }) => {
    const minutes = admitted(parseDuration, ahead) / 60;
    return (target) => target.freeAheadBytes(minutes);
  },
});
