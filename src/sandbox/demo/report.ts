/** The demo's last lines: both phases side by side. Pure. */
import type { ChalkInstance } from "chalk";
import { seconds } from "./journal.ts";
import type { PhaseOutcome } from "./phase.ts";

export function reportLines(without: PhaseOutcome, withHeadroom: PhaseOutcome, palette: ChalkInstance): string[] {
  const rows: [string, string, string][] = [
    ["", "without", "with Headroom"],
    ["killed for lack of memory", String(killed(without)), String(killed(withHeadroom))],
    ["work lost", lost(without), lost(withHeadroom)],
    ["pods moved", String(without.freezes.length), String(withHeadroom.freezes.length)],
    ["stood still for a move, in all", frozen(without), frozen(withHeadroom)],
  ];
  const saved =
    total(without.losses.map(({ workMs }) => workMs)) - total(withHeadroom.losses.map(({ workMs }) => workMs));
  const avoided = killed(without) - killed(withHeadroom);
  const lines = rows.map(([what, a, b], i) => {
    const line = `${what.padEnd(32)}${a.padStart(10)}${b.padStart(16)}`;
    return i === 0 ? palette.bold(line) : line;
  });
  const verdict = `${avoided} ${avoided === 1 ? "kill" : "kills"} avoided and ${seconds(saved)} of work saved, for ${frozen(withHeadroom)} of standing still.`;
  return [...lines, "", palette.bold(verdict), ...withHeadroom.violations.map((violation) => palette.red(violation))];
}

/** Of the forecast's scene. */
export function forecastLines({ losses, freezes, marked, violations }: PhaseOutcome, palette: ChalkInstance): string[] {
  const moved = freezes.map(({ fromNode, toNode }) => `a pod of ${fromNode} to ${toNode}`);
  const left = marked.filter((node) => !freezes.some(({ fromNode }) => fromNode === node));
  const early = freezes.filter(({ fromNode }) => !marked.includes(fromNode)).map(({ fromNode }) => fromNode);
  const lines = [
    `moved: ${moved.join(", ") || "nothing"}${early.length > 0 ? `; ${early.join(", ")} was not yet short` : ""}`,
    `left alone: what runs on ${left.join(", ") || "no other node"}, which filled up and had room enough`,
    `killed for lack of memory: ${losses.length}`,
  ];
  return ["", ...lines.map((line) => palette.bold(line)), ...violations.map((violation) => palette.red(violation))];
}

/** Whose last copy was killed. A frozen source that the kernel takes after the commit is no loss: its copy goes on. */
const killed = ({ losses }: PhaseOutcome): number => losses.length;
const total = (values: number[]): number => values.reduce((sum, value) => sum + value, 0);
const lost = ({ losses }: PhaseOutcome): string => seconds(total(losses.map(({ workMs }) => workMs)));
const frozen = ({ freezes }: PhaseOutcome): string => seconds(total(freezes.map(({ milliseconds }) => milliseconds)));
