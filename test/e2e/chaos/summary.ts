/** What many seeds have shown, as text. */
import { add, type Coverage, table } from "./coverage.ts";
import type { FaultFacts } from "./schedule.ts";
import type { SeedResult } from "./seed.ts";

/** Lines for a terminal, and for docs/reliability.md. */
export function summary(results: readonly SeedResult[], faults: readonly FaultFacts[]): string[] {
  const sum = (figure: (result: SeedResult) => number): number =>
    results.reduce((total, result) => total + figure(result), 0);
  const coverage: Coverage = {};
  const [ends, cells] = [new Map<string, number>(), new Map<string, number>()];
  for (const { strikes, otherEnds, unavoidable } of results) {
    add(coverage, strikes);
    for (const [end, times] of Object.entries(otherEnds)) ends.set(end, (ends.get(end) ?? 0) + times);
    for (const { cell } of unavoidable) cells.set(cell, (cells.get(cell) ?? 0) + 1);
  }
  const strikes = Object.values(coverage).flatMap((row) => Object.values(row));
  return [
    `${results.length} seeds, ${sum(({ moves }) => moves)} moves, ${strikes.reduce((a, b) => a + b, 0)} faults`,
    `committed ${sum(({ committed }) => committed)}, rolled back ${sum(({ rolledBack }) => rolledBack)}${told(ends)}`,
    `unavoidable ${sum(({ unavoidable }) => unavoidable.length)}${told(cells)}`,
    ...["lost", "doubled", "damaged", "silent", "stuck", "disagrees", "left behind"].map(
      (kind) => `${kind} ${sum(({ found }) => found.filter((sentence) => sentence.startsWith(kind)).length)}`,
    ),
    `longest silence of a process ${(Math.max(0, ...results.map(({ worstSilenceMs }) => worstSilenceMs)) / 1000).toFixed(1)} s`,
    "",
    ...table(coverage, faults),
  ];
}

function told(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([what, times]) => `; ${what} ${times}`)
    .join("");
}
