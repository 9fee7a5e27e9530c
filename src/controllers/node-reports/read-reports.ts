/** What the controller has published of the nodes, for the command line. */
import { type KubeClient, KubeError } from "../../kube/client.ts";
import { CONFIG_MAPS } from "../../kube/resources.ts";
import { NODE_REPORTS, type NodeReport, parseReport } from "./report.ts";

/** By node; nothing where none is published, or the caller may not read it. */
export async function readReports(
  client: Pick<KubeClient, "get">,
  namespace: string,
): Promise<ReadonlyMap<string, NodeReport>> {
  const published = await client.get(CONFIG_MAPS, { namespace, name: NODE_REPORTS }).catch((error: unknown) => {
    if (error instanceof KubeError && error.status === 403) return undefined;
    throw error;
  });
  return new Map(
    Object.entries(published?.data ?? {}).flatMap(([node, text]) => {
      const report = parseReport(text);
      return report === undefined ? [] : [[node, report] as const];
    }),
  );
}
