import { describe, expect, it } from "vitest";
import { catalogue } from "../e2e/chaos/catalogue.ts";
import { PHASES, type Phase, type Schedule, scheduleOf } from "../e2e/chaos/schedule.ts";

const strikesOf = ({ chains }: Schedule) => chains.flatMap(({ moves }) => moves.flatMap(({ strikes }) => strikes));

function timesOf(schedules: readonly Schedule[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const { fault, phase } of schedules.flatMap(strikesOf)) {
    times.set(`${fault} in ${phase}`, (times.get(`${fault} in ${phase}`) ?? 0) + 1);
  }
  return times;
}

const seeds = (count: number, moves: number): Schedule[] =>
  Array.from({ length: count }, (_, index) => scheduleOf(index + 1, moves, catalogue));

describe("the schedule of a seed", () => {
  it("is the same each time", () => {
    expect(scheduleOf(7, 5, catalogue)).toEqual(scheduleOf(7, 5, catalogue));
    expect(scheduleOf(7, 5, catalogue)).not.toEqual(scheduleOf(8, 5, catalogue));
  });

  it.each([1, 2, 3, 5, 11])("has as many moves as were asked for: %i", (moves) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { chains } = scheduleOf(seed, moves, catalogue);
      expect(chains.flatMap((chain) => chain.moves)).toHaveLength(moves);
    }
  });

  it("strikes with every fault in each of its phases three times in 60 seeds of 6 moves", () => {
    const times = timesOf(seeds(60, 6));
    const wanted = catalogue.flatMap(({ id, phases }) => (phases ?? PHASES).map((phase) => `${id} in ${phase}`));
    expect(wanted.filter((pair) => (times.get(pair) ?? 0) < 3)).toEqual([]);
  });

  it("strikes only at what a fault can happen to, and stays within its times", () => {
    for (const { chains } of seeds(60, 5)) {
      for (const { kind, moves } of chains) {
        for (const { fault: id, phase, seconds } of moves.flatMap(({ strikes }) => strikes)) {
          const fault = catalogue.find((one) => one.id === id);
          expect(fault?.kinds ?? [kind]).toContain(kind);
          expect(fault?.phases ?? PHASES).toContain(phase);
          expect(seconds).toBeGreaterThanOrEqual(fault?.seconds[0] ?? 0);
          expect(seconds).toBeLessThanOrEqual(fault?.seconds[1] ?? 0);
        }
      }
    }
  });

  it("strikes only with the faults that are given, and with none when none is", () => {
    const facts = { id: "only", seconds: [1, 2], phases: ["Frozen"] as Phase[] } as const;
    expect(new Set(strikesOf(scheduleOf(1, 4, [facts])).map(({ fault }) => fault))).toEqual(new Set(["only"]));
    expect(strikesOf(scheduleOf(1, 4, []))).toEqual([]);
  });
});
