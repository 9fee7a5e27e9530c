import { z } from "zod";
import { admitted, parseDuration } from "../../api/quantity.ts";
import { durationBetween } from "../../api/v1alpha1/fields.ts";
import { expectedFinishMs } from "../move-duration.ts";
import { strategy } from "../strategy.ts";
import { isUnderWay, type PacingAnswer, type PacingFunction } from "./pacing.ts";

const wait = (reason: string, message: string): PacingAnswer => ({ ok: false, reason, message });

/**
 * Nothing starts while any move in the cluster is under way, nor before `pause` has passed since the last one ended. Once
 * ready, up to maxMovesPerEvaluation moves of one policy start together.
 *
 * Good: each decision sees the effect of the one before. Bad: slow when several nodes fill up at once.
 *
 * The predecessor predicted when a move would end; here its PodMigration says when it did.
 */
export const blocking = strategy<PacingFunction>()({
  name: "Blocking",
  summary: "Nothing starts while a move is under way anywhere, nor in a pause after it.",
  options: z.object({
    pause: durationBetween("0s", "24h").default("30s").describe("How long after a move's end no other starts."),
  }),
  configure: ({ pause }) => {
    const pauseMs = admitted(parseDuration, pause) * 1000;
    return ({ nowMs, moves, planned, costs }) => {
      if (planned > 0) return wait("MoveUnderWay", "another policy starts a move in this evaluation");
      const current = moves.find(isUnderWay);
      if (current) {
        const leftSeconds = Math.ceil((expectedFinishMs(moves.filter(isUnderWay), nowMs, costs) - nowMs) / 1000);
        const end = Number.isFinite(leftSeconds) && leftSeconds > 0 ? `, expected to end in about ${leftSeconds}s` : "";
        return wait("MoveUnderWay", `the move of ${current.namespace}/${current.pod} is under way${end}`);
      }
      const lastMs = moves.reduce((last, move) => Math.max(last, move.finishedAtMs ?? -Infinity), -Infinity);
      const leftMs = Math.min(lastMs, nowMs) + pauseMs - nowMs;
      if (leftMs <= 0) return { ok: true, pauseSeconds: pauseMs / 1000 };
      return wait("PauseAfterMove", `the last move ended less than ${pause} ago`);
    };
  },
});
