/** `headroom cancel NAME`: withdraws a move. Before the commit it is rolled back; after it there is nothing to cancel. */
import type { Command } from "commander";
import { FINAL_PHASES, POD_MIGRATIONS } from "../api/v1alpha1/pod-migration.ts";
import { systemClock } from "../kube/clock.ts";
import { CommandFailure, EXIT } from "./failure.ts";
import { type Cluster, clusterOf, type KubeFlags, withKubeFlags } from "./kube-flags.ts";
import { followMove, outcomeLine, phaseOf } from "./move-progress.ts";
import { whenOutputCloses } from "./output-closed.ts";

interface CancelFlags extends KubeFlags {
  wait?: boolean;
}

export function addCancelCommand(program: Command): void {
  withKubeFlags(program.command("cancel"))
    .description("cancel a move that is not committed yet: its source pod goes on where it is")
    .argument("<name>", "the PodMigration's name")
    .option("--wait", "show each phase and wait for the end; exit code 3 when the move was committed nevertheless")
    .action(async (name: string, flags: CancelFlags) => {
      const cluster = clusterOf(flags);
      try {
        await cancel(cluster, name, flags.wait ?? false);
      } finally {
        await cluster.transport.close();
      }
    });
}

async function cancel(cluster: Cluster, name: string, wait: boolean): Promise<void> {
  const { client, namespace } = cluster;
  const ref = { namespace, name };
  const move = await client.get(POD_MIGRATIONS, ref);
  if (!move) throw new CommandFailure(`there is no PodMigration ${name} in namespace ${namespace}`);
  const phase = phaseOf(move);
  if (FINAL_PHASES.has(phase)) throw new CommandFailure(`PodMigration ${name} has already ended: ${phase}`);
  if (phase === "Committed")
    throw new CommandFailure(`PodMigration ${name} is committed: the pod runs on its new node`);
  await client.patch(POD_MIGRATIONS, ref, { spec: { cancel: true } });
  console.log(`podmigration.headroom.dev/${name} is being cancelled`);
  if (wait) await waitForEnd(cluster, ref);
}

async function waitForEnd(cluster: Cluster, ref: { namespace: string; name: string }): Promise<void> {
  const signal = whenOutputCloses(process.stdout);
  const ended = await followMove({ ...cluster, clock: systemClock, ref, say: (line) => console.log(line), signal });
  if (ended.status?.phase === "Succeeded") throw new CommandFailure(outcomeLine(ended), EXIT.endedOtherwise);
  console.log(outcomeLine(ended));
}
