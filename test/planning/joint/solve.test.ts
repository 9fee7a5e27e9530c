import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { greedy } from "../../../src/planning/joint/greedy.ts";
import {
  indexProblem,
  type JointCandidate,
  type JointPlan,
  type JointProblem,
} from "../../../src/planning/joint/problem.ts";
import { compareScores, scoreOf } from "../../../src/planning/joint/score.ts";
import { planJointly } from "../../../src/planning/joint/solve.ts";
import { type DrawnProblem, drawProblem, type Shape } from "./random-problem.ts";
import { missingByLevel } from "./regret.ts";

/** `[bytes, cost]` of each pod, by its name. */
type Pods = Record<string, readonly [bytes: number, cost: number]>;

function problem(
  demands: Record<string, { bytes: number; urgency?: number; pods: Pods }>,
  targets: Record<string, number>,
  more: Partial<Pick<JointProblem, "mostMoves" | "targetsOf">> = {},
): JointProblem {
  return {
    demands: Object.entries(demands).map(([name, { bytes, urgency = 0 }]) => ({ name, bytes, urgency })),
    candidates: Object.entries(demands).flatMap(([demand, { pods }]) =>
      Object.entries(pods).map(([name, [bytes, cost]]) => ({
        ...{ name, demand, bytes, cost, takes: [bytes], roomClass: 0, budgets: [] },
      })),
    ),
    mostMoves: Number.POSITIVE_INFINITY,
    budgets: [],
    targetsOf: () => Object.keys(targets),
    roomOn: (name) => [targets[name] ?? 0],
    ...more,
  };
}

const chosen = (plan: JointPlan) => plan.moves.map(({ candidate, target }) => `${candidate}→${target}`).sort();

describe("a joint plan by hand", () => {
  it("takes the cheapest pods that together suffice, not the biggest", () => {
    const plan = planJointly(
      problem({ n: { bytes: 50, pods: { big: [60, 10], b: [30, 2], c: [25, 2], d: [5, 1] } } }, { t: 100 }),
    );
    expect(chosen(plan)).toEqual(["b→t", "c→t"]);
    expect(plan).toMatchObject({ cost: 4, exact: true });
  });

  it("takes fewer moves at the same cost, then the first by name", () => {
    const pods: Pods = { a: [25, 1], b: [25, 1], z: [50, 2], y: [50, 2] };
    expect(chosen(planJointly(problem({ n: { bytes: 50, pods } }, { t: 100 })))).toEqual(["y→t"]);
  });

  it("brings what relief it can when not all can be brought", () => {
    const plan = planJointly(problem({ n: { bytes: 50, pods: { a: [30, 9], b: [20, 1] } } }, { t: 35 }));
    expect(chosen(plan)).toEqual(["a→t"]);
    expect(plan.missingBytes.get("n")).toBe(20);
  });

  it("gives room to the urgent node first, and to the greater relief among equals", () => {
    const both = (urgency: number) =>
      problem(
        { small: { bytes: 20, urgency, pods: { s: [20, 1] } }, big: { bytes: 30, urgency: 1, pods: { b: [30, 1] } } },
        { t: 30 },
      );
    expect(chosen(planJointly(both(0)))).toEqual(["s→t"]);
    expect(chosen(planJointly(both(1)))).toEqual(["b→t"]);
  });

  it("packs two nodes' pods where taking each node by itself would leave one without room", () => {
    // Alone, n1's cheapest is `x`, which fills the only target that `y` may go to.
    const only: Record<string, string[]> = { x: ["t1", "t2"], y: ["t1"] };
    const shared = problem(
      { n1: { bytes: 40, pods: { x: [40, 1] } }, n2: { bytes: 50, pods: { y: [50, 1] } } },
      { t1: 50, t2: 40 },
      { targetsOf: (name) => only[name] ?? [] },
    );
    expect(chosen(planJointly(shared))).toEqual(["x→t2", "y→t1"]);
  });

  it("picks a costlier pod of one node when the cheap one's room is needed by another's", () => {
    const only: Record<string, string[]> = { cheap: ["t1"], dear: ["t2"], other: ["t1"] };
    const shared = problem(
      { n1: { bytes: 40, pods: { cheap: [40, 1], dear: [40, 5] } }, n2: { bytes: 40, pods: { other: [40, 1] } } },
      { t1: 40, t2: 40 },
      { targetsOf: (name) => only[name] ?? [] },
    );
    expect(chosen(planJointly(shared))).toEqual(["dear→t2", "other→t1"]);
  });

  it("keeps to the number of moves, with the greatest relief", () => {
    const pods: Pods = { a: [20, 1], b: [20, 1], c: [35, 50] };
    const plan = planJointly(problem({ n: { bytes: 40, pods } }, { t: 100 }, { mostMoves: 1 }));
    expect(chosen(plan)).toEqual(["c→t"]);
  });

  it("plans nothing without demands, pods, targets or sound figures", () => {
    const nothing = { moves: [], cost: 0, exact: true };
    expect(planJointly(problem({}, { t: 10 }))).toMatchObject(nothing);
    expect(planJointly(problem({ n: { bytes: 5, pods: {} } }, { t: 10 }))).toMatchObject(nothing);
    expect(planJointly(problem({ n: { bytes: 5, pods: { a: [5, 1] } } }, {}))).toMatchObject(nothing);
    const bad: Pods = { a: [Number.NaN, 1], b: [5, Number.POSITIVE_INFINITY], c: [0, 1], d: [5, -1] };
    expect(planJointly(problem({ n: { bytes: 5, pods: bad } }, { t: 10 }))).toMatchObject(nothing);
  });
});

