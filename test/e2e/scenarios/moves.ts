/** Moves written by hand: what travels, how long it takes, what is refused. */
import type { V1Pod } from "@kubernetes/client-node";
import { kubectl } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { podsPath } from "../harness/api.ts";
import { assertTimersRun } from "../harness/clocks.ts";
import { describeMove, describeState, type Migration, moveReaches, requestMove, targetPod } from "../harness/moves.ts";
import { getPod, startPod } from "../harness/pods.ts";
import { assert, assertEqual, type Context, ROOMY_NODES_MIB, type Scenario, type Test } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";
import { barePod, type WorkloadOptions } from "../harness/workloads.ts";

async function moveBare(context: Context, options: WorkloadOptions, targetNode?: string): Promise<Migration> {
  const { api, namespace, witness } = context;
  await startPod(context, options);
  await requestMove(api, namespace, { name: "by-hand", podName: options.name, ...(targetNode ? { targetNode } : {}) });
  const done = await moveReaches(api, namespace, "by-hand", ["Succeeded"]);
  assertOneLife(options.name, await witness.hears(options.name, 200));
  context.note(await describeMove(witness, options.name, done));
  return done;
}

async function ofMemory(context: Context, startMiB: number): Promise<void> {
  const name = context.workload("bare");
  const move = await moveBare(context, { name, startMiB, node: "n1" }, "n2");
  const pod = await targetPod(context.api, move);
  assertEqual(pod.spec?.nodeName, "n2", "the node of the moved pod");
  await waitFor("the source to be gone", 30, async () => (await getPod(context, name)) === undefined);
  const inPod = ["-n", context.namespace, "exec", pod.metadata?.name ?? "", "--"];
  const shown = await kubectl(context.cluster, [...inPod, "cat", "/proc/1/comm"]);
  assertEqual(shown.trim(), "workload", "process 1 of the moved pod");
}

async function withFiles(context: Context): Promise<void> {
  const name = context.workload("files");
  const files = ["/data/log", "/volumes/scratch/log"];
  const move = await moveBare(context, { name, startMiB: 32, node: "n1", files, emptyDirs: ["scratch"] }, "n2");
  const pod = (await targetPod(context.api, move)).metadata?.name ?? "";
  for (const file of files) {
    const first = await kubectl(context.cluster, ["-n", context.namespace, "exec", pod, "--", "head", "-n1", file]);
    assertEqual(first.trim(), "0", `the first line of ${file}`);
  }
}

async function withTimers(context: Context): Promise<void> {
  const name = context.workload("timers");
  const move = await moveBare(context, { name, startMiB: 8, node: "n1", clocks: true }, "n2");
  await assertTimersRun(context, move.status?.targetPodName ?? "");
}

/** CRIU cannot dump a process that the application has stopped; once that goes on, the pod can be moved. */
async function withStoppedChild(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  const name = context.workload("stopped");
  const script = '(while :; do sleep 1; done) & kill -STOP $!; exec workload "$@"';
  const container = { command: ["/bin/sh", "-c", script, "sh"] };
  await startPod(context, { name, startMiB: 16, node: "n1", container });
  await refuses(context, name, "StoppedProcess", "refused");
  await kubectl(cluster, ["-n", namespace, "exec", name, "--", "sh", "-c", "kill -CONT -1"]);
  await requestMove(api, namespace, { name: "woken", podName: name, targetNode: "n2" });
  const done = await moveReaches(api, namespace, "woken", ["Succeeded"]);
  assertOneLife(name, await witness.hears(name, 200));
  const pod = (await targetPod(api, done)).metadata?.name ?? "";
  const shown = await kubectl(cluster, ["-n", namespace, "exec", pod, "--", "ps"]);
  assert(shown.includes("while :"), `the child is not among the copy's processes: ${shown}`);
}

async function anywhere(context: Context): Promise<void> {
  const move = await moveBare(context, { name: context.workload("free"), startMiB: 32, node: "n2" });
  assertEqual(move.status?.targetNode, "n1", "the node that was chosen");
}

async function thereAndBack(context: Context): Promise<void> {
  const { api, namespace, witness } = context;
  const name = context.workload("twice");
  const there = await moveBare(context, { name, startMiB: 48, node: "n1" }, "n2");
  const podName = there.status?.targetPodName ?? "";
  await requestMove(api, namespace, { name: "back", podName, targetNode: "n1" });
  const back = await moveReaches(api, namespace, "back", ["Succeeded"]);
  assertOneLife(name, await witness.hears(name, 200));
  context.note(await describeMove(witness, name, back));
}

async function cancelled(context: Context): Promise<void> {
  const { api, namespace, witness } = context;
  const name = context.workload("stays");
  await startPod(context, { name, startMiB: 256, node: "n1" });
  await requestMove(api, namespace, { name: "cancelled", podName: name, targetNode: "n2" });
  await moveReaches(api, namespace, "cancelled", ["Preparing", "Frozen", "Restoring", "Committed"]);
  await api.patch(`/apis/headroom.dev/v1alpha1/namespaces/${namespace}/podmigrations/cancelled`, {
    spec: { cancel: true },
  });
  const ended = await moveReaches(api, namespace, "cancelled", ["RolledBack", "Cancelled", "Succeeded"]);
  assertOneLife(name, await witness.hears(name, 200));
  context.note(describeState(ended));
}

