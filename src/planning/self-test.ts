/** What a node's self-test says of a pod. */
import type { Reason } from "./decision.ts";
import type { NodeSnapshot, PodSnapshot } from "./snapshot.ts";

/** In words, by the kind of container; the keys are those of the agents' verdicts. */
export const KINDS_IN_WORDS: Readonly<Record<string, string>> = {
  root: "containers that run as root",
  user: "containers that run as another user than root",
  seccomp: "containers under a seccomp profile",
  apparmor: "containers under AppArmor",
  dirtyTracking: "containers that are dumped in rounds",
  lazyPages: "containers whose memory is filled while they run",
};

/** Dumped on one node, restored on another: both must have shown that they can. */
export function selfTestRefusal(
  { kinds = [] }: Pick<PodSnapshot, "kinds">,
  { name, failedKinds = [] }: Pick<NodeSnapshot, "name" | "failedKinds">,
): Reason | undefined {
  const failed = kinds.find((kind) => failedKinds.includes(kind));
  if (failed === undefined) return undefined;
  const message = `node ${name} failed its self-test for ${KINDS_IN_WORDS[failed] ?? failed}: see \`headroom nodes\``;
  return { reason: "SelfTestFailed", message };
}
