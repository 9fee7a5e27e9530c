/** (open) What processes have open goes on with them, or is refused before it is touched, with what to change. */
import type { V1Pod } from "@kubernetes/client-node";
import { kubectl } from "../cluster/cluster.ts";
import { describeMove, type Migration, moveReaches, phasesOf, requestMove } from "../harness/moves.ts";
import { startPod } from "../harness/pods.ts";
import { assert, assertEqual, type Context, ROOMY_NODES_MIB, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";
import type { WorkloadOptions } from "../harness/workloads.ts";

/** To n2 and back to n1: across versions of runc and containerd in both directions. */
async function thereAndBack(
  context: Context,
  options: Omit<WorkloadOptions, "startMiB" | "node"> & { startMiB?: number },
): Promise<Migration> {
  const { api, namespace, witness } = context;
  await startPod(context, { startMiB: 8, node: "n1", ...options });
  let podName = options.name;
  for (const targetNode of ["n2", "n1"]) {
    const name = `to-${targetNode}`;
    await requestMove(api, namespace, { name, podName, targetNode });
    const done = await moveReaches(api, namespace, name, ["Succeeded"]);
    assertOneLife(options.name, await witness.hears(options.name, 200));
    context.note(await describeMove(witness, options.name, done));
    podName = done.status?.targetPodName ?? "";
  }
  return moveReaches(api, namespace, "to-n1", ["Succeeded"]);
}

const WITHIN = ["pair", "pair6", "own", "full", "udp"];

async function within(context: Context): Promise<void> {
  await thereAndBack(context, { name: context.workload("within"), sockets: WITHIN });
}

/** The one that leads out of the pod is closed, the others go on. */
async function leaving(context: Context): Promise<void> {
  const { api, namespace, witness, cluster } = context;
  const name = context.workload("leaving");
  const { hostAddress, apiPort } = cluster.settings;
  await startPod(context, { name, startMiB: 8, node: "n1", sockets: WITHIN, connectTo: `${hostAddress}:${apiPort}` });
  await refused(context, name, "EstablishedTcp", /\(10\.[\d.]+:\d+ -> 10\.[\d.]+:\d+\)/);
  await requestMove(api, namespace, { name: "close", podName: name, targetNode: "n2", tcp: "Close" });
  await moveReaches(api, namespace, "close", ["Succeeded"]);
  assertOneLife(name, await witness.hears(name, 200));
}

const FILE = "a file that is read again and again\n";

/** Files that the kubelet writes, each in a folder named after the time. */
async function volumes(context: Context): Promise<void> {
  const { api, namespace } = context;
  const name = context.workload("volumes");
  for (const kind of ["configmaps", "secrets"]) {
    const content = kind === "secrets" ? { stringData: { file: FILE } } : { data: { file: FILE } };
    await api.create(`/api/v1/namespaces/${namespace}/${kind}`, { metadata: { name: "files" }, ...content });
  }
  const items = [{ path: "name", fieldRef: { fieldPath: "metadata.namespace" } }];
  const sources: NonNullable<V1Pod["spec"]>["volumes"] = [
    { name: "config", configMap: { name: "files" } },
    { name: "secret", secret: { secretName: "files" } },
    {
      name: "projected",
      projected: { sources: [{ configMap: { name: "files", items: [{ key: "file", path: "deep/file" }] } }] },
    },
    { name: "downward", downwardAPI: { items } },
  ];
  const mounts = sources.map((volume) => ({ name: volume.name, mountPath: `/volumes/${volume.name}` }));
  const single = { name: "config", mountPath: "/volumes/single", subPath: "file" };
  const open = ["config/file", "secret/file", "projected/deep/file", "downward/name", "single"];
  const done = await thereAndBack(context, {
    name,
    open: open.map((path) => `/volumes/${path}`),
    container: { volumeMounts: [...mounts, single] },
    addedVolumes: sources,
  });
  await assertReadOnly(
    context,
    done,
    [...mounts, single].map(({ mountPath }) => mountPath),
  );
}

async function assertReadOnly(context: Context, done: Migration, paths: readonly string[]): Promise<void> {
  const lines = (await inCopy(context, done, "cat", "/proc/1/mountinfo")).split("\n").map((line) => line.split(" "));
  const written = paths.filter((path) => !lines.some((line) => line[4] === path && line[5]?.startsWith("ro")));
  assertEqual(written, [], "mounts that were read-only before two moves");
}

const inCopy = (context: Context, done: Migration, ...command: string[]): Promise<string> =>
  kubectl(context.cluster, ["-n", context.namespace, "exec", done.status?.targetPodName ?? "", "--", ...command]);

/** In the image, in the writable layer, on the disk and in memory. */
async function watched(context: Context): Promise<void> {
  const name = context.workload("watched");
  const watches = ["/etc", "/data", "/volumes/scratch", "/volumes/fast"];
  await thereAndBack(context, { name, watches, emptyDirs: ["scratch"], memoryDirs: ["fast"] });
}

/** Each of four processes has the same 96 MiB in its images; the copy must not need them four times. */
async function forked(context: Context): Promise<void> {
  const name = context.workload("forked");
  await thereAndBack(context, { name, startMiB: 96, children: 3 });
  // What each process has for itself and its part of what is shared, kB.
  const script = `for p in /proc/[0-9]*; do
    [ "$(cat $p/comm 2>/dev/null)" = workload ] && tr '\\0' ' ' <$p/cmdline | grep -q -e ' --name=${name} ' && sed -n 's/^Pss: *//p' $p/smaps_rollup
  done; true`;
  const parts = (await context.node("n1").run(["sh", "-c", script])).trim().split("\n");
  const usedMiB = parts.reduce((sum, part) => sum + Number.parseInt(part, 10), 0) / 1024;
  context.note(`memory of ${parts.length} processes after two moves: ${usedMiB.toFixed(1)} MiB`);
  assertEqual(parts.length, 4, "the processes of the moved pod");
  assert(usedMiB < 1.1 * 97, `its processes share their memory no more: ${usedMiB} MiB`);
}

async function pinned(context: Context): Promise<void> {
  const command = ["/bin/busybox", "taskset", "2", "/bin/workload"];
  const done = await thereAndBack(context, { name: context.workload("pinned"), container: { command } });
  const status = await inCopy(context, done, "cat", "/proc/1/status");
  assert(/^Cpus_allowed_list:\s+1$/m.test(status), `it may not run on the second CPU alone: ${status}`);
}

/** Containers of the two versions of containerd and runc have different filters: the copy has its own node's. */
async function confined(context: Context): Promise<void> {
  const done = await thereAndBack(context, {
    name: context.workload("confined"),
    pod: { securityContext: { seccompProfile: { type: "RuntimeDefault" } } },
    container: { securityContext: { readOnlyRootFilesystem: true } },
  });
  const status = await inCopy(context, done, "cat", "/proc/1/status");
  assert(/^Seccomp:\s+2\nSeccomp_filters:\s+1$/m.test(status), `it does not have one filter: ${status}`);
  await assertReadOnly(context, done, ["/"]);
}

async function refused(context: Context, name: string, reason: string, message: RegExp): Promise<void> {
  const { api, namespace, witness } = context;
  const move = `refused-${name}`;
  await requestMove(api, namespace, { name: move, podName: name, targetNode: "n2" });
  const ended = await moveReaches(api, namespace, move, ["Failed", "RolledBack", "Succeeded"], 60);
  assertEqual(ended.status?.reason, reason, `the reason for which ${move} was refused`);
  assert(message.test(ended.status?.message ?? ""), `the message does not say ${message}: ${ended.status?.message}`);
  assert(!phasesOf(ended).includes("Frozen"), "it was frozen for nothing");
  assertOneLife(name, await witness.hears(name, 20));
}

const REFUSED: readonly [kind: string, message: RegExp][] = [
  ["mptcp", /MPTCP \(.*GODEBUG=multipathtcp=0\)/],
  ["cork", /corked UDP/],
  ["vsock", /vsock/],
];

async function refusedSockets(context: Context): Promise<void> {
  for (const [kind, message] of REFUSED) {
    const name = context.workload(kind);
    await startPod(context, { name, startMiB: 4, node: "n1", sockets: [kind] });
    await refused(context, name, "Socket", message);
  }
}

/** Where runc is 1.1, a process that `kubectl exec` starts in a moved pod has the node's clocks, not the pod's. */
async function execAfterMove(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  const name = context.workload("exec");
  await startPod(context, { name, startMiB: 4, node: "n2" });
  await requestMove(api, namespace, { name: "first", podName: name, targetNode: "n1" });
  const podName = (await moveReaches(api, namespace, "first", ["Succeeded"])).status?.targetPodName ?? "";
  await kubectl(cluster, ["-n", namespace, "exec", podName, "--", "sh", "-c", "sleep 600 >/dev/null 2>&1 &"]);
  await requestMove(api, namespace, { name: "second", podName, targetNode: "n2" });
  const ended = await moveReaches(api, namespace, "second", ["Failed", "RolledBack", "Succeeded"], 60);
  assertEqual(ended.status?.reason, "Namespaces", `the reason for which it was refused (${ended.status?.message})`);
  assertOneLife(name, await witness.hears(name, 20));
}

/** A file that lives on under another name. */
async function nameLost(context: Context): Promise<void> {
  const { cluster, namespace } = context;
  const name = context.workload("lost");
  const script = 'echo x >/data/kept && exec 9</data/kept && exec workload "$@"';
  await startPod(context, { name, startMiB: 4, node: "n1", container: { command: ["/bin/sh", "-c", script, "sh"] } });
  const rename = "ln /data/kept /data/other && rm /data/kept";
  await kubectl(cluster, ["-n", namespace, "exec", name, "--", "sh", "-c", rename]);
  await refused(context, name, "NameLost", /uses \/data\/kept, which was deleted or replaced/);
}

export const open: Scenario = {
  id: "open",
  title: "what processes have open",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  tests: [
    { name: "connections within the pod go on, there and back", run: within },
    { name: "of several connections only the one that leaves the pod is closed", run: leaving },
    { name: "files of volumes that the kubelet writes stay open, there and back", run: volumes },
    { name: "watched folders stay watched, there and back", run: watched },
    { name: "forked processes go on sharing their memory", run: forked },
    { name: "a process stays on the CPU that it is pinned to, there and back", run: pinned },
    { name: "seccomp and a read-only root hold after moves there and back", run: confined },
    { name: "sockets that cannot be carried are refused, with what helps", run: refusedSockets },
    { name: "a process that kubectl exec started after a move is never frozen in vain", run: execAfterMove },
    { name: "a file that has lost its name is refused by it", run: nameLost },
  ],
};
