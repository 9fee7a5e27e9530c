/** Small and large joint problems drawn from a seed: nodes short of memory, their pods, and targets with tight or ample room. */
import type { Demand, JointCandidate, JointProblem } from "../../../src/planning/joint/problem.ts";

export interface Shape {
  demands: number;
  /** Of each demand. */
  candidates: number;
  targets: number;
  /** Room of all targets together, as a part of all that is needed. */
  room: number;
  /** Moves at most in all; absent: any number. */
  mostMoves?: number;
}

export interface DrawnTarget {
  name: string;
  /** By class of room, then by dimension. */
  rooms: readonly (readonly number[])[];
}

/** A problem whose parts can be listed, for solvers that want them all. */
export interface DrawnProblem extends JointProblem {
  targets: readonly DrawnTarget[];
  fits(candidate: JointCandidate, target: DrawnTarget): boolean;
}

/** Mulberry32: numbers from 0 to below 1 that depend on the seed alone. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const MI = 2 ** 20;
const CLASSES = 2;

export function drawProblem(seed: number, shape: Shape): DrawnProblem {
  const random = randomFrom(seed);
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const demands = Array.from({ length: shape.demands }, (_, index) => ({
    name: `d${index}`,
    bytes: 0,
    urgency: between(0, 1),
  }));
  const candidates = demands.flatMap(({ name }, demand) =>
    Array.from({ length: shape.candidates }, (_, index) => drawCandidate(`${name}-c${index}`, name, demand, random)),
  );
  const needed = demands.map((demand): Demand => {
    const own = candidates.filter((one) => one.demand === demand.name);
    const all = own.reduce((sum, { bytes }) => sum + bytes, 0);
    return { ...demand, bytes: Math.max(MI, Math.floor(all * (0.1 + 0.5 * random()))) };
  });
  const total = needed.reduce((sum, { bytes }) => sum + bytes, 0);
  const targets = Array.from({ length: shape.targets }, (_, index) => {
    const bytes = Math.floor(((shape.room * total) / shape.targets) * (0.5 + random()));
    const slots = between(1, 4);
    return {
      name: `t${index}`,
      rooms: [
        [bytes, Math.floor(bytes * 1.2), slots],
        [Math.floor(bytes * 0.8), bytes, slots],
      ],
    };
  });
  const bars = new Set(
    candidates.flatMap(({ name }) => targets.flatMap((one) => (random() < 0.15 ? [`${name} ${one.name}`] : []))),
  );
  const fits = (candidate: JointCandidate, target: DrawnTarget) =>
    !bars.has(`${candidate.name} ${target.name}`) &&
    candidate.takes.every((amount, dimension) => amount <= (target.rooms[candidate.roomClass]?.[dimension] ?? 0));
  const byName = new Map(candidates.map((one) => [one.name, one]));
  return {
    demands: needed,
    candidates,
    mostMoves: shape.mostMoves ?? Number.POSITIVE_INFINITY,
    budgets: demands.map(() => between(1, shape.candidates)),
    targets,
    fits,
    targetsOf(name, most) {
      const candidate = byName.get(name);
      if (candidate === undefined) return [];
      return targets
        .filter((target) => fits(candidate, target))
        .map((target) => target.name)
        .slice(0, most);
    },
    roomOn: (name, roomClass) => targets.find((target) => target.name === name)?.rooms[roomClass] ?? [],
  };
}

/** Costs go with size, as freezes do, times a weight and earlier moves, plus a risk that does not. */
function drawCandidate(name: string, demand: string, budget: number, random: () => number): JointCandidate {
  const bytes = Math.floor(64 * MI * 2 ** (7 * random()));
  const freezeSeconds = 0.5 + bytes / (2 ** 30 / 0.8);
  const weight = [1, 1, 1, 0.5, 4][Math.floor(random() * 5)] ?? 1;
  const cost = freezeSeconds * weight * 2 ** Math.floor(random() * 3) + 2 * random();
  const takes = [bytes, Math.floor(bytes * (0.5 + random())), 1];
  return { name, demand, bytes, cost, takes, roomClass: Math.floor(random() * CLASSES), budgets: [budget] };
}
