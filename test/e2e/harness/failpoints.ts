/** Stops the controller at an exact write: see ./failpoint.mjs, which is loaded into it. */
import type { V1Pod } from "@kubernetes/client-node";
import { type Cluster, kubectl, machineOf } from "../cluster/cluster.ts";
import type { Machine } from "../cluster/machine.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Api } from "./api.ts";
import { containerProcess } from "./faults.ts";
import {
  FAILPOINT_IN_IMAGE,
  HEADROOM_NAMESPACE,
  type HelmValues,
  headroomPods,
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

/** A controller's process. What is done to it needs no API server. */
export interface ControllerProcess {
  machine: Machine;
  pid: number;
}

/** Differs between runs on the same cluster, too. */
let armed = Date.now();
/** The replicas that were told to hold: the one that leads will. */
let told: ControllerProcess[] = [];

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
  told = await Promise.all((await headroomPods(api, "controller")).map((pod) => processOf(cluster, pod)));
  const script = 'printf %s "$1" >"$2.new" && mv "$2.new" "$2"';
  for (const { machine, pid } of told) {
    await machine.run(["sh", "-c", script, "sh", text, `/proc/${pid}/root/tmp/failpoint.json`]);
  }
}

async function processOf(cluster: Cluster, pod: V1Pod): Promise<ControllerProcess> {
  const machine = machineOf(cluster, pod.spec?.nodeName ?? "");
  return { machine, pid: await containerProcess(machine, pod) };
}

/** Resolves with what the failpoint struck at, for one that is to die. */
export function failpointStruck(cluster: Cluster, api: Api, limitSeconds = 60): Promise<string> {
  return waitFor("the failpoint to strike", limitSeconds, async () => {
    const pod = (await headroomPods(api, "controller"))[0]?.metadata?.name ?? "";
    return kubectl(cluster, ["-n", HEADROOM_NAMESPACE, "exec", pod, "--", "cat", `/tmp/failpoint-hit-${armed}`]);
  });
}

/** Resolves with the controller that is held, as soon as it is. */
export function failpointHolds(limitSeconds = 60): Promise<ControllerProcess> {
  return waitFor(
    "a controller to be held",
    limitSeconds,
    async () => {
      for (const controller of told) {
        const hit = `/proc/${controller.pid}/root/tmp/failpoint-hit-${armed}`;
        if ((await controller.machine.attempt(["test", "-e", hit])).code === 0) return controller;
      }
      return undefined;
    },
    20,
  );
}

/** Lets a held controller go on. */
export async function letGo({ machine, pid }: ControllerProcess): Promise<void> {
  await machine.run(["touch", `/proc/${pid}/root/tmp/failpoint-go-${armed}`]);
}
