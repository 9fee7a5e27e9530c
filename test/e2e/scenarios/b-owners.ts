/** (b) Pods with an owner: the copy takes the source's place and nobody starts a cold one. */
import type { V1Deployment, V1Job, V1Pod } from "@kubernetes/client-node";
import { waitFor } from "../cluster/wait.ts";
import { describeMove, type Migration, moveReaches, requestMove, targetPod } from "../harness/moves.ts";
import { isReady, podsOf, startDeployment, startJob } from "../harness/pods.ts";
import { assert, assertEqual, type Context, ROOMY_NODES_MIB, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";

const CHECKED_STATEMENTS = 500; // 5 s and more: long enough for a controller to act on what it saw

async function moveToN2(context: Context, name: string, pod: V1Pod): Promise<Migration> {
  const podName = pod.metadata?.name ?? "";
  await requestMove(context.api, context.namespace, { name: `move-${name}`, podName, targetNode: "n2" });
  return moveReaches(context.api, context.namespace, `move-${name}`, ["Succeeded"]);
}

/** One pod of the workload is left, the copy, and its owner is the source's. */
async function assertSuccession(context: Context, name: string, source: V1Pod, move: Migration): Promise<void> {
  const target = await targetPod(context.api, move);
  const owner = (pod: V1Pod): string | undefined => pod.metadata?.ownerReferences?.[0]?.uid;
  assertEqual(owner(target), owner(source), "the copy's owner");
  for (const [key, value] of Object.entries(source.metadata?.labels ?? {}))
    assertEqual(target.metadata?.labels?.[key], value, `the copy's label ${key}`);
  const left = await waitFor("one pod to be left", 30, async () => {
    const pods = await podsOf(context, name);
    return pods.length === 1 && pods;
  });
  assertEqual(left[0]?.metadata?.uid, target.metadata?.uid, "the pod that is left");
  assertOneLife(name, await context.witness.hears(name, CHECKED_STATEMENTS));
  context.note(await describeMove(context.witness, name, move));
}

async function ofDeployment(context: Context): Promise<void> {
  const name = context.workload("web");
  const readinessProbe = { exec: { command: ["sh", "-c", "exit 0"] }, initialDelaySeconds: 10, periodSeconds: 2 };
  const source = await startDeployment(context, { name, startMiB: 96, node: "n1", container: { readinessProbe } });
  const podName = source.metadata?.name ?? "";
  await waitFor(`pod ${podName} to be ready`, 40, async () => (await podsOf(context, name)).some(isReady));
  const move = await moveToN2(context, name, source);
  await assertSuccession(context, name, source, move);
  await waitFor("the Deployment to be available", 40, async () => {
    const found = await context.api.get<V1Deployment>(
      `/apis/apps/v1/namespaces/${context.namespace}/deployments/${name}`,
    );
    return found?.status?.availableReplicas === 1 && found.status.replicas === 1;
  });
  assertOneLife(name, await context.witness.testimony(name));
}

async function ofJob(context: Context): Promise<void> {
  const name = context.workload("batch");
  const source = await startJob(context, { name, startMiB: 96, node: "n1" });
  const move = await moveToN2(context, name, source);
  await assertSuccession(context, name, source, move);
  const job = await context.api.get<V1Job>(`/apis/batch/v1/namespaces/${context.namespace}/jobs/${name}`);
  assertEqual(job?.status?.active, 1, "the Job's active pods");
  assert(!job?.status?.failed, `the Job counts ${job?.status?.failed} failures`);
}

export const owners: Scenario = {
  id: "b",
  title: "pods with an owner",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  tests: [
    { name: "a Deployment's pod is moved without a cold replacement", run: ofDeployment },
    { name: "a Job's pod (backoffLimit 0) is moved without a failure counted", run: ofJob },
  ],
};
