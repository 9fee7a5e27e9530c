/** Which finished PodMigrations of a policy are more than it keeps. Pure. */
import { POLICY_LABEL } from "../../api/v1alpha1/group.ts";
import { FINAL_PHASES, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { LONGEST_BACK_OFF_SECONDS } from "../../planning/eligibility/history.ts";

const finishedAtMs = ({ status }: PodMigration) => Date.parse(status?.completionTime ?? "");

/** The oldest first. One that did not succeed stays as long as it may still hold its pod back. */
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
    one.status?.phase !== "Succeeded" && nowMs - finishedAtMs(one) < LONGEST_BACK_OFF_SECONDS * 1000;
  return finished.slice(0, Math.max(0, finished.length - keep)).filter((one) => !holdsBack(one));
}
