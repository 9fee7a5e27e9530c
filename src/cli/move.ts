/** `headroom move POD`: asks for a move and, with --wait, shows how it goes. */
import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { API_VERSION } from "../api/v1alpha1/group.ts";
import { POD_MIGRATIONS, type PodMigration, podMigrationSpecSchema, wentWell } from "../api/v1alpha1/pod-migration.ts";
import { systemClock } from "../kube/clock.ts";
import { PODS, type Pod } from "../kube/resources.ts";
import { CommandFailure, EXIT } from "./failure.ts";
import { type Cluster, clusterOf, type KubeFlags, withKubeFlags } from "./kube-flags.ts";
import { followMove, outcomeLine } from "./move-progress.ts";
import { whenOutputCloses } from "./output-closed.ts";

interface MoveFlags extends KubeFlags {
  to?: string;
  timeout?: string;
  tcp?: string;
  wait?: boolean;
  dryRun?: boolean;
}

export function addMoveCommand(program: Command): void {
  withKubeFlags(program.command("move"))
    .description("move a pod to another node, with its memory: creates a PodMigration")
    .argument("<pod>", "the pod's name")
    .option("--to <node>", "the node to move it to (default: placement chooses one)")
    .option("--timeout <duration>", "roll the move back when it is not committed after this time, e.g. 10m")
    .option("--tcp <what>", "Refuse: don't move with established TCP connections; Close: the move closes them")
    .option("--wait", "show each phase and wait for the end; exit code 3 unless the pod was moved")
    .option("--dry-run", "let the API server check the request without asking for the move")
    .action((pod: string, flags: MoveFlags) => move(pod, flags));
}

async function move(podName: string, flags: MoveFlags): Promise<void> {
  const cluster = clusterOf(flags);
  try {
    await requestMove(cluster, podName, flags);
  } finally {
    await cluster.transport.close();
  }
}

async function requestMove(cluster: Cluster, podName: string, flags: MoveFlags): Promise<void> {
  const { client, namespace } = cluster;
  const pod = await client.get(PODS, { namespace, name: podName });
  if (!pod) throw new CommandFailure(`there is no pod ${podName} in namespace ${namespace}`);
  const dryRun = flags.dryRun ?? false;
  const created = await client.create(POD_MIGRATIONS, podMigrationFor(pod, namespace, flags), { dryRun });
  const { name } = created.metadata;
  console.log(`podmigration.headroom.dev/${name} created${dryRun ? " (server-side dry run: nothing is moved)" : ""}`);
  if (flags.wait && !dryRun) await waitForEnd(cluster, name);
}

async function waitForEnd(cluster: Cluster, name: string): Promise<void> {
  const ref = { namespace: cluster.namespace, name };
  const signal = whenOutputCloses(process.stdout);
  const ended = await followMove({ ...cluster, clock: systemClock, ref, say: (line) => console.log(line), signal });
  if (!wentWell(ended.status)) throw new CommandFailure(outcomeLine(ended), EXIT.endedOtherwise);
  console.log(outcomeLine(ended));
}

function podMigrationFor(pod: Pod, namespace: string, flags: MoveFlags): PodMigration {
  const { name: podName } = pod.metadata;
  const spec = podMigrationSpecSchema.safeParse({
    podName,
    ...(flags.to ? { targetNode: flags.to } : {}),
    ...(flags.timeout ? { timeout: flags.timeout } : {}),
    ...(flags.tcp ? { tcp: flags.tcp } : {}),
  });
  if (!spec.success) {
    const lines = spec.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new CommandFailure(lines.join("\n"), EXIT.usage);
  }
  const name = `${podName.slice(0, 240)}-${randomBytes(3).toString("hex")}`;
  return { apiVersion: API_VERSION, kind: "PodMigration", metadata: { name, namespace }, spec: spec.data };
}
