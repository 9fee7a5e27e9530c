/**
 * (stock) Nodes as users have them: Debian's own kernel and systemd, cgroup v2 with systemd's driver, AppArmor; emulated, so that times mean nothing.
 * n1 has the older containerd and runc, n2 the newer.
 */
import type { V1Container, V1Pod } from "@kubernetes/client-node";
import { kubectl, startMachineAgain } from "../cluster/cluster.ts";
import { killMachine } from "../cluster/machine.ts";
import { waitFor } from "../cluster/wait.ts";
import { assertTimersRun, clockSteps } from "../harness/clocks.ts";
import { damageImagesBeforeRestore, holdRestore, letRestoreGoOn, repairRestore } from "../harness/faults.ts";
import { headroomNodes, headroomPods } from "../harness/headroom.ts";
import { describeMove, describeState, type Migration, moveReaches, requestMove, targetPod } from "../harness/moves.ts";
import { getPod, startDeployment, startJob, startPod } from "../harness/pods.ts";
import { assert, assertEqual, type Context, type Scenario, VIRTUAL_NODE_MIB } from "../harness/scenario.ts";
import { assertOneLife, freezeMilliseconds } from "../harness/witness.ts";
import type { WorkloadOptions } from "../harness/workloads.ts";

const KINDS = ["root", "user", "seccomp", "apparmor", "dirtyTracking", "lazyPages"];

async function proven({ cluster, note }: Context): Promise<void> {
  const virtual = cluster.machines.filter(({ node }) => node.isVirtual).map(({ node }) => node.name);
  const nodes = (await headroomNodes(cluster)).filter(({ name }) => virtual.includes(name));
  for (const { name, agent, problems, report } of nodes) {
    assert(report?.features, `${name}'s agent has not told what its node can do: ${problems.join("; ")}`);
    const { verdicts, ...features } = report.features;
    note(`${name}: ${JSON.stringify(features)}; ${verdicts.map(({ kind, ms }) => `${kind} ${ms} ms`).join(", ")}`);
    assertEqual([agent, ...problems], ["Ready"], `the agent on ${name} and what is wrong there`);
    assertEqual(
      verdicts.flatMap(({ kind, ok }) => (ok ? [kind] : [])),
      KINDS,
      `what ${name} proved`,
    );
    const { cgroupVersion, cgroupDriver, lsm, memDirtyTrack } = features;
    assertEqual([cgroupVersion, cgroupDriver, lsm, memDirtyTrack], [2, "systemd", "apparmor", true], `what ${name} is`);
  }
}

const inPod = (context: Context, pod: string, ...command: string[]): Promise<string> =>
  kubectl(context.cluster, ["-n", context.namespace, "exec", pod, "--", ...command], { timeoutSeconds: 120 });

/** What holds the pod's first process: its user, groups, capabilities, filters, AppArmor profile and control group, as the pod sees it. */
async function confinement(context: Context, pod: string): Promise<string> {
  const lines = (await inPod(context, pod, "cat", "/proc/1/status")).split("\n");
  const told = lines.filter((line) => /^(Uid|Gid|Groups|NoNewPrivs|Seccomp|Cap\w+):/.test(line));
  const files = ["/proc/1/attr/current", "/proc/1/cgroup", "/sys/fs/cgroup/cgroup.type"];
  return [...told, await inPod(context, pod, "cat", ...files)].join("\n").trim();
}

/** Moves it to the node, and checks that it is what it was. Resolves with the copy's name. */
async function move(context: Context, workload: string, pod: string, node: string): Promise<string> {
  const { api, namespace, witness } = context;
  const before = await confinement(context, pod);
  const name = `${pod}-to-${node}`;
  await requestMove(api, namespace, { name, podName: pod, targetNode: node });
  const done = await moveReaches(api, namespace, name, ["Succeeded"]);
  assertOneLife(workload, await witness.hears(workload, 200, 60));
  const copy = await targetPod(api, done);
  assertEqual(copy.spec?.nodeName, node, "the node of the copy");
  const copyName = copy.metadata?.name ?? "";
  assertEqual(await confinement(context, copyName), before, "what the copy is confined by");
  context.note(await describeMove(witness, workload, done));
  return copyName;
}

