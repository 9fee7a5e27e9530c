/** Which nodes get their turn to be prepared. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Turn } from "../../src/agent/protocol.ts";
import { type PodMigration, podMigrationStatusSchema } from "../../src/api/v1alpha1/pod-migration.ts";
import { movingNodes, turnOf } from "../../src/controllers/roll-out/candidates.ts";
import { type Candidate, decideTurns, type Share } from "../../src/controllers/roll-out/decide.ts";
import { FEATURES } from "../support/moving-world/simulated-nodes.ts";

const WAITING: Turn = { state: "waiting" };
const PREPARING: Turn = { state: "preparing" };
const DONE: Turn = { state: "none" };
const FAILED: Turn = { state: "failed", message: "no right" };

const one = (node: string, turn: Turn | undefined, more: Partial<Candidate> = {}): Candidate => ({
  node,
  turn,
  revision: "a",
  handlerInstalled: turn?.state === "none",
  hindrance: undefined,
  ...more,
});
const many = (count: number, turn: Turn, from = 0): Candidate[] =>
  Array.from({ length: count }, (_, index) => one(`n${String(from + index).padStart(3, "0")}`, turn));

const TENTH: Share = { fraction: 0.1 };

describe("who gets a turn", () => {
  test.each<[string, Candidate[], Share, string[]]>([
    ["nobody when nobody waits", [one("n1", DONE), one("n2", undefined)], TENTH, []],
    ["the first one alone", many(30, WAITING), { count: 30 }, ["n000"]],
    ["nobody while the first one is being prepared", [one("n1", PREPARING), one("n2", WAITING)], { count: 2 }, []],
    ["then a tenth", [one("a", DONE), ...many(29, WAITING)], TENTH, ["n000", "n001", "n002"]],
    ["one, where a tenth is less", [one("a", DONE), ...many(4, WAITING)], TENTH, ["n000"]],
    ["exactly 29 %", [one("a", DONE), ...many(99, WAITING)], { fraction: 0.29 }, many(29, WAITING).map((c) => c.node)],
    ["a number of nodes", [one("a", DONE), ...many(9, WAITING)], { count: 2 }, ["n000", "n001"]],
    ["what is left of the share", [one("a", DONE), one("b", PREPARING), ...many(9, WAITING)], { count: 2 }, ["n000"]],
    ["nobody after a failure", [one("a", DONE), one("b", FAILED), ...many(9, WAITING)], { count: 9 }, []],
    ["nobody after the first one's failure", [one("a", FAILED), ...many(9, WAITING)], { count: 9 }, []],
    [
      "agents of another version after a failure, one of them first",
      [one("a", FAILED, { revision: "old" }), one("b", DONE, { revision: "old" }), ...many(9, WAITING)],
      { count: 9 },
      ["n000"],
    ],
    [
      "nobody after the failure of an agent that has gone",
      [one("a", FAILED, { revision: undefined }), ...many(2, WAITING)],
      TENTH,
      [],
    ],
    [
      "not one with a move, and the next one in its place",
      [one("n1", WAITING, { hindrance: "a move" }), one("n2", WAITING)],
      TENTH,
      ["n2"],
    ],
    [
      "first one alone where a node has no handler and is to have none",
      [one("a", DONE, { handlerInstalled: false }), ...many(9, WAITING)],
      { count: 9 },
      ["n000"],
    ],
  ])("%s", (_what, candidates, share, turns) => {
    expect(decideTurns(candidates, share).turns).toEqual(turns);
  });

  test.each<[string, Candidate[], string]>([
    ["the first", [one("a", WAITING), one("z", WAITING)], "node a is the first to be prepared"],
    [
      "the share",
      [one("a", DONE), one("b", PREPARING), one("z", WAITING)],
      "at most 1 of 3 nodes are prepared at a time",
    ],
    ["a move", [one("z", WAITING, { hindrance: "a move" })], "a move"],
    [
      "a failure",
      [one("a", FAILED), one("z", WAITING)],
      "the roll-out has stopped, because node a could not be prepared",
    ],
  ])("who waits is told why: %s", (_what, candidates, why) => {
    expect(decideTurns(candidates, TENTH).waits.get("z")).toBe(why);
  });

  test("what stopped it is told", () => {
    expect(decideTurns([one("a", FAILED)], TENTH).failures).toEqual([{ node: "a", message: "no right" }]);
  });
});

/** What happens to a cluster until nothing more does: each step ends some preparations and moves. */
interface Step {
  ends: number;
  fails: boolean;
  moves: number[];
}
const step: fc.Arbitrary<Step> = fc.record({
  ends: fc.nat({ max: 4 }),
  fails: fc.boolean(),
  moves: fc.array(fc.nat({ max: 30 }), { maxLength: 5 }),
});
const share = fc.oneof(
  fc.record({ count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ fraction: fc.double({ min: 0.01, max: 1, noNaN: true }) }),
);