type Refused = [reason: string, change: (pod: V1Pod) => void];

function spec(pod: V1Pod): NonNullable<V1Pod["spec"]> {
  assert(pod.spec, "a pod has a spec");
  return pod.spec;
}

const REFUSED: Refused[] = [
  ["SeveralContainers", (pod) => spec(pod).containers.push({ ...first(pod), name: "second", args: ["--start=1"] })],
  ["HostPath", (pod) => addVolume(pod, { name: "host", hostPath: { path: "/tmp" } })],
  ["HostNamespaces", (pod) => Object.assign(spec(pod), { hostNetwork: true })],
  ["SharedProcessNamespace", (pod) => Object.assign(spec(pod), { shareProcessNamespace: true })],
  ["LifecycleHooks", (pod) => Object.assign(first(pod), { lifecycle: { preStop: { exec: { command: ["true"] } } } })],
  ["Terminal", (pod) => Object.assign(first(pod), { stdin: true })],
  ["OptedOut", (pod) => Object.assign(pod.metadata ?? {}, { annotations: { "headroom.dev/move": "false" } })],
];

function first(pod: V1Pod): NonNullable<V1Pod["spec"]>["containers"][number] {
  const [container] = spec(pod).containers;
  assert(container, "a pod has a container");
  return container;
}

function addVolume(pod: V1Pod, volume: NonNullable<NonNullable<V1Pod["spec"]>["volumes"]>[number]): void {
  spec(pod).volumes = [...(spec(pod).volumes ?? []), volume];
}

async function refuses(context: Context, name: string, reason: string, move: string): Promise<void> {
  const { api, namespace, witness } = context;
  await requestMove(api, namespace, { name: move, podName: name, targetNode: "n2" });
  const ended = await moveReaches(api, namespace, move, ["Failed", "RolledBack", "Cancelled"], 60);
  assertEqual(ended.status?.reason, reason, `the reason for which ${move} was refused`);
  assertOneLife(name, await witness.hears(name, 20));
}

async function unsupported(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  const names = REFUSED.map(([reason]) => context.workload(reason.toLowerCase()));
  for (const [index, [, change]] of REFUSED.entries()) {
    const pod = barePod(cluster.settings, namespace, { name: names[index] ?? "", startMiB: 4, node: "n1" });
    change(pod);
    await api.create(podsPath(namespace), pod);
  }
  for (const [index, [reason]] of REFUSED.entries()) {
    const name = names[index] ?? "";
    await witness.hears(name, 10, 60);
    await refuses(context, name, reason, `refused-${reason.toLowerCase()}`);
  }
}

async function connected(context: Context): Promise<void> {
  const { api, namespace, witness } = context;
  const name = context.workload("connected");
  const { hostAddress, apiPort } = context.cluster.settings;
  await startPod(context, { name, startMiB: 16, node: "n1", connectTo: `${hostAddress}:${apiPort}` });
  await refuses(context, name, "EstablishedTcp", "refused-connected");
  await requestMove(api, namespace, { name: "close", podName: name, targetNode: "n2", tcp: "Close" });
  const done = await moveReaches(api, namespace, "close", ["Succeeded"]);
  assertOneLife(name, await witness.hears(name, 200));
  context.note(await describeMove(witness, name, done));
}

/** Together they request more than a node has. */
async function tooBig(context: Context): Promise<void> {
  const requests = { memory: `${Math.round(0.6 * Math.min(...ROOMY_NODES_MIB))}Mi` };
  const name = context.workload("big");
  await startPod(context, {
    name,
    startMiB: 16,
    node: "n1",
    container: { resources: { requests } },
  });
  const blocker = context.workload("blocker");
  await startPod(context, {
    name: blocker,
    startMiB: 8,
    node: "n2",
    container: { resources: { requests } },
  });
  await refuses(context, name, "RequestsDoNotFit", "refused-big");
}

const tests: Test[] = [
  { name: "128 MiB travel to the named node; logs and exec work there", run: (context) => ofMemory(context, 128) },
  { name: "700 MiB travel to the named node", run: (context) => ofMemory(context, 700) },
  { name: "the writable layer and an emptyDir travel with the memory", run: withFiles },
  { name: "timers go on, also one that has expired and was not read", run: withTimers },
  { name: "a stopped child: refused; moved when it goes on", run: withStoppedChild },
  { name: "without a target node one is chosen", run: anywhere },
  { name: "a moved pod is moved back", run: thereAndBack },
  { name: "a cancelled move leaves one copy", run: cancelled },
  { name: "what cannot be moved is refused, each with its reason, and runs on", run: unsupported },
  { name: "an established connection: refused, or closed when asked to", run: connected },
  { name: "a pod whose requests do not fit on the target is refused", run: tooBig },
];

export const moves: Scenario = {
  id: "moves",
  title: "moves asked for by hand",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  tests,
};