/** From the older programs to the newer and back. Resolves with the names of the copies. */
async function thereAndBack(
  context: Context,
  workload: string,
  pod = workload,
): Promise<[there: string, back: string]> {
  const there = await move(context, workload, pod, "n2");
  return [there, await move(context, workload, there, "n1")];
}

async function root(context: Context): Promise<void> {
  const name = context.workload("root");
  await startPod(context, { name, startMiB: 64, node: "n1", counters: ["/data/c", "/volumes/d/c"], emptyDirs: ["d"] });
  await thereAndBack(context, name);
}

/** As the profile "restricted" wants it. */
const RESTRICTED: { pod: Partial<NonNullable<V1Pod["spec"]>>; container: Partial<V1Container> } = {
  pod: {
    securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: { type: "RuntimeDefault" } },
  },
  container: {
    securityContext: {
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    },
  },
};

/** Has children that live for a moment all the time. */
const WITH_CHILDREN = ["sh", "-c", '(while :; do sleep 0.05; done) & exec workload "$@"', "sh"];

async function restricted(context: Context): Promise<void> {
  const { cluster, namespace } = context;
  await kubectl(cluster, ["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"]);
  const name = context.workload("restricted");
  const { pod, container } = RESTRICTED;
  const options: WorkloadOptions = {
    ...{ name, startMiB: 32, node: "n1", counters: ["/volumes/tmp/c"], memoryDirs: ["tmp"], pod },
    container: { ...container, command: WITH_CHILDREN },
  };
  await startPod(context, options);
  const [, back] = await thereAndBack(context, name);
  const shown = await inPod(context, back, "ps");
  assert(shown.includes("while :"), `the shell with the children is not among the copy's processes: ${shown}`);
}

async function givenUp(context: Context): Promise<void> {
  const name = context.workload("daemon");
  await startPod(context, { name, startMiB: 32, node: "n1", user: 1000 });
  const status = await inPod(context, name, "cat", "/proc/1/status");
  assert(/^Uid:\s+1000/m.test(status), `it has not given up root: ${status}`);
  await thereAndBack(context, name);
}

/** The two machines have been up for different times. Both clocks may go on by the freeze, and by this more. */
const CLOCK_SLACK_MS = 1000;

async function clocksGoOn(context: Context): Promise<void> {
  const { witness } = context;
  const name = context.workload("clocks");
  await startPod(context, { name, startMiB: 16, node: "n1", clocks: true });
  let pod = name;
  for (const node of ["n2", "n1"]) {
    const fromMs = Date.now();
    pod = await move(context, name, pod, node);
    const freezeMs = freezeMilliseconds(await witness.hears(name, 200, 60), fromMs, Date.now());
    const steps = await clockSteps(context, pod);
    context.note(`on ${node}: frozen for ${Math.round(freezeMs)} ms; clocks went on by ${JSON.stringify(steps)} ms`);
    const wrong = steps.filter((step) => step < 0 || step > freezeMs + CLOCK_SLACK_MS);
    assertEqual(wrong, [], `steps of its clocks on ${node} that were backwards or longer than the freeze`);
    await assertTimersRun(context, pod);
  }
}

async function owned(context: Context): Promise<void> {
  const web = context.workload("web");
  const batch = context.workload("batch");
  const deployed = await startDeployment(context, { name: web, startMiB: 32, node: "n1" });
  const worked = await startJob(context, { name: batch, startMiB: 32, node: "n2" });
  await move(context, web, deployed.metadata?.name ?? "", "n2");
  await move(context, batch, worked.metadata?.name ?? "", "n1");
}

async function restoreFails(context: Context): Promise<void> {
  const { api, namespace, witness } = context;
  const name = context.workload("damaged");
  const target = context.node("n2");
  await startPod(context, { name, startMiB: 32, node: "n1" });
  await damageImagesBeforeRestore(target);
  await requestMove(api, namespace, { name: "damaged", podName: name, targetNode: "n2" });
  const ended = await moveReaches(api, namespace, "damaged", ["RolledBack", "Failed"], 180);
  await repairRestore(target);
  context.note(describeState(ended));
  assertEqual((await getPod(context, name))?.status?.containerStatuses?.[0]?.restartCount, 0, "the pod's restarts");
  assertOneLife(name, await witness.hears(name, 200, 60));
}

