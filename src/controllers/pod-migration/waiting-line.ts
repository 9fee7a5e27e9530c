/**
 * Users who ask for moves by hand can't fill nodes and namespaces with them: beyond a cap moves wait in Pending, untouched and without
 * their time running, until others have ended. Moves that a policy asks for are limited by the policy, and count here. Pure.
 */
import { FINAL_PHASES, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import type { Refusal } from "./dependencies.ts";

export interface MoveCaps {
  /** Moves made by hand that may be under way in one namespace. */
  perNamespace: number;
  /** Moves under way from or to one node beyond which those made by hand wait. */
  perNode: number;
}

/** @param nodesOf source and target of a move, as far as they are known. */
export interface WaitingLine {
  moves: readonly PodMigration[];
  nodesOf: (move: PodMigration) => readonly string[];
  caps: MoveCaps;
}

/** Why this move waits; undefined when it may begin. It always may when it was withdrawn, has begun, or comes from a policy. */
export function queuedBehind(move: PodMigration, line: WaitingLine): Refusal | undefined {
  if (!waits(move) || isWithdrawn(move)) return undefined;
  return namespaceFull(move, line) ?? (move.spec.dryRun ? undefined : nodeFull(move, line));
}

function namespaceFull(move: PodMigration, { moves, caps }: WaitingLine): Refusal | undefined {
  const place = placeInNamespace(move, moves);
  if (place < caps.perNamespace) return undefined;
  const { namespace } = move.metadata;
  return queued(
    `namespace ${namespace} has its maximum of ${caps.perNamespace} moves made by hand`,
    place - caps.perNamespace,
  );
}

function nodeFull(move: PodMigration, line: WaitingLine): Refusal | undefined {
  const { moves, nodesOf, caps } = line;
  for (const node of nodesOf(move)) {
    const others = moves.filter((other) => other !== move && !other.spec.dryRun && nodesOf(other).includes(node));
    const begun = others.filter(hasBegun).length;
    const ahead = others.filter((other) => mayBegin(other, line) && comesBefore(other, move, moves)).length;
    if (begun + ahead < caps.perNode) continue;
    return queued(`node ${node} has its maximum of ${caps.perNode} moves`, begun + ahead - caps.perNode);
  }
  return undefined;
}

function queued(full: string, ahead: number): Refusal {
  const others = ahead > 0 ? `; ${ahead} ahead of this one` : "";
  return {
    reason: "Queued",
    message: `${full}${others}. It begins when others have ended; spec.timeout runs from then`,
  };
}

function mayBegin(move: PodMigration, { moves, caps }: WaitingLine): boolean {
  return waits(move) && !isWithdrawn(move) && placeInNamespace(move, moves) < caps.perNamespace;
}

/** How many of its namespace's moves made by hand come before it: those that have begun, and older ones. Dry runs have a line of their own. */
function placeInNamespace(move: PodMigration, moves: readonly PodMigration[]): number {
  const isAlike = ({ metadata, spec }: PodMigration): boolean =>
    metadata.namespace === move.metadata.namespace && (spec.dryRun ?? false) === (move.spec.dryRun ?? false);
  const own = moves.filter((other) => byHand(other) && isAlike(other));
  return own.filter((other) => hasBegun(other) || (waits(other) && created(other) < created(move))).length;
}

/** Namespaces take turns: one that asks for a hundred moves doesn't put them all before another's first. */
function comesBefore(other: PodMigration, move: PodMigration, moves: readonly PodMigration[]): boolean {
  const [theirs, ours] = [placeInNamespace(other, moves), placeInNamespace(move, moves)];
  return theirs === ours ? created(other) < created(move) : theirs < ours;
}

const byHand = ({ spec }: PodMigration): boolean => spec.policyName === undefined;
const isOver = ({ status }: PodMigration): boolean => FINAL_PHASES.has(status?.phase ?? "Pending");
const hasBegun = (move: PodMigration): boolean => move.status?.startTime !== undefined && !isOver(move);
const waits = (move: PodMigration): boolean => byHand(move) && move.status?.startTime === undefined && !isOver(move);
const isWithdrawn = ({ spec, metadata }: PodMigration): boolean =>
  (spec.cancel && !spec.dryRun) || metadata.deletionTimestamp !== undefined;

function created({ metadata }: PodMigration): string {
  return `${new Date(metadata.creationTimestamp ?? 0).toISOString()} ${metadata.uid}`;
}
