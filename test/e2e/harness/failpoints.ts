/** Stops the controller at an exact write: see ./failpoint.mjs, which is loaded into it. */
import type { V1Pod } from "@kubernetes/client-node";
import { type Cluster, kubectl } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Api } from "./api.ts";
import { FAILPOINT_IN_IMAGE, HEADROOM_NAMESPACE, type HelmValues, installHeadroom } from "./headroom.ts";

export interface Failpoint {
  /** Which write: the phase that it sets, its method, a part of its path, a part of its body. */
  phase?: string;
  method?: "POST" | "PUT" | "PATCH";
  path?: string;
  body?: string;
  /** The how-manieth of such writes; default 1. */
  count?: number;
  /** Before it is sent or after it has been answered (default). */
  when?: "before" | "after";
  /** End the process (default), or hold it until `letGo`. */
  act?: "die" | "hold";
}

let armed = 0;

/**
 * Replaces the controller by one that will stop there; `values` are what Headroom is installed with besides. The number makes
 * it a new controller even after the same failpoint: one that has struck does not strike again.
 */
export async function armFailpoint(
  cluster: Cluster,
  api: Api,
  failpoint: Failpoint,
  values: HelmValues,
): Promise<void> {
  armed += 1;
  const extraEnv = [
    { name: "NODE_OPTIONS", value: `--import=${FAILPOINT_IN_IMAGE}` },
    { name: "FAILPOINT", value: JSON.stringify({ ...failpoint, armed }) },
  ];
  const controller = { ...(values.controller as object | undefined), extraEnv };
  await installHeadroom(cluster, api, { ...values, controller });
}

async function controllerPod(api: Api): Promise<string> {
  const selector = "app.kubernetes.io%2Fcomponent%3Dcontroller";
  const pods = await api.list<V1Pod>(`/api/v1/namespaces/${HEADROOM_NAMESPACE}/pods?labelSelector=${selector}`);
  const alive = pods.find((pod) => !pod.metadata?.deletionTimestamp);
  return alive?.metadata?.name ?? "";
}

function inController(cluster: Cluster, pod: string, command: string[]): Promise<string> {
  return kubectl(cluster, ["-n", HEADROOM_NAMESPACE, "exec", pod, "--", ...command]);
}

/** Resolves with what the failpoint struck at. */
export function failpointStruck(cluster: Cluster, api: Api, limitSeconds = 60): Promise<string> {
  return waitFor("the failpoint to strike", limitSeconds, async () => {
    const pod = await controllerPod(api);
    return inController(cluster, pod, ["cat", "/tmp/failpoint-hit"]);
  });
}

/** Lets a held controller go on. */
export async function letGo(cluster: Cluster, api: Api): Promise<void> {
  await inController(cluster, await controllerPod(api), ["touch", "/tmp/failpoint-go"]);
}