/** A move whose source is frozen, and whose restore on n2 waits. */
async function heldMove(context: Context, name: string): Promise<void> {
  const { api, namespace } = context;
  await startPod(context, { name, startMiB: 32, node: "n1" });
  await holdRestore(context.node("n2"), 300);
  await requestMove(api, namespace, { name, podName: name, targetNode: "n2" });
  await moveReaches(api, namespace, name, ["Restoring"]);
}

async function letGo(context: Context, name: string): Promise<Migration> {
  const target = context.node("n2");
  await letRestoreGoOn(target);
  const done = await moveReaches(context.api, context.namespace, name, ["Succeeded"]);
  await repairRestore(target);
  return done;
}

async function agentDies(context: Context): Promise<void> {
  const { api, witness } = context;
  const name = context.workload("agentless");
  await heldMove(context, name);
  const agent = (await headroomPods(api, "agent")).find(({ spec }) => spec?.nodeName === "n1");
  const id = agent?.status?.containerStatuses?.[0]?.containerID?.replace("containerd://", "") ?? "";
  await context.node("n1").run(["ctr", "-n", "k8s.io", "task", "kill", "--signal", "SIGKILL", "--all", id]);
  context.note(await describeMove(witness, name, await letGo(context, name)));
  assertOneLife(name, await witness.hears(name, 200, 60));
}

/** The source's power fails while it is frozen: the copy goes on. Once the machine is back nothing starts there, and the move ends. */
async function sourceReboots(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  const name = context.workload("powerless");
  const [source, target] = [context.node("n1"), context.node("n2")];
  await heldMove(context, name);
  await killMachine(source);
  await letRestoreGoOn(target);
  await moveReaches(api, namespace, name, ["Committed"]);
  assertOneLife(name, await witness.hears(name, 200, 60));
  await startMachineAgain(cluster, source);
  const done = await moveReaches(api, namespace, name, ["Succeeded"]);
  await repairRestore(target);
  context.note(await describeMove(witness, name, done));
  await waitFor("the source's pod to be gone", 60, async () => (await getPod(context, name)) === undefined);
  assertOneLife(name, await witness.hears(name, 500, 60));
}

/** The kubelet starts the pod's container again, as after every restart of a node. Its memory is lost. */
async function targetReboots(context: Context): Promise<void> {
  const { cluster, witness } = context;
  const name = context.workload("rebooted");
  const target = context.node("n2");
  await startPod(context, { name, startMiB: 32, node: "n1" });
  const copy = await move(context, name, name, "n2");
  await killMachine(target);
  await startMachineAgain(cluster, target);
  const heard = await waitFor("the pod to speak again", 120, async () => {
    const testimony = await witness.testimony(name);
    return testimony.lives.length > 1 && testimony;
  });
  assertEqual(heard.lives.length, 2, "the pod's lives");
  await witness.hears(name, 200, 60);
  assertEqual((await witness.testimony(name)).lives.length, 2, "the pod's lives after a while");
  assertEqual((await witness.testimony(name)).violations, [], "what the witness found");
  assertEqual((await getPod(context, copy))?.spec?.nodeName, "n2", "the node of the pod");
}

export const stock: Scenario = {
  id: "stock",
  title: "Debian's own kernel, systemd, cgroup v2 and AppArmor, in virtual machines",
  nodeMemoryMiB: [VIRTUAL_NODE_MIB, VIRTUAL_NODE_MIB],
  virtual: true,
  onDemand: true,
  headroom: {},
  tests: [
    { name: "the nodes prove themselves for every kind of container", run: proven },
    { name: "a pod that runs as root, there and back", run: root },
    { name: 'a pod of the Pod Security profile "restricted", there and back', run: restricted },
    { name: "a program that gives up root itself, there and back", run: givenUp },
    { name: "clocks and timers go on, there and back", run: clocksGoOn },
    { name: "a Deployment's pod to the newer programs, a Job's pod to the older ones", run: owned },
    { name: "a failing restore: rolled back, the source goes on", run: restoreFails },
    { name: "the source's agent dies while the source is frozen: the move goes on", run: agentDies },
    { name: "the source's power fails while it is frozen: the copy goes on, alone", run: sourceReboots },
    { name: "the target's power fails after the move: its container is started again, once", run: targetReboots },
  ],
};
