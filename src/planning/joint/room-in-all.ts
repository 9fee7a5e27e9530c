/** What relief the targets' room admits in all, whoever comes: a bound that does not ask who fits where. */
import type { Packing } from "./packing.ts";
import type { Indexed } from "./problem.ts";

/** More targets, and there is room enough, or asking would take longer than it is worth. */
const MOST_TARGETS = 50;

interface Dimension {
  /** The greatest relief that a unit of it brings. */
  bytesPerUnit: number;
  /** In all targets together. */
  room: number;
}

/** Relief that can still be brought beside what is placed. */
export function roomInAll(problem: Indexed): (packing: Packing) => number {
  const targets = targetsOfAll(problem);
  if (targets === undefined) return () => Number.POSITIVE_INFINITY;
  const count = Math.max(0, ...problem.candidates.map(({ takes }) => takes.length));
  const dimensions = Array.from({ length: count }, (_, dimension) => sumUp(problem, targets, dimension));
  return (packing) => {
    const chosen = packing.chosen().map((index) => problem.candidates[index]);
    return dimensions.reduce((least, { bytesPerUnit, room }, dimension) => {
      if (!Number.isFinite(bytesPerUnit) || !Number.isFinite(room)) return least;
      const taken = chosen.reduce((sum, candidate) => sum + (candidate?.takes[dimension] ?? 0), 0);
      return Math.min(least, bytesPerUnit * Math.max(0, room - taken));
    }, Number.POSITIVE_INFINITY);
  };
}

function targetsOfAll(problem: Indexed): number[] | undefined {
  const targets = new Set<number>();
  for (const [candidate] of problem.candidates.entries()) {
    for (const target of problem.targets(candidate)) targets.add(target);
    if (targets.size > MOST_TARGETS) return undefined;
  }
  return [...targets];
}

function sumUp({ candidates, room }: Indexed, targets: readonly number[], dimension: number): Dimension {
  const classes = [...new Set(candidates.map(({ roomClass }) => roomClass))];
  const most = (target: number) => Math.max(0, ...classes.map((roomClass) => room(target, roomClass)[dimension] ?? 0));
  return {
    bytesPerUnit: Math.max(0, ...candidates.map(({ bytes, takes }) => bytes / (takes[dimension] ?? 0))),
    room: targets.reduce((sum, target) => sum + most(target), 0),
  };
}
