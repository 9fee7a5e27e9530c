/** (h) helm uninstall: what a moved pod still needs stays and is named; else nothing is left. */
import type { V1Node } from "@kubernetes/client-node";
import { waitFor } from "../cluster/wait.ts";
import { podPath } from "../harness/api.ts";
import { importOperatorImages, installHeadroom, uninstallHeadroom } from "../harness/headroom.ts";
import { moveReaches, requestMove } from "../harness/moves.ts";
import { getPod, startPod } from "../harness/pods.ts";
import { createPolicy } from "../harness/policies.ts";
import { assert, assertEqual, type Context, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";

/** Every file with its kind, mode, owner and link, and every content. */
const FOLDERS = "/etc /usr /opt /var/lib/headroom";
const TREE = `find ${FOLDERS} -xdev -printf '%p %y %m %U:%G %l\\n' 2>/dev/null; find ${FOLDERS} -xdev -type f -exec sha256sum {} + 2>/dev/null || true`;
const FILES =
  "find / -xdev -iname '*headroom*' -not -path '/proc/*' -not -path '/var/lib/containerd/*' -not -path '/var/lib/kubelet/*' -not -path '/var/log/*'; ls -d /run/headroom /sys/fs/cgroup/*/headroom 2>/dev/null || true";

async function onNodes(context: Context, command: string): Promise<string[]> {
  const answers = context.cluster.machines.map((machine) => machine.run(["sh", "-c", command]));
  return (await Promise.all(answers)).map(
    (answer, index) => `${context.cluster.machines[index]?.node.name}: ${answer}`,
  );
}

/** As it was before Headroom was ever there; the first test notes it, the second compares. */
let trees: ReadonlySet<string>[] = [];

const treesOf = async (context: Context): Promise<ReadonlySet<string>[]> =>
  (await onNodes(context, TREE)).map((answer) => new Set(answer.split("\n")));

function differences(before: ReadonlySet<string>, after: ReadonlySet<string>): string[] {
  const gone = [...before].filter((line) => !after.has(line)).map((line) => `- ${line}`);
  return [...gone, ...[...after].filter((line) => !before.has(line)).map((line) => `+ ${line}`)];
}

async function withMovedPod(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  trees = await treesOf(context);
  await importOperatorImages(cluster, context.note);
  await installHeadroom(cluster, api);
  const name = context.workload("survivor");
  await startPod(context, { name, startMiB: 32, node: "n1" });
  await requestMove(api, namespace, { name: "move", podName: name, targetNode: "n2" });
  const done = await moveReaches(api, namespace, "move", ["Succeeded"]);
  const podName = done.status?.targetPodName ?? "";
  const said = await uninstallHeadroom(cluster);
  context.note(said.trim());
  assert(said.includes(podName), "what helm uninstall says does not name the moved pod");
  assert(await api.get("/apis/node.k8s.io/v1/runtimeclasses/headroom"), "the RuntimeClass is gone");
  assertOneLife(name, await witness.hears(name, 300));
  await context.node("n2").run(["sh", "-c", `kill -KILL $(pgrep -x workload)`]);
  await waitFor("the moved pod to be started again by its kubelet", 60, async () => {
    const status = (await getPod(context, podName))?.status?.containerStatuses?.[0];
    return (status?.restartCount ?? 0) > 0 && status?.state?.running;
  });
  await api.delete(podPath(namespace, podName), { gracePeriodSeconds: 0 });
}

async function withNone(context: Context): Promise<void> {
  const { api, cluster } = context;
  await installHeadroom(cluster, api);
  await createPolicy(api, "gating", {
    mode: "Enforce",
    podSelector: { matchLabels: { tier: "none" } },
    evaluationInterval: "2s",
    schedulingGate: { closeAbove: "2%", reopenBelow: "1%" },
  });
  const taints = async (): Promise<string[]> =>
    (await api.list<V1Node>("/api/v1/nodes")).flatMap((node) => (node.spec?.taints ?? []).map(({ key }) => key));
  await waitFor("a node to be gated", 60, async () => (await taints()).includes("headroom.dev/filling-up"));
  await installHeadroom(cluster, api, { logLevel: "info", agent: { criu: { folder: "/opt/headroom-criu" } } });
  context.note((await uninstallHeadroom(cluster)).trim());
  assertEqual(await taints(), [], "the nodes' taints");
  assertEqual(await onNodes(context, FILES), ["n1: ", "n2: "], "files of Headroom's on the nodes");
  const after = await treesOf(context);
  const changed = trees.flatMap((before, index) => differences(before, after[index] ?? new Set()));
  assertEqual(changed.slice(0, 20), [], `what differs in ${FOLDERS} of the nodes`);
  assert(!(await api.get("/apis/node.k8s.io/v1/runtimeclasses/headroom")), "the RuntimeClass is still there");
}

export const uninstall: Scenario = {
  id: "h",
  title: "helm uninstall",
  nodeMemoryMiB: [1536, 1536],
  headroom: false,
  tests: [
    { name: "with a moved pod alive: what it needs stays, and is named", run: withMovedPod },
    { name: "upgraded, and with none: no taint, no file, and the nodes byte for byte as before", run: withNone },
  ],
};
