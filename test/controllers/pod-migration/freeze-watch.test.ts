import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Allowance,
  type FreezeVerdict,
  type FreezeView,
  judgeFreeze,
  survivableMs,
} from "../../../src/controllers/pod-migration/freeze-watch.ts";

const MB = 1e6;
const LIVENESS: Allowance = { ms: 55_000, reason: "LivenessWouldFail", because: "the probe forgives 60 s" };
const TIMEOUT: Allowance = { ms: 590_000, reason: "TimedOut", because: "spec.timeout is 10m" };

interface Case {
  frozenS: number;
  /** Megabytes sent, of so many, and the last second's. */
  sent?: [sent: number, total: number, rate: number];
  expectedS?: number;
  allowance?: Allowance;
  /** Seconds since more was seen. */
  quietS?: number;
  /** Seconds since the first page came; as long as it has been frozen, unless nothing was sent. */
  begunS?: number;
}

function view({ frozenS, sent, expectedS = 300, allowance = TIMEOUT, quietS = 0, ...of }: Case): FreezeView {
  const nowMs = 1_000_000;
  const { begunS = sent && sent[0] > 0 ? frozenS : undefined } = of;
  return {
    nowMs,
    sinceMs: nowMs - frozenS * 1000,
    expected: { expectedMilliseconds: expectedS * 1000, bytesPerSecond: 100 * MB, basis: "Cluster" },
    allowance,
    progress: sent && { sentBytes: sent[0] * MB, totalBytes: sent[1] * MB, bytesPerSecond: sent[2] * MB },
    pausedAtMs: nowMs - frozenS * 1000,
    begunAtMs: begunS === undefined ? undefined : nowMs - begunS * 1000,
    grewAtMs: nowMs - quietS * 1000,
  };
}

const outcome = (verdict: FreezeVerdict) => ("reason" in verdict ? verdict.reason : verdict.kind);

