/** The nodes as text for people. */
import { formatBytes } from "../../api/quantity.ts";
import { table } from "../table.ts";
import type { NodeView } from "./inspect.ts";

const OF_NODE = ["NODE", "AGENT", "KUBERNETES", "CPU"];
const OF_AGENT = ["KERNEL", "CGROUP", "LSM", "CONTAINERD", "RUNC", "CRIU", "SELF-TEST", "STAGING", "CERTIFICATE"];
/** Shown for what isn't known. */
const UNKNOWN = "-";

export function renderNodes(nodes: readonly NodeView[]): string {
  const problems = nodes.flatMap(({ name, problems: own }) => own.map((problem) => `${name}: ${problem}`));
  return [table([...OF_NODE, ...OF_AGENT], nodes.map(row)), ...(problems.length > 0 ? ["", ...problems] : [])].join(
    "\n",
  );
}

function row({ name, agent, kubernetes = UNKNOWN, architecture = UNKNOWN, report }: NodeView): string[] {
  const { features } = report ?? {};
  const ofNode = [name, agent, kubernetes, architecture];
  if (features === undefined) return [...ofNode, ...OF_AGENT.map(() => UNKNOWN)];
  return [
    ...ofNode,
    features.kernel,
    `v${features.cgroupVersion} ${features.cgroupDriver ?? ""}`.trim(),
    features.lsm ?? UNKNOWN,
    features.containerdVersion,
    features.runcVersion,
    features.criuVersion,
    selfTest(features.verdicts),
    `${formatBytes(features.stagingBudgetBytes - features.stagingFreeBytes)} of ${formatBytes(features.stagingBudgetBytes)}`,
    features.certificateEnds === undefined ? UNKNOWN : `until ${features.certificateEnds.slice(0, 10)}`,
  ];
}

function selfTest(verdicts: readonly { kind: string; ok: boolean }[]): string {
  if (verdicts.length === 0) return "none";
  const failed = verdicts.filter(({ ok }) => !ok).map(({ kind }) => kind);
  return failed.length === 0 ? "passed" : `failed: ${failed.join(",")}`;
}
