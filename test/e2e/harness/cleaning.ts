/** Between tests: nothing of one may be seen by the next. */
import type { V1Pod } from "@kubernetes/client-node";
import { waitFor } from "../cluster/wait.ts";
import { type Api, ApiError, migrationsPath, podPath, podsPath, policiesPath } from "./api.ts";
import type { Migration } from "./moves.ts";

interface Named {
  metadata: { name: string };
}

async function listIfServed<T>(api: Api, path: string): Promise<T[]> {
  try {
    return await api.list<T>(path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return []; // Headroom is not installed
    throw error;
  }
}

export async function clearPolicies(api: Api): Promise<void> {
  for (const policy of await listIfServed<Named>(api, policiesPath)) {
    await api.delete(`${policiesPath}/${policy.metadata.name}`);
  }
  await waitFor("the policies to be gone", 30, async () => (await listIfServed(api, policiesPath)).length === 0);
}

/** Ends what runs in a namespace and waits for it; the namespace itself goes in its own time. */
export async function clearNamespace(api: Api, namespace: string): Promise<void> {
  for (const move of await listIfServed<Migration>(api, migrationsPath(namespace))) {
    await api.delete(`${migrationsPath(namespace)}/${move.metadata.name}`);
  }
  await api.delete(`/api/v1/namespaces/${namespace}`);
  await waitFor(`the pods of ${namespace} to be gone`, 60, async () => {
    const pods = await api.list<V1Pod>(podsPath(namespace));
    for (const pod of pods) {
      await api.delete(podPath(namespace, pod.metadata?.name ?? ""), { gracePeriodSeconds: 0 });
    }
    return pods.length === 0;
  });
}
