/** What a run may leave in the API. */
import { type Api, ApiError } from "../harness/api.ts";
import { HEADROOM_NAMESPACE } from "../harness/headroom.ts";

interface Found {
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    finalizers?: string[];
  };
  spec?: { taints?: { key: string }[] };
}

const HEADROOM = "headroom.dev/";

/** Sentences: what is left of any namespace but Headroom's, and of Headroom on objects that are not its own. Empty: nothing. */
export async function clusterLeftovers(api: Api): Promise<string[]> {
  const found = await Promise.all([
    remaining(api, "/api/v1/pods", "pod"),
    remaining(api, "/apis/headroom.dev/v1alpha1/podmigrations", "PodMigration"),
    remaining(api, "/apis/networking.k8s.io/v1/networkpolicies", "NetworkPolicy"),
    marked(api, "/api/v1/nodes", "node"),
    marked(api, "/api/v1/namespaces", "namespace"),
    marked(api, "/apis/apps/v1/replicasets", "ReplicaSet"),
    marked(api, "/apis/batch/v1/jobs", "Job"),
    taints(api),
  ]);
  return found.flat();
}

async function remaining(api: Api, path: string, kind: string): Promise<string[]> {
  const objects = (await listed(api, path)).filter(({ metadata }) => metadata.namespace !== HEADROOM_NAMESPACE);
  return objects.map((object) => {
    const { finalizers = [] } = object.metadata;
    const held = finalizers.length > 0 ? `, with the finalizers ${finalizers.join(", ")}` : "";
    return `${kind} ${nameOf(object)} is left${held}`;
  });
}

async function marked(api: Api, path: string, kind: string): Promise<string[]> {
  const objects = (await listed(api, path)).filter(({ metadata }) => metadata.namespace !== HEADROOM_NAMESPACE);
  return objects.flatMap((object) => {
    const { labels = {}, annotations = {} } = object.metadata;
    const marks = Object.keys({ ...labels, ...annotations }).filter((key) => key.startsWith(HEADROOM));
    return marks.map((key) => `${kind} ${nameOf(object)} still has ${key}`);
  });
}

async function taints(api: Api): Promise<string[]> {
  return (await listed(api, "/api/v1/nodes")).flatMap((node) => {
    const keys = (node.spec?.taints ?? []).map(({ key }) => key).filter((key) => key.startsWith(HEADROOM));
    return keys.map((key) => `node ${nameOf(node)} still has the taint ${key}`);
  });
}

function nameOf({ metadata }: Found): string {
  return [metadata.namespace, metadata.name].filter(Boolean).join("/");
}

/** Headroom's own kinds are not served when it is not installed. */
async function listed(api: Api, path: string): Promise<Found[]> {
  try {
    return await api.list<Found>(path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}
