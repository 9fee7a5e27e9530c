/** Which finished PodMigrations of a policy are more than it keeps. Pure. */
import { POLICY_LABEL } from "../../api/v1alpha1/group.ts";
import { FINAL_PHASES, NOT_CARRIED, type PodMigration, wentWell } from "../../api/v1alpha1/pod-migration.ts";
import { FAILED_MOVE_REST, FAILED_PROGRAM_REST, NOT_CARRIED_REST } from "../../planning/eligibility/history.ts";

const finishedAtMs = ({ status }: PodMigration) => Date.parse(status?.completionTime ?? "");

/** The oldest first. One that did not go well stays as long as it may still hold its pod back. */
export function surplusHistory(
  migrations: readonly PodMigration[],
  policyName: string,
  keep: number,
  nowMs: number,
): PodMigration[] {
  const finished = migrations
    .filter(({ metadata, status }) => metadata.labels?.[POLICY_LABEL] === policyName && status !== undefined)
    .filter((one) => FINAL_PHASES.has(one.status?.phase ?? "Pending") && !Number.isNaN(finishedAtMs(one)))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .sort((a, b) => finishedAtMs(a) - finishedAtMs(b));
  const holdsBack = (one: PodMigration) =>
    !wentWell(one.status) && nowMs - finishedAtMs(one) < restAfter(one).longestSeconds * 1000;
  return finished.slice(0, Math.max(0, finished.length - keep)).filter((one) => !holdsBack(one));
}

const restAfter = ({ status }: PodMigration) => {
  if (status?.reason === NOT_CARRIED) return NOT_CARRIED_REST;
  return status?.phase === "Succeeded" ? FAILED_PROGRAM_REST : FAILED_MOVE_REST;
};
