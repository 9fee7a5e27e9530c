/** The ConfigMap that holds the nodes' reports. */
import { type KubeClient, KubeError } from "../../kube/client.ts";
import { CONFIG_MAPS } from "../../kube/resources.ts";
import { NODE_REPORTS, type NodeReport, parseReport, reportText } from "./report.ts";

export class PublishedReports {
  readonly #client: KubeClient;
  readonly #namespace: string;
  /** Undefined: there is no such ConfigMap. */
  readonly #data: Record<string, string> | undefined;
  /** By node; those that can be read. */
  readonly reports: ReadonlyMap<string, NodeReport>;

  private constructor(client: KubeClient, namespace: string, data: Record<string, string> | undefined) {
    this.#client = client;
    this.#namespace = namespace;
    this.#data = data;
    this.reports = reportsIn(data);
  }

  static async read(client: KubeClient, namespace: string): Promise<PublishedReports> {
    const published = await client.get(CONFIG_MAPS, { namespace, name: NODE_REPORTS });
    return new PublishedReports(client, namespace, published && (published.data ?? {}));
  }

  /** A node that isn't among them has no report any more. Writes only what is new. */
  async replace(reports: ReadonlyMap<string, NodeReport>): Promise<void> {
    const metadata = { name: NODE_REPORTS, namespace: this.#namespace };
    const data = Object.fromEntries([...reports].map(([node, report]) => [node, reportText(report)]));
    if (this.#data === undefined) {
      await this.#client.create(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata, data });
      return;
    }
    const changed = Object.entries(data).filter(([node, text]) => this.#data?.[node] !== text);
    const gone = Object.keys(this.#data).filter((node) => !reports.has(node));
    if (changed.length + gone.length === 0) return;
    const patch = { ...Object.fromEntries(changed), ...Object.fromEntries(gone.map((node) => [node, null])) };
    await this.#client.patch(CONFIG_MAPS, metadata, { data: patch });
  }
}

function reportsIn(data: Record<string, string> | undefined): ReadonlyMap<string, NodeReport> {
  return new Map(
    Object.entries(data ?? {}).flatMap(([node, text]) => {
      const report = parseReport(text);
      return report === undefined ? [] : [[node, report] as const];
    }),
  );
}

/** For the command line. By node; nothing where none is published, or the caller may not read it. */
export async function readReports(
  client: Pick<KubeClient, "get">,
  namespace: string,
): Promise<ReadonlyMap<string, NodeReport>> {
  const published = await client.get(CONFIG_MAPS, { namespace, name: NODE_REPORTS }).catch((error: unknown) => {
    if (error instanceof KubeError && error.status === 403) return undefined;
    throw error;
  });
  return reportsIn(published?.data);
}
