/** Which fault struck in which phase, and how often: over one seed or many. */
import { PHASES } from "./schedule.ts";

/** fault → phase → how often. */
export type Coverage = Record<string, Record<string, number>>;

export function count(coverage: Coverage, fault: string, phase: string, times = 1): void {
  const row = coverage[fault] ?? {};
  coverage[fault] = row;
  row[phase] = (row[phase] ?? 0) + times;
}

export function add(sum: Coverage, more: Coverage): void {
  for (const [fault, row] of Object.entries(more))
    for (const [phase, times] of Object.entries(row)) count(sum, fault, phase, times);
}

interface Row {
  id: string;
  phases?: readonly string[];
}

/** A line for each fault, a column for each phase; `–` where it makes no sense. */
export function table(coverage: Coverage, faults: readonly Row[]): string[] {
  const width = Math.max(5, ...faults.map(({ id }) => id.length));
  const line = (first: string, cells: readonly string[]): string =>
    [first.padEnd(width), ...cells.map((cell, index) => cell.padStart((columns[index] ?? "").length))].join("  ");
  const columns = [...PHASES, "else"];
  const rows = faults.map(({ id, phases }) => {
    const row = coverage[id] ?? {};
    const known = PHASES.map((phase) => (row[phase] || !phases || phases.includes(phase) ? `${row[phase] ?? 0}` : "–"));
    const others = Object.entries(row).filter(([phase]) => !(PHASES as readonly string[]).includes(phase));
    return line(id, [...known, `${others.reduce((sum, [, times]) => sum + times, 0)}`]);
  });
  return [line("fault", columns), ...rows];
}
