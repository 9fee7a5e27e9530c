/** Planning and preflight look at the same figures: what the one proposes the other must not refuse for want of room. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { targetRefusal } from "../../../src/controllers/pod-migration/preflight/target-checks.ts";
import type { PlannedMove } from "../../../src/planning/decision.ts";
import { evaluate } from "../../../src/planning/evaluate.ts";
import { choosePlacement } from "../../../src/planning/placement/choose-placement.ts";
import type { ClusterSnapshot, MoveSnapshot } from "../../../src/planning/snapshot.ts";
import { stagingBytes } from "../../../src/planning/staging.ts";
import { move, NOW_MS, node, pod, policy } from "../../planning/fixtures.ts";
import { FEATURES, GIB } from "../../support/moving-world/simulated-nodes.ts";
import { sourcePod } from "../../support/moving-world/source-pod.ts";

const NAMES = ["n0", "n1", "n2", "n3"] as const;
const FILES_BYTES = 0;

const nodeArb = (name: string) =>
  fc
    .record({
      capacity: fc.constantFrom(16, 32, 64),
      used: fc.oneof(fc.double({ min: 0, max: 0.4, noNaN: true }), fc.double({ min: 0.7, max: 1, noNaN: true })),
      budget: fc.constantFrom(0.1, 0.25, 0.5, 1),
    })
    .map(({ capacity, used, budget }) => {
      const capacityBytes = capacity * GIB;
      const figures = { usedBytes: Math.round(used * capacityBytes), sampledAtMs: NOW_MS };
      return node(name, {
        capacityBytes,
        allocatableBytes: capacityBytes,
        stagingFreeBytes: budget * capacityBytes,
        ...figures,
      });
    });

const sizeArb = fc.integer({ min: 1, max: 12 * 1024 }).map((mebibytes) => mebibytes * 2 ** 20);
const podArb = (name: string) =>
  fc.record({ on: fc.constantFrom(...NAMES), bytes: sizeArb }).map(({ on, bytes }) => pod(name, on, bytes));
const moveArb = (of: string) =>
  fc
    .record({
      from: fc.constantFrom(...NAMES),
      to: fc.constantFrom(...NAMES),
      memoryBytes: sizeArb,
      memoryFilesBytes: fc.option(sizeArb, { nil: 0 }),
    })
    .map((drawn) => move({ pod: of, podUID: `uid-${of}`, phase: "Preparing", ...drawn }));

const snapshotArb: fc.Arbitrary<ClusterSnapshot> = fc.record({
  timeMs: fc.constant(NOW_MS),
  nodes: fc.tuple(...NAMES.map(nodeArb)),
  pods: fc.tuple(...Array.from({ length: 10 }, (_, index) => podArb(`p${index}`))),
  moves: fc.option(moveArb("p0"), { nil: undefined }).map((one) => (one === undefined ? [] : [one])),
});

const policyArb = fc
  .record({
    strategy: fc.constantFrom("Max" as const, "Optimal" as const, "BigEnough" as const, "Cheapest" as const),
    placement: fc.constantFrom("MostFree" as const, "BestFit" as const),
    freeBelow: fc.constantFrom("5%", "20%", "60%"),
    most: fc.integer({ min: 1, max: 10 }),
  })
  .map(({ strategy, placement, freeBelow, most }) =>
    policy({
      pressure: { freeBelow },
      selection: { strategy },
      placement: { strategy: placement, margin: "0%" },
      pacing: {
        strategy: "Concurrent",
        concurrent: { maxPerNode: 10, maxPerCluster: 10 },
        maxMovesPerEvaluation: most,
      },
    }),
  );

const started = ({ namespace, pod: name, podUID, from, to, bytes }: PlannedMove): MoveSnapshot => ({
  ...{ namespace, name: `started-${name}`, pod: name, podUID, from, to, memoryBytes: bytes, phase: "Pending" },
});

/** What the target's agent can stage, when all that other moves may take of the node is taken. */
function agentsAnswer({ nodes, pods }: ClusterSnapshot, to: string, others: readonly MoveSnapshot[]) {
  const { capacityBytes = 0, usedBytes = 0, stagingFreeBytes = 0 } = nodes.find(({ name }) => name === to) ?? {};
  const arriving = others
    .filter((one) => one.to === to)
    .map(({ podUID, memoryBytes, memoryFilesBytes = 0 }) => {
      const grown = Math.max(memoryBytes, pods.find(({ uid }) => uid === podUID)?.usedBytes ?? 0);
      return { bytes: grown, staged: stagingBytes({ memoryBytes: grown, memoryFilesBytes }) };
    });
  const sum = (of: "bytes" | "staged") => arriving.reduce((total, one) => total + one[of], 0);
  const availableBytes = capacityBytes - usedBytes - sum("bytes") - sum("staged");
  return { ...FEATURES, stagingFreeBytes: Math.min(stagingFreeBytes - sum("staged"), availableBytes) };
}

describe("a move that is planned", () => {
  it("passes preflight's checks of room, with all others that are planned or under way", () => {
    let planned = 0;
    let withoutStaging = 0;
    fc.assert(
      fc.property(snapshotArb, policyArb, (snapshot, one) => {
        const { moves, refusals } = evaluate(snapshot, [one]).decision;
        planned += moves.length;
        withoutStaging += refusals.filter(({ reason }) => reason === "NoStagingRoom").length;
        for (const mine of moves) {
          const others = [...snapshot.moves, ...moves.filter((other) => other !== mine).map(started)];
          const request = {
            podUID: mine.podUID,
            targetNode: mine.to,
            podBytes: mine.bytes,
            memoryFilesBytes: FILES_BYTES,
          };
          expect(choosePlacement({ ...snapshot, moves: others }, request)).toMatchObject({ ok: true });
          const target = agentsAnswer(snapshot, mine.to, others);
          const staging = stagingBytes({ memoryBytes: mine.bytes, memoryFilesBytes: FILES_BYTES });
          expect(
            targetRefusal({
              node: mine.to,
              pod: sourcePod(),
              source: FEATURES,
              target,
              kinds: [],
              confinedBy: undefined,
              innerConnections: 0,
              stagingBytes: staging,
              diskFilesBytes: FILES_BYTES,
            }),
          ).toBeUndefined();
        }
      }),
      { numRuns: 500 },
    );
    expect(planned).toBeGreaterThan(300);
    expect(withoutStaging).toBeGreaterThan(100);
  });
});
