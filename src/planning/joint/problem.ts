/**
 * The joint plan: which pods leave several short nodes and where each goes, decided for all of them at once.
 *
 * The formulation is a covering (minimisation) knapsack for each short node (Kellerer, Pferschy & Pisinger, Knapsack Problems, 2004,
 * chapter 13) whose items must also be packed into targets with room in several dimensions (multiple knapsack, chapter 10), under
 * budgets of moves. Lexicographic: least relief missing, the most urgent nodes first; then least cost; then fewest moves.
 */
import { compareText } from "../order.ts";

/** A short node of one policy. */
export interface Demand {
  name: string;
  /** What it must free; positive. */
  bytes: number;
  /** Lower counts first; relief missing is added up among those of the same urgency. */
  urgency: number;
}

/** A pod that could move. Which nodes it may go to is asked of {@link JointProblem.targetsOf}. */
export interface JointCandidate {
  /** Unique. */
  name: string;
  demand: string;
  /** What its node is relieved of; positive. */
  bytes: number;
  /** Not negative, finite. */
  cost: number;
  /** What it takes of a target's room, in each dimension. */
  takes: readonly number[];
  /** Under whose rules about room it moves: see {@link JointProblem.roomOn}. */
  roomClass: number;
  /** Indices of the budgets that it counts in. */
  budgets: readonly number[];
}

export interface JointProblem {
  demands: readonly Demand[];
  candidates: readonly JointCandidate[];
  /** Moves at most, in all. */
  mostMoves: number;
  /** Moves at most among the candidates that count in each. */
  budgets: readonly number[];
  /**
   * Targets that would take the candidate if nothing else moved, the preferred first, `most` of them at most. A candidate never needs
   * more targets than there are moves: the others occupy fewer, so one of its own is left untouched.
   */
  targetsOf(candidate: string, most: number): readonly string[];
  /** Room in each dimension. A target holds what comes when it is within the room of every class that comes. */
  roomOn(target: string, roomClass: number): readonly number[];
}

export interface JointPlan {
  /** In the order of their demands. */
  moves: { candidate: string; target: string }[];
  /** Of each demand, by name. */
  missingBytes: ReadonlyMap<string, number>;
  cost: number;
  /** Proved that there is no better one. */
  exact: boolean;
  steps: number;
}

/** A demand with its candidates side by side. */
export interface IndexedDemand extends Demand {
  level: number;
  /** Its candidates are those from `first` to before `end`. */
  first: number;
  end: number;
}

export interface IndexedCandidate extends Omit<JointCandidate, "demand"> {
  demand: number;
}

/** A problem in a fixed order, so that the order of its input never matters. */
export interface Indexed {
  demands: readonly IndexedDemand[];
  /** By demand, the cheapest for their bytes first, then by name. */
  candidates: readonly IndexedCandidate[];
  levels: number;
  mostMoves: number;
  budgets: readonly number[];
  /** Numbers of the candidate's targets; worked out when first asked for. */
  targets(candidate: number): readonly number[];
  targetName(target: number): string;
  room(target: number, roomClass: number): readonly number[];
}

/** Candidates whose figures are no numbers, or that bring nothing, are left out. */
function isSound({ bytes, cost, takes }: JointCandidate): boolean {
  return bytes > 0 && Number.isFinite(bytes) && cost >= 0 && Number.isFinite(cost) && takes.every(Number.isFinite);
}

const byRatio = (a: JointCandidate, b: JointCandidate) =>
  a.cost / a.bytes - b.cost / b.bytes || b.bytes - a.bytes || compareText(a.name, b.name);

export function indexProblem(problem: JointProblem): Indexed {
  const levels = [...new Set(problem.demands.map(({ urgency }) => urgency))].sort((a, b) => a - b);
  const sorted = problem.demands.toSorted(
    (a, b) => a.urgency - b.urgency || b.bytes - a.bytes || compareText(a.name, b.name),
  );
  const byDemand = Map.groupBy(problem.candidates.filter(isSound), ({ demand }) => demand);
  const candidates: IndexedCandidate[] = [];
  const demands = sorted.map((demand, index): IndexedDemand => {
    const first = candidates.length;
    const own = (byDemand.get(demand.name) ?? []).toSorted(byRatio);
    candidates.push(...own.map((candidate) => ({ ...candidate, demand: index })));
    return { ...demand, level: levels.indexOf(demand.urgency), first, end: candidates.length };
  });
  const mostMoves = Math.max(0, Math.min(problem.mostMoves, candidates.length));
  const { budgets } = problem;
  return {
    demands,
    candidates,
    levels: levels.length,
    mostMoves,
    budgets,
    ...indexTargets(problem, candidates, mostMoves),
  };
}

function indexTargets(problem: JointProblem, candidates: readonly IndexedCandidate[], mostMoves: number) {
  const numbers = new Map<string, number>();
  const names: string[] = [];
  const lists: (readonly number[] | undefined)[] = [];
  const rooms = new Map<number, (readonly number[])[]>();
  const numberOf = (name: string) => {
    const known = numbers.get(name) ?? names.push(name) - 1;
    numbers.set(name, known);
    return known;
  };
  const targets = (candidate: number): readonly number[] => {
    const name = candidates[candidate]?.name ?? "";
    const list = lists[candidate] ?? problem.targetsOf(name, mostMoves).map(numberOf);
    lists[candidate] = list;
    return list;
  };
  const room = (target: number, roomClass: number): readonly number[] => {
    const ofTarget = rooms.get(target) ?? [];
    rooms.set(target, ofTarget);
    const known = ofTarget[roomClass] ?? problem.roomOn(names[target] ?? "", roomClass);
    ofTarget[roomClass] = known;
    return known;
  };
  return { targets, targetName: (target: number) => names[target] ?? "", room };
}
