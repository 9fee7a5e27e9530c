import { describe, expect, it } from "vitest";
import type { RunEvent, RunRecord } from "../../../src/simulator/run-record.ts";
import { withRegret } from "../../../src/simulator/scores/regret.ts";
import { SCORES, scoreRun } from "../../../src/simulator/scores/scores.ts";

const GIB = 1024 ** 3;
const HOUR = 3600;

/** Two hours on two nodes of 100 and 300 GiB. */
function run(parts: Partial<RunRecord> = {}): RunRecord {
  return {
    variant: "tested",
    seed: 1,
    endSeconds: 2 * HOUR,
    events: [],
    pods: [],
    nodes: [
      {
        node: "small",
        capacityBytes: 100 * GIB,
        meanUsedBytes: 50 * GIB,
        peakUsedBytes: 100 * GIB,
        aboveReserveByteSeconds: 0,
      },
      {
        node: "big",
        capacityBytes: 300 * GIB,
        meanUsedBytes: 30 * GIB,
        peakUsedBytes: 120 * GIB,
        aboveReserveByteSeconds: 3 * GIB * HOUR,
      },
    ],
    reserve: 0.1,
    evaluations: 120,
    ...parts,
  };
}

const lost = (hours: number, gib: number) => ({ seconds: hours * HOUR, byteSeconds: hours * HOUR * gib * GIB });
const killed = (
  pod: string,
  seconds: number,
  cause: "NodeOutOfMemory" | "OverLimit" = "NodeOutOfMemory",
): RunEvent => ({
  kind: "Killed",
  seconds,
  pod,
  node: "small",
  cause,
  lost: lost(0.5, 4),
});
const evicted = (pod: string, seconds: number): RunEvent => ({
  kind: "Evicted",
  seconds,
  pod,
  node: "small",
  lost: lost(0.25, 8),
});

function moved(
  pod: string,
  [from, to]: readonly [string, string],
  seconds: number,
  {
    outcome = "Succeeded",
    frozen = 10,
    gib = 8,
  }: { outcome?: "Succeeded" | "RolledBack" | "Lost"; frozen?: number; gib?: number } = {},
): RunEvent[] {
  const [namespace = "", name = ""] = pod.split("/");
  const move = {
    namespace,
    pod: name,
    podUID: name,
    lineage: name,
    from,
    to,
    bytes: gib * GIB,
    policy: "p",
    startAtMs: 0,
    expectedSeconds: 30,
    reason: "NodeShortOfMemory",
    message: "",
  };
  return [
    { kind: "MoveStarted", seconds, pod, from, to, bytes: gib * GIB, policy: "p", move },
    {
      kind: "MoveEnded",
      seconds: seconds + 30,
      pod,
      from,
      to,
      bytes: gib * GIB,
      outcome,
      frozenSeconds: frozen,
      tookSeconds: 30,
    },
  ];
}

const job = (
  arrival: number,
  scheduled: number | undefined,
  finished: number | undefined,
  duration: number | undefined,
) => ({
  pod: `d/${arrival}-${duration}`,
  arrivalSeconds: arrival,
  scheduledSeconds: scheduled,
  finishedSeconds: finished,
  durationSeconds: duration,
  workedSeconds: 0,
});

