import { expect, it } from "vitest";
import type { SeedResult } from "../e2e/chaos/seed.ts";
import { summary } from "../e2e/chaos/summary.ts";

const result = (part: Partial<SeedResult>): SeedResult => ({
  ...{ seed: 1, moves: 2, strikes: {}, found: [], missed: [], seconds: 60, unavoidable: [] },
  ...{ committed: 1, rolledBack: 1, otherEnds: {}, worstSilenceMs: 1500 },
  ...part,
});

const FAULTS = [
  { id: "killed", seconds: [0, 0] },
  { id: "full", seconds: [1, 2], phases: ["Frozen"] },
] as const;

it("sums up what many seeds have shown, fault by fault and phase by phase", () => {
  const lines = summary(
    [
      result({ strikes: { killed: { Frozen: 1 } }, unavoidable: [{ workload: "w", cell: "its node died" }] }),
      result({
        strikes: { killed: { Frozen: 2, RollingBack: 1 }, full: { Frozen: 1 } },
        otherEnds: { "Failed: Stale": 2 },
      }),
      result({ found: ["lost: w", "lost: v", "left behind: a file"], worstSilenceMs: 2000 }),
    ],
    FAULTS,
  );
  expect(lines).toEqual([
    "3 seeds, 6 moves, 5 faults",
    "committed 3, rolled back 3; Failed: Stale 2",
    "unavoidable 1; its node died 1",
    "lost 2",
    "doubled 0",
    "damaged 0",
    "silent 0",
    "stuck 0",
    "disagrees 0",
    "left behind 1",
    "longest silence of a process 2.0 s",
    "",
    "fault   Preflight  Preparing  Frozen  Restoring  Committed  else",
    "killed          0          0       3          0          0     1",
    "full            –          –       1          –          –     0",
  ]);
});
