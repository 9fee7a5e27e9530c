/** `headroom uninstall`: what the chart's hook runs before `helm uninstall` deletes the release. */
import type { Command } from "commander";
import { systemClock } from "../kube/clock.ts";
import { HttpKubeClient } from "../kube/http-client.ts";
import { loadKubeConfig } from "../kube/kube-config.ts";
import { uninstall } from "../uninstall/uninstall.ts";

export function addUninstallCommand(program: Command): void {
  program
    .command("uninstall")
    .description("remove Headroom from the nodes and its traces from the cluster (run by the chart's uninstall hook)")
    .option("--namespace <name>", "Headroom's own namespace", process.env.POD_NAMESPACE ?? "headroom-system")
    .option("--limit <seconds>", "how long to wait for moves to end, and for the nodes to be cleaned", Number, 90)
    .action(async (flags: { namespace: string; limit: number }) => {
      await uninstall({
        client: HttpKubeClient.of(loadKubeConfig()),
        clock: systemClock,
        namespace: flags.namespace,
        limitSeconds: flags.limit,
        say: (line) => console.log(line),
      });
    });
}
