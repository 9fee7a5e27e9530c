/** A plan as a table for people. */
import { formatBytes } from "../../api/quantity.ts";
import type { Decision } from "../../planning/decision.ts";
import { table } from "../table.ts";
import { leadingFindings, type MigrationPlan } from "./plan-document.ts";

const MAX_ROWS = 50;
const OUTCOMES: Readonly<Record<MigrationPlan["outcome"], string>> = {
  Moves: "pods are to be moved now",
  NodesFull: "pods should move, and no node has room: it is time to add a node",
  Waiting: "nothing yet",
  NothingToDo: "nothing to do",
};

/** `decision`: what the plan was made from; its sentences are shown beside the figures. */
export function renderPlan(plan: MigrationPlan, decision: Decision): string {
  return [
    `${plan.outcome}: ${OUTCOMES[plan.outcome]} (${plan.time})`,
    ...section(
      ["POD", "FROM", "TO", "MEMORY", "STARTS", "TAKES", "POLICY"],
      plan.moves.map((move) => moveRow(move, plan.time)),
    ),
    ...section(
      ["NODE", "FREE", "MUST FREE", "FULL AT", "OUTCOME", "WHY"],
      leadingFindings(decision.nodes).map(nodeRow),
    ),
    ...section(
      ["NODE", "SCHEDULING GATE"],
      plan.gates.map(({ node, closed }) => [node, closed ? "closed" : "opens"]),
    ),
    ...section(["POD", "NODE", "NOT BECAUSE", ""], plan.refusals.map(refusalRow)),
  ].join("\n");
}

/** Nothing where there are no rows. */
function section(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const more = rows.length - MAX_ROWS;
  return ["", table(header, rows.slice(0, MAX_ROWS)), ...(more > 0 ? [`… and ${more} more (-o json shows all)`] : [])];
}

/** `now`: the plan's time. */
function moveRow(move: MigrationPlan["moves"][number], now: string): string[] {
  const { namespace, pod, from, to, bytes, startAt, expectedSeconds, policy } = move;
  const starts = startAt === now ? "now" : clockTime(startAt);
  return [`${namespace}/${pod}`, from, to, formatBytes(bytes), starts, `${expectedSeconds}s`, policy];
}

/** Within a day the date is clear. */
const clockTime = (time: string) => time.slice(11, 19);

function nodeRow(finding: Decision["nodes"][number]): string[] {
  const { name, freeBytes, pressureBytes, exhaustedAtMs, reason, message } = finding;
  const free = freeBytes === undefined ? "-" : formatBytes(freeBytes);
  const full = exhaustedAtMs === undefined ? "-" : new Date(exhaustedAtMs).toISOString().slice(0, 19);
  return [name, free, pressureBytes > 0 ? formatBytes(pressureBytes) : "-", full, reason, message];
}

function refusalRow({ namespace, pod, node, reason, message }: MigrationPlan["refusals"][number]): string[] {
  return [pod === undefined ? "any" : `${namespace}/${pod}`, node ?? "any", reason, message];
}
