/**
 * Asks the agents for their nodes. Only the controller may: it keeps the answers for planning, and publishes them in a ConfigMap for
 * `headroom nodes`.
 */
import type { CheckpointDriver } from "../../checkpointing/driver.ts";
import { isAgentPod } from "../../checkpointing/trust/agent-sites.ts";
import type { KubeClient } from "../../kube/client.ts";
import { type Controller, type ControllerContext, watchRule } from "../../kube/controller.ts";
import { CONFIG_MAPS, PODS, type Pod } from "../../kube/resources.ts";
import { attempt } from "../pod-migration/driver-failure.ts";
import { timeText } from "../pod-migration/status.ts";
import { NODE_REPORTS, type NodeReport, reportText } from "./report.ts";

const ALL = { name: "all-nodes" };
const LOOK_EVERY_MS = 60_000;
/** While an agent does not answer or has no handler. */
const LOOK_AGAIN_MS = 10_000;
/** Number of agents that are queried concurrently. */
const AT_ONCE = 16;

type Driver = Pick<CheckpointDriver, "features">;

/** @param known is filled with each node's last report. */
export function nodeReportsController(
  context: ControllerContext,
  driver: Driver,
  known: Map<string, NodeReport>,
): Controller {
  const { client, clock, namespace, stores } = context;
  const isAgent = (pod: Pod) => pod.metadata.namespace === namespace && isAgentPod(pod);
  return {
    name: "node-reports",
    // The report is updated immediately when an agent starts or becomes ready.
    watches: [watchRule({ kind: PODS, keys: (pod) => (isAgent(pod) ? [ALL] : []) })],
    initialKeys: [ALL],
    concurrency: 1,
    async reconcile() {
      const agents = stores.pods.list(namespace).filter(isAgent);
      const nodes = [...new Set(agents.flatMap(({ spec }) => spec.nodeName ?? []))];
      const reports = await reportsOf(driver, nodes, () => timeText(clock.now()));
      known.clear();
      for (const [node, report] of reports) known.set(node, report);
      await publish(client, namespace, reports);
      const inOrder = [...reports.values()].every(({ features }) => features?.handlerInstalled === true);
      return { requeueAfterMs: inOrder ? LOOK_EVERY_MS : LOOK_AGAIN_MS };
    },
  };
}

export async function reportsOf(
  driver: Driver,
  nodes: readonly string[],
  time: () => string,
): Promise<Map<string, NodeReport>> {
  const reports = new Map<string, NodeReport>();
  const left = [...nodes];
  const ask = async (): Promise<void> => {
    for (let node = left.shift(); node !== undefined; node = left.shift()) {
      const answer = await attempt(driver.features(node));
      reports.set(node, {
        time: time(),
        ...(answer.ok ? { features: answer.value } : { silent: answer.failure.message }),
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  return reports;
}

/** A node without an agent has no report any more. */
async function publish(client: KubeClient, namespace: string, reports: Map<string, NodeReport>): Promise<void> {
  const metadata = { name: NODE_REPORTS, namespace };
  const data = Object.fromEntries([...reports].map(([node, report]) => [node, reportText(report)]));
  const published = await client.get(CONFIG_MAPS, metadata);
  if (published === undefined) {
    await client.create(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata, data });
    return;
  }
  const gone = Object.keys(published.data ?? {}).filter((node) => !reports.has(node));
  await client.patch(CONFIG_MAPS, metadata, {
    data: { ...data, ...Object.fromEntries(gone.map((node) => [node, null])) },
  });
}
