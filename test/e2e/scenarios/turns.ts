/** Nodes are prepared in turns: one first and alone, then the rest; a failure stops that. */
import { readFileSync, statSync } from "node:fs";
import type { V1Pod } from "@kubernetes/client-node";
import type { Machine } from "../cluster/machine.ts";
import { waitFor } from "../cluster/wait.ts";
import { agentPod } from "../harness/agents.ts";
import { podPath } from "../harness/api.ts";
import { findService } from "../harness/faults.ts";
import {
  applyChart,
  HEADROOM_NAMESPACE,
  headroomNodes,
  importOperatorImages,
  installHeadroom,
  uninstallHeadroom,
  waitForHeadroom,
} from "../harness/headroom.ts";
import { assert, assertEqual, type Context, type Scenario } from "../harness/scenario.ts";

const CONFIGURATION = "/etc/containerd/config.toml";
/** /proc counts in hundredths of a second. */
const TICK_MS = 10;

interface Start {
  node: string;
  pid: number;
  /** Epoch milliseconds. */
  atMs: number;
}

async function containerdStarts(context: Context): Promise<Start[]> {
  const starts = await Promise.all(
    context.cluster.machines.map(async (machine) => {
      const pid = await findService(machine, "containerd");
      return { node: machine.node.name, pid, atMs: startedAtMs(pid) };
    }),
  );
  return starts.sort((one, other) => one.atMs - other.atMs);
}

function startedAtMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  const boot = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1]);
  return boot * 1000 + ticks * TICK_MS;
}

const testedAtMs = (machine: Machine): number => statSync(machine.path("/var/lib/headroom/self-test.json")).mtimeMs;

async function oneFirst(context: Context): Promise<void> {
  const { cluster, api } = context;
  const before = await containerdStarts(context);
  await importOperatorImages(cluster, context.note);
  const beganMs = Date.now();
  await installHeadroom(cluster, api);
  context.note(`prepared and ready after ${Math.round((Date.now() - beganMs) / 1000)} s`);
  const [first, ...others] = await containerdStarts(context);
  assert(first, "no node runs containerd");
  const old = new Set(before.map(({ pid }) => pid));
  const same = [first, ...others].filter(({ pid }) => old.has(pid)).map(({ node }) => node);
  assertEqual(same, [], "nodes whose containerd was not restarted");
  // The boot's time is known to a second.
  const testedMs = testedAtMs(context.node(first.node)) - 1_000;
  for (const { node, atMs } of others) {
    assert(
      atMs >= testedMs,
      `${node} was restarted ${testedMs - atMs} ms before ${first.node} had passed its self-test`,
    );
  }
  const shown = await headroomNodes(cluster);
  assertEqual(
    shown.map(({ agent }) => agent),
    ["Ready", "Ready", "Ready"],
    "the agents in `headroom nodes`",
  );
  await uninstallHeadroom(cluster);
}

async function stops(context: Context): Promise<void> {
  const { cluster, api } = context;
  const before = await containerdStarts(context);
  const sound = await Promise.all(cluster.machines.map((machine) => machine.read(CONFIGURATION)));
  await Promise.all(
    cluster.machines.map((machine, index) => machine.write(CONFIGURATION, `${sound[index]}\nbroken = [\n`)),
  );
  await applyChart(cluster, api);
  const failed = await waitFor("a node to fail", 90, async () => {
    const shown = await headroomNodes(cluster);
    const waiting = shown.filter(({ agent }) => agent === "Waiting");
    return waiting.length === 2 && shown.find(({ agent }) => agent === "Failed");
  });
  assert(
    failed.problems.some((problem) => problem.includes("no other node gets its turn")),
    failed.problems.join("\n"),
  );
  await waitFor("the others to be told which node stops them", 30, async () => {
    const others = (await headroomNodes(cluster)).filter(({ name }) => name !== failed.name);
    return others.every(({ problems }) => problems.some((problem) => problem.includes(`because node ${failed.name}`)));
  });
  const pod = await agentPod(context, failed.name);
  await waitFor("the event", 30, () => hasEvent(context, pod));
  const pids = (starts: readonly Start[]): number[] => starts.map(({ pid }) => pid).sort();
  assertEqual(pids(await containerdStarts(context)), pids(before), "the processes of containerd");
  await Promise.all(cluster.machines.map((machine, index) => machine.write(CONFIGURATION, sound[index] ?? "")));
  await api.delete(podPath(HEADROOM_NAMESPACE, pod.metadata?.name ?? ""));
  await waitForHeadroom(cluster);
  const agents = (await headroomNodes(cluster)).map(({ agent }) => agent);
  assertEqual(agents, ["Ready", "Ready", "Ready"], "the agents when the cause was removed");
}

async function hasEvent({ api }: Context, { metadata }: V1Pod): Promise<boolean> {
  const events = await api.list<{ reason: string; involvedObject: { uid?: string } }>(
    `/api/v1/namespaces/${HEADROOM_NAMESPACE}/events`,
  );
  return events.some(
    ({ reason, involvedObject }) => reason === "RollOutStopped" && involvedObject.uid === metadata?.uid,
  );
}

export const turns: Scenario = {
  id: "turns",
  title: "nodes are prepared in turns",
  nodeMemoryMiB: [1024, 1024, 1024],
  headroom: false,
  tests: [
    { name: "one node's containerd is restarted first and alone, the others' after its self-test", run: oneFirst },
    { name: "a node that cannot be prepared stops the roll-out by name, until its cause is removed", run: stops },
  ],
};