describe("a freeze", () => {
  it.each<[what: string, of: Case, becomes: string]>([
    ["goes on while its transfer does", { frozenS: 30, sent: [3_000, 20_000, 100] }, "goOn"],
    ["goes on while nothing is known of it and it is not yet due", { frozenS: 30 }, "goOn"],
    ["lets the target start 20 s before its transfer ends", { frozenS: 180, sent: [18_000, 20_000, 100] }, "letGo"],
    ["lets the target start once everything is sent", { frozenS: 180, sent: [20_000, 20_000, 0] }, "letGo"],
    ["lets the target start 20 s before its expected end when nobody tells", { frozenS: 280 }, "letGo"],
    [
      "is expected to last longer when its transfer is slower and that is still allowed",
      { frozenS: 30, sent: [600, 11_000, 20], expectedS: 110 },
      "expectLonger",
    ],
    [
      "is not expected to last longer for a transfer that stalls",
      { frozenS: 60, sent: [2_000, 11_000, 0], expectedS: 110, quietS: 30 },
      "goOn",
    ],
    ["ends when a resume later on might not save it", { frozenS: 55.1, allowance: LIVENESS }, "LivenessWouldFail"],
    [
      "ends then however near its transfer is to its end",
      { frozenS: 55.1, sent: [990, 1_000, 20], allowance: LIVENESS },
      "LivenessWouldFail",
    ],
    [
      "ends as soon as it shows that it cannot end in time",
      { frozenS: 5, sent: [100, 2_000, 20], allowance: LIVENESS },
      "LivenessWouldFail",
    ],
    ["gives a transfer time to find its pace", { frozenS: 4, sent: [1, 1_000, 1], allowance: LIVENESS }, "goOn"],
    [
      "goes on when the last second's rate would be enough",
      { frozenS: 10, sent: [100, 5_000, 200], expectedS: 400, allowance: LIVENESS },
      "goOn",
    ],
    ["gives a slow node time for its first page", { frozenS: 29, sent: [0, 2_000, 0], allowance: LIVENESS }, "goOn"],
    [
      "goes on when its transfer has only just begun",
      { frozenS: 20, sent: [1, 200, 1], begunS: 4, expectedS: 3_000, allowance: LIVENESS },
      "goOn",
    ],
    [
      "is judged by the rate since its first page",
      { frozenS: 30, sent: [100, 260, 0], begunS: 15, expectedS: 100, allowance: LIVENESS },
      "goOn",
    ],
    [
      "ends when nothing at all was sent",
      { frozenS: 30, sent: [0, 2_000, 0], allowance: LIVENESS },
      "LivenessWouldFail",
    ],
    ["ends early for spec.timeout, too", { frozenS: 10, sent: [100, 20_000, 10] }, "TimedOut"],
    [
      "ends when its transfer stands still for a minute",
      { frozenS: 90, sent: [9_000, 20_000, 0], quietS: 60 },
      "TransferStalled",
    ],
    ["waits for the target to store what was sent", { frozenS: 250, sent: [20_000, 20_000, 0], quietS: 90 }, "letGo"],
  ])("%s", (_, of, becomes) => {
    expect(outcome(judgeFreeze(view(of)))).toBe(becomes);
  });

  it("that is expected to last longer is recorded with what its transfer shows", () => {
    const verdict = judgeFreeze(view({ frozenS: 30, sent: [600, 11_000, 20], expectedS: 110 }));
    const freeze = { expectedMilliseconds: 550_000, bytesPerSecond: 20 * MB, basis: "Progress" };
    expect(verdict).toEqual({ kind: "expectLonger", freeze });
  });

  it("says with figures why it is ended", () => {
    const verdict = judgeFreeze(view({ frozenS: 10, sent: [200, 2_000, 20], allowance: LIVENESS }));
    expect("message" in verdict ? verdict.message : "").toBe(
      "190.73Mi of 1.86Gi sent in 10.0 s: the freeze would take 100.0 s, but the probe forgives 60 s",
    );
  });

  it("is not given up as long as its source runs, for nothing is lost by waiting", () => {
    const { pausedAtMs: _, ...running } = view({ frozenS: 50, sent: [0, 2_000, 0], allowance: LIVENESS });
    expect(judgeFreeze(running).kind).toBe("goOn");
  });

  const anyView = fc
    .record({
      frozenS: fc.integer({ min: 0, max: 1_000 }),
      sentMB: fc.nat(10_000),
      leftMB: fc.nat(10_000),
      rate: fc.nat(1_000),
      quietS: fc.nat(100),
      told: fc.boolean(),
      allowance: fc.constantFrom(LIVENESS, TIMEOUT),
    })
    .map(({ sentMB, leftMB, rate, told, ...rest }) =>
      view({ ...rest, ...(told ? { sent: [sentMB, sentMB + leftMB, rate] } : {}) }),
    );

  it("never outlasts what is allowed, whatever its transfer says", () => {
    fc.assert(
      fc.property(anyView, (one) => {
        const past = one.nowMs - one.sinceMs > one.allowance.ms;
        expect(past && judgeFreeze(one).kind !== "rollBack").toBe(false);
      }),
    );
  });

  it("is not ended for a faster transfer when it isn't for a slower one", () => {
    fc.assert(
      fc.property(anyView, fc.nat(500), (one, faster) => {
        if (one.progress === undefined || judgeFreeze(one).kind === "rollBack") return;
        const progress = { ...one.progress, bytesPerSecond: one.progress.bytesPerSecond + faster * MB };
        expect(judgeFreeze({ ...one, progress }).kind).not.toBe("rollBack");
      }),
    );
  });
});

describe("a liveness probe lets a source live that is resumed", () => {
  it.each([
    [21_000, 16_000],
    [60_000, 55_000],
    [9_000, 6_000],
    [2_000, 1_333],
  ])("of %d ms that it forgives, after %d ms", (forgivenMs, survivable) => {
    expect(Math.floor(survivableMs(forgivenMs))).toBe(survivable);
  });
});