describe("a run's scores", () => {
  it("are finite numbers or null, for a run in which nothing happened too", () => {
    const scores = scoreRun(run({ nodes: [], endSeconds: 0 }));
    expect(Object.keys(scores)).toEqual(SCORES.map(({ name }) => name));
    expect(Object.values(scores).every((score) => score === null || Number.isFinite(score))).toBe(true);
  });

  it("count kernel and kubelet together as kills, and kills at a pod's own limit apart", () => {
    const events = [killed("d/a", 10), killed("d/a", 20, "OverLimit"), evicted("d/b", 30), evicted("d/c", 40)];
    expect(scoreRun(run({ events }))).toMatchObject({ kills: 3, oomKills: 1, evictions: 2, limitKills: 1 });
  });

  it("count a pod that is killed again and again once, and not one that only its own limit killed", () => {
    const events = [
      killed("d/a", 10),
      killed("d/a", 20),
      evicted("d/a", 30),
      evicted("d/b", 40),
      killed("d/c", 50, "OverLimit"),
    ];
    expect(scoreRun(run({ events }))).toMatchObject({ kills: 4, podsKilled: 2 });
  });

  it("add up the work that kills and evictions threw away: ½ h and ¼ h; 2 GiB·h and 2 GiB·h", () => {
    const events = [killed("d/a", 10), killed("d/a", 20, "OverLimit"), evicted("d/b", 30)];
    expect(scoreRun(run({ events }))).toMatchObject({ lostPodHours: 0.75, lostGibHours: 4 });
  });

  it("give the slow-down of jobs; one that is late counts as far as it has come, one that is in time does not", () => {
    const pods = [
      job(0, 0, 100, 100),
      job(100, 150, 400, 100),
      job(0, 0, undefined, HOUR),
      job(HOUR, HOUR, undefined, 2 * HOUR),
      job(0, 0, undefined, undefined),
    ];
    expect(scoreRun(run({ pods }))).toMatchObject({ jobsFinished: 2, slowDownMean: 2, slowDownP95: 3 });
  });

  it("count the time that pods wait for their first node, to the end if there is none", () => {
    const pods = [job(0, 360, 500, 100), job(HOUR, undefined, undefined, 100)];
    expect(scoreRun(run({ pods })).waitedPodHours).toBeCloseTo(1.1, 10);
  });

  it("count the pods that came and were on no node by the end, and not those that would have come later", () => {
    const pods = [
      job(0, 0, undefined, HOUR),
      job(HOUR, undefined, undefined, 100),
      job(2 * HOUR, undefined, undefined, 100),
    ];
    expect(scoreRun(run({ pods })).podsNeverStarted).toBe(1);
  });

  it("weigh mean use by capacity, and name the highest peak of any node", () => {
    expect(scoreRun(run())).toMatchObject({
      utilisationMean: 20,
      utilisationPeak: 100,
      utilisationPeakMean: 70,
      aboveReserveGibHours: 3,
    });
  });

  it("count moves that failed among moves and memory moved, and every freeze", () => {
    const events = [
      ...moved("d/a", ["small", "big"], 0, { frozen: 10 }),
      ...moved("d/b", ["small", "big"], 50, { frozen: 20, outcome: "RolledBack", gib: 2 }),
    ];
    expect(scoreRun(run({ events }))).toMatchObject({
      movesPerHour: 1,
      gibMoved: 10,
      movesFailed: 1,
      downtimeSeconds: 30,
      downtimeP95Seconds: 20,
    });
  });

  it.each<[string, RunEvent[], number]>([
    ["there and back", [...moved("d/a", ["x", "y"], 0), ...moved("d/a", ["y", "x"], 100)], 1],
    [
      "there, back and there again",
      [
        ["x", "y"],
        ["y", "x"],
        ["x", "y"],
      ].flatMap(([from = "", to = ""], i) => moved("d/a", [from, to], i * 100)),
      2,
    ],
    ["on to a third node", [...moved("d/a", ["x", "y"], 0), ...moved("d/a", ["y", "z"], 100)], 0],
    ["back after more than an hour", [...moved("d/a", ["x", "y"], 0), ...moved("d/a", ["y", "x"], HOUR + 1)], 0],
    [
      "back, rolled back",
      [...moved("d/a", ["x", "y"], 0), ...moved("d/a", ["y", "x"], 100, { outcome: "RolledBack" })],
      0,
    ],
    ["another pod", [...moved("d/a", ["x", "y"], 0), ...moved("d/b", ["y", "x"], 100)], 0],
    ["restarted in between", [...moved("d/a", ["x", "y"], 0), killed("d/a", 60), ...moved("d/a", ["y", "x"], 100)], 0],
  ])("count ping-pong: %s", (_, events, expected) => {
    expect(scoreRun(run({ events })).pingPong).toBe(expected);
  });

  it("count an evaluation without room once, whatever number of nodes it was about", () => {
    const full = (seconds: number, node: string): RunEvent => ({ kind: "NodesFull", seconds, node, policy: "p" });
    expect(scoreRun(run({ events: [full(60, "x"), full(60, "y"), full(120, "x")] })).nodesFull).toBe(2);
  });

  it("give coverage and mean pinball loss of the forecasts, null without any", () => {
    const forecast = { confidence: 0.95, foreseen: 200, covered: 188, pinballByteSum: 50 * GIB };
    expect(scoreRun(run({ forecast }))).toMatchObject({ forecastCoverage: 94, pinballLossGib: 0.25 });
    expect(scoreRun(run())).toMatchObject({ forecastCoverage: null, pinballLossGib: null });
  });

  it("take regret as the cost beyond the reference's: ½ h lost and ¼ h frozen, against ¼ h frozen", () => {
    const ours = scoreRun(run({ events: [killed("d/a", 0), ...moved("d/b", ["x", "y"], 0, { frozen: 900 })] }));
    const least = scoreRun(run({ events: moved("d/b", ["x", "y"], 0, { frozen: 900 }) }));
    expect(withRegret(ours, least)).toMatchObject({ cost: 0.75, regret: 0.5 });
  });
});
