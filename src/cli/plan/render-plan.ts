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
    ...section(["POD", "FROM", "TO", "MEMORY", "TAKES", "POLICY"], plan.moves.map(moveRow)),
    ...section(["NODE", "FREE", "MUST FREE", "OUTCOME", "WHY"], leadingFindings(decision.nodes).map(nodeRow)),
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

function moveRow({
  namespace,
  pod,
  from,
  to,
  bytes,
  expectedSeconds,
  policy,
}: MigrationPlan["moves"][number]): string[] {
  return [`${namespace}/${pod}`, from, to, formatBytes(bytes), `${expectedSeconds}s`, policy];
}

function nodeRow({ name, freeBytes, pressureBytes, reason, message }: Decision["nodes"][number]): string[] {
  const free = freeBytes === undefined ? "-" : formatBytes(freeBytes);
  return [name, free, pressureBytes > 0 ? formatBytes(pressureBytes) : "-", reason, message];
}

function refusalRow({ namespace, pod, node, reason, message }: MigrationPlan["refusals"][number]): string[] {
  return [pod === undefined ? "any" : `${namespace}/${pod}`, node ?? "any", reason, message];
}