const shapeArb: fc.Arbitrary<Shape> = fc.record(
  {
    demands: fc.integer({ min: 1, max: 4 }),
    candidates: fc.integer({ min: 1, max: 9 }),
    targets: fc.integer({ min: 1, max: 5 }),
    room: fc.constantFrom(0.3, 0.8, 1.2, 4),
    mostMoves: fc.integer({ min: 1, max: 6 }),
  },
  { requiredKeys: ["demands", "candidates", "targets", "room"] },
);
const problemArb = fc.tuple(fc.nat(), shapeArb).map(([seed, shape]) => drawProblem(seed, shape));
/** Enough to prove most; few; and none beyond the first plan. */
const stepsArb = fc.constantFrom(50_000, 2000, 0);

const byName = (drawn: DrawnProblem) => new Map(drawn.candidates.map((one) => [one.name, one]));

function arrivals(drawn: DrawnProblem, plan: JointPlan, target: string): JointCandidate[] {
  const all = byName(drawn);
  return plan.moves.flatMap((move) => (move.target === target ? (all.get(move.candidate) ?? []) : []));
}

const total = (list: readonly JointCandidate[], dimension: number) =>
  list.reduce((sum, { takes }) => sum + (takes[dimension] ?? 0), 0);

describe("whatever the problem and the steps", () => {
  it("no target is planned beyond its room, in any dimension, under the rules of any that come", () => {
    fc.assert(
      fc.property(problemArb, stepsArb, (drawn, steps) => {
        const plan = planJointly(drawn, steps);
        for (const target of drawn.targets) {
          const coming = arrivals(drawn, plan, target.name);
          for (const { roomClass } of coming) {
            const room = target.rooms[roomClass] ?? [];
            for (const [dimension, most] of room.entries()) expect(total(coming, dimension)).toBeLessThanOrEqual(most);
          }
          for (const one of coming) expect(drawn.fits(one, target)).toBe(true);
        }
      }),
    );
  });

  it("no pod moves twice, and no budget of moves is exceeded", () => {
    fc.assert(
      fc.property(problemArb, stepsArb, (drawn, steps) => {
        const names = planJointly(drawn, steps).moves.map(({ candidate }) => candidate);
        expect(new Set(names).size).toBe(names.length);
        expect(names.length).toBeLessThanOrEqual(drawn.mostMoves);
        const all = byName(drawn);
        for (const [budget, most] of drawn.budgets.entries()) {
          expect(names.filter((name) => all.get(name)?.budgets.includes(budget)).length).toBeLessThanOrEqual(most);
        }
      }),
    );
  });

  it("no move could be left out, and what is said to be missing is missing", () => {
    fc.assert(
      fc.property(problemArb, stepsArb, (drawn, steps) => {
        const plan = planJointly(drawn, steps);
        const all = byName(drawn);
        for (const demand of drawn.demands) {
          const own = plan.moves
            .flatMap(({ candidate }) => all.get(candidate) ?? [])
            .filter((one) => one.demand === demand.name);
          const relief = own.reduce((sum, { bytes }) => sum + bytes, 0);
          expect(plan.missingBytes.get(demand.name)).toBe(Math.max(0, demand.bytes - relief));
          for (const { bytes } of own) expect(relief - bytes).toBeLessThan(demand.bytes);
        }
      }),
    );
  });

  it("the plan is never worse than the first, greedy one, and more steps never make it worse than none", () => {
    fc.assert(
      fc.property(problemArb, stepsArb, (drawn, steps) => {
        const indexed = indexProblem(drawn);
        const plan = planJointly(drawn, steps);
        const score = { missing: missingByLevel(drawn, plan.missingBytes), cost: plan.cost, moves: plan.moves.length };
        expect(compareScores(score, scoreOf(indexed, greedy(indexed).chosen()))).toBeLessThanOrEqual(0);
      }),
    );
  });

  it("the order of nodes and pods never matters", () => {
    fc.assert(
      fc.property(problemArb, stepsArb, fc.infiniteStream(fc.nat()), (drawn, steps, numbers) => {
        const shuffle = <T>(list: readonly T[]) =>
          list
            .map((item) => ({ item, at: numbers.next().value ?? 0 }))
            .sort((a, b) => a.at - b.at)
            .map(({ item }) => item);
        const shuffled = { ...drawn, demands: shuffle(drawn.demands), candidates: shuffle(drawn.candidates) };
        expect(planJointly(shuffled, steps)).toEqual(planJointly(drawn, steps));
      }),
    );
  });
});
