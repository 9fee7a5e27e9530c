/** Stops the controller at an exact write: see ./failpoint.mjs, which is loaded into it. */
import type { V1Pod } from "@kubernetes/client-node";
import { type Cluster, kubectl } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Api } from "./api.ts";
import {
  FAILPOINT_IN_IMAGE,
  HEADROOM_NAMESPACE,
  type HelmValues,
  installHeadroom,
  waitForHeadroom,
} from "./headroom.ts";

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

/** What a controller is installed with so that it can be held (see `armFailpoint`). */
export const PRELOADED = [{ name: "NODE_OPTIONS", value: `--import=${FAILPOINT_IN_IMAGE}` }];

/**
 * One that is to die is replaced by a controller with the failpoint in its environment, so that its kubelet doesn't delay its restart for
 * the deaths of others; `values` are what Headroom is installed with besides. One that is to be held is told so while it runs: it must have
 * been installed with `PRELOADED`.
 */
export async function armFailpoint(
  cluster: Cluster,
  api: Api,
  failpoint: Failpoint,
  values: HelmValues,
): Promise<void> {
  armed += 1;
  const text = JSON.stringify({ ...failpoint, armed });
  if (failpoint.act === "hold") return tell(cluster, api, text);
  const extraEnv = [...PRELOADED, { name: "FAILPOINT", value: text }];
  const controller = { ...(values.controller as object | undefined), extraEnv };
  await installHeadroom(cluster, api, { ...values, controller });
}

/** Once what the test before has done to controller and agents is over. */
async function tell(cluster: Cluster, api: Api, text: string): Promise<void> {
  await waitForHeadroom(cluster);
  const script = 'printf %s "$1" >/tmp/failpoint.new && mv /tmp/failpoint.new /tmp/failpoint.json';
  await inController(cluster, await controllerPod(api), ["sh", "-c", script, "sh", text]);
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
    return inController(cluster, pod, ["cat", `/tmp/failpoint-hit-${armed}`]);
  });
}

/** Lets a held controller go on. */
export async function letGo(cluster: Cluster, api: Api): Promise<void> {
  await inController(cluster, await controllerPod(api), ["touch", `/tmp/failpoint-go-${armed}`]);
}