describe("a whole roll-out", () => {
  const most = (given: Share, nodes: number) =>
    Math.max(1, "count" in given ? given.count : Math.floor(given.fraction * nodes + 1e-9));

  test("never goes too far, and none gets a turn after a failure", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), share, fc.array(step, { maxLength: 40 }), (nodes, given, steps) => {
        let candidates = many(nodes, WAITING);
        for (const { ends, fails, moves } of steps) {
          const moving = new Set(moves.map((index) => candidates[index]?.node));
          const now = candidates.map((each) => ({ ...each, hindrance: moving.has(each.node) ? "a move" : undefined }));
          const { turns } = decideTurns(now, given);
          const busy = candidates.filter(({ turn }) => turn?.state === "preparing").length;
          const succeeded = candidates.some(({ turn }) => turn?.state === "none");
          if (turns.length > 0) expect(turns.length + busy).toBeLessThanOrEqual(succeeded ? most(given, nodes) : 1);
          if (candidates.some(({ turn }) => turn?.state === "failed")) expect(turns).toEqual([]);
          for (const node of turns) {
            expect(moving.has(node)).toBe(false);
            expect(candidates.find((each) => each.node === node)?.turn).toEqual(WAITING);
          }
          candidates = stepped(candidates, turns, ends, fails);
        }
      }),
    );
  });

  test("reaches every node when nothing fails and moves end", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), share, (nodes, given) => {
        let candidates = many(nodes, WAITING);
        for (let round = 0; round <= 2 * nodes; round++) {
          candidates = stepped(candidates, decideTurns(candidates, given).turns, 1, false);
        }
        expect(candidates.every(({ turn }) => turn?.state === "none")).toBe(true);
      }),
    );
  });

  function stepped(candidates: Candidate[], turns: readonly string[], ends: number, fails: boolean): Candidate[] {
    let left = ends;
    return candidates.map((each) => {
      if (turns.includes(each.node)) return { ...each, turn: PREPARING };
      if (each.turn?.state !== "preparing" || left-- <= 0) return each;
      return one(each.node, fails && left === 0 ? FAILED : DONE);
    });
  }
});

describe("a silent agent's turn", () => {
  const NOW_MS = Date.parse("2026-01-01T00:10:00Z");
  const silent = (turn: Turn, time = "2026-01-01T00:09:30Z") => ({
    time: "",
    silent: "no answer",
    last: { time, turn },
  });

  test.each<[string, Parameters<typeof turnOf>[0], unknown]>([
    ["is what it says while it answers", { time: "", features: { ...FEATURES, turn: WAITING } }, WAITING],
    ["isn't known before it has answered", { time: "", silent: "no answer" }, undefined],
    ["doesn't come while it waits", silent(WAITING), undefined],
    ["is where it was for a minute", silent(PREPARING), PREPARING],
    ["has failed afterwards", silent(PREPARING, "2026-01-01T00:08:30Z"), expect.objectContaining({ state: "failed" })],
    ["goes on having failed", silent(FAILED), FAILED],
  ])("%s", (_what, report, turn) => {
    expect(turnOf(report, NOW_MS)).toEqual(turn);
  });
});

test("only moves that have begun and not ended hold up their nodes, the source and the target", () => {
  const move = (phase: string, startTime: string | undefined, sourceNode: string, targetNode?: string, spec = {}) =>
    ({ spec, status: podMigrationStatusSchema.parse({ phase, startTime, sourceNode, targetNode }) }) as PodMigration;
  const time = "2026-01-01T00:00:00Z";
  const moves = [
    move("Preflight", time, "n1"),
    move("Restoring", time, "n2", "n3"),
    move("Pending", undefined, "n4"),
    move("Succeeded", time, "n5", "n6"),
    move("Preflight", time, "n7", undefined, { dryRun: true }),
  ];
  expect([...movingNodes(moves)].sort()).toEqual(["n1", "n2", "n3"]);
});
