/** (admission) The controller's account may do what moves need and nothing else. */
import { kubectl } from "../cluster/cluster.ts";
import { HEADROOM_NAMESPACE } from "../harness/headroom.ts";
import { moveReaches, requestMove } from "../harness/moves.ts";
import { startPod } from "../harness/pods.ts";
import { assert, type Context, ROOMY_NODES_MIB, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";
import { barePod } from "../harness/workloads.ts";

const ACCOUNT = `system:serviceaccount:${HEADROOM_NAMESPACE}:headroom-controller`;
const AS_CONTROLLER = ["--as", ACCOUNT, "--as-group", "system:serviceaccounts", "--as-group", "system:authenticated"];

/** Everything is tried as a dry run: admission is asked all the same. */
async function assertDenied(context: Context, what: string, args: readonly string[], input?: string): Promise<void> {
  const tried = kubectl(context.cluster, [...AS_CONTROLLER, "--dry-run=server", ...args], input ? { input } : {});
  const said = await tried.then(
    () => "",
    (error: Error) => error.message,
  );
  assert(said !== "", `the controller's account may ${what}`);
  assert(/ValidatingAdmissionPolicy/.test(said), `it may not ${what}, but for another reason: ${said}`);
}

async function confined(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  const pod = JSON.stringify(barePod(cluster.settings, "kube-system", { name: "ordinary", startMiB: 1 }));
  await assertDenied(context, "create a pod in kube-system", ["create", "-f", "-"], pod);
  const elsewhere = JSON.stringify(barePod(cluster.settings, namespace, { name: "ordinary", startMiB: 1 }));
  await assertDenied(context, "create an ordinary pod", ["create", "-f", "-"], elsewhere);
  await assertDenied(context, "label a node", ["label", "node", "n1", "stolen=yes"]);
  const name = context.workload("ordinary");
  await startPod(context, { name, startMiB: 16, node: "n1" });
  await requestMove(api, namespace, { name: "move", podName: name, targetNode: "n2" });
  await moveReaches(api, namespace, "move", ["Succeeded"]);
  assertOneLife(name, await witness.hears(name, 50));
}

export const admission: Scenario = {
  id: "admission",
  title: "what the controller's account may do",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  tests: [{ name: "it may neither create ordinary pods nor label nodes, and moves work", run: confined }],
};
