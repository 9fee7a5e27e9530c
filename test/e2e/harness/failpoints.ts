/** Stops the controller at an exact write: see ./failpoint.mjs, which is loaded into it. */
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { V1Pod } from "@kubernetes/client-node";
import { type Cluster, kubectl, machineOf } from "../cluster/cluster.ts";
import type { Machine } from "../cluster/machine.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Api } from "./api.ts";
import {
  FAILPOINT_IN_IMAGE,
  HEADROOM_NAMESPACE,
  type HelmValues,
  headroomPods,
  installHeadroom,
  temporaryFolder,
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

interface NumberedFailpoint extends Failpoint {
  armed: number;
}

/** A replica of the controller. What is done to it goes through its /tmp, which outlives its container, and needs no API server. */
export interface ControllerPod {
  machine: Machine;
  pod: V1Pod;
}

/** Differs between runs on the same cluster, too. */
let armed = Date.now();
/** The replicas that were told to hold: the one that leads will. */
let told: ControllerPod[] = [];

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
  const numbered = { ...failpoint, armed };
  if (failpoint.act === "hold") return tell(cluster, api, numbered);
  const extraEnv = [...PRELOADED, { name: "FAILPOINT", value: JSON.stringify(numbered) }];
  const controller = { ...(values.controller as object | undefined), extraEnv };
  await installHeadroom(cluster, api, { ...values, controller });
}

/** Once what the test before has done to controller and agents is over. */
async function tell(cluster: Cluster, api: Api, failpoint: NumberedFailpoint): Promise<void> {
  await waitForHeadroom(cluster);
  told = await controllersOf(cluster, api);
  for (const controller of told) tellController(controller, failpoint);
}

/** Those that have been placed on a node. */
export async function controllersOf(cluster: Cluster, api: Api): Promise<ControllerPod[]> {
  const placed = (await headroomPods(api, "controller")).filter(({ spec }) => spec?.nodeName);
  return placed.map((pod) => ({ machine: machineOf(cluster, pod.spec?.nodeName ?? ""), pod }));
}

/** What is wanted of it from now on; undefined: nothing. One that is gone, or whose machine is off, is not told. */
export function tellController(controller: ControllerPod, failpoint: NumberedFailpoint | undefined): void {
  if (failpoint === undefined) remove(controller, "failpoint.json");
  else write(controller, "failpoint.json", JSON.stringify(failpoint));
}

/** It stands still at the failpoint of this number. */
export const isHeld = (controller: ControllerPod, number: number): boolean =>
  isThere(controller, `failpoint-hit-${number}`);

/** Lets a held controller go on; `number`: of the failpoint, by default the last one that was armed. */
export function letGo(controller: ControllerPod, number = armed): void {
  write(controller, `failpoint-go-${number}`, "");
}

const fileOf = ({ machine, pod }: ControllerPod, name: string): string =>
  machine.path(join(temporaryFolder(pod), name));

function isThere(controller: ControllerPod, name: string): boolean {
  return controller.machine.isOn && existsSync(fileOf(controller, name));
}

function write(controller: ControllerPod, name: string, text: string): void {
  try {
    if (!isThere(controller, "")) return;
    writeFileSync(fileOf(controller, `${name}.new`), text);
    renameSync(fileOf(controller, `${name}.new`), fileOf(controller, name));
  } catch {
    // its disk is full, or it has just gone: it is not held then
  }
}

function remove(controller: ControllerPod, name: string): void {
  if (controller.machine.isOn) rmSync(fileOf(controller, name), { force: true });
}

/** Resolves with what the failpoint struck at, for one that is to die. */
export function failpointStruck(cluster: Cluster, api: Api, limitSeconds = 60): Promise<string> {
  return waitFor("the failpoint to strike", limitSeconds, async () => {
    const pod = (await headroomPods(api, "controller"))[0]?.metadata?.name ?? "";
    return kubectl(cluster, ["-n", HEADROOM_NAMESPACE, "exec", pod, "--", "cat", `/tmp/failpoint-hit-${armed}`]);
  });
}

/** Resolves with the controller that is held, as soon as it is. */
export function failpointHolds(limitSeconds = 60): Promise<ControllerPod> {
  return waitFor("a controller to be held", limitSeconds, () => told.find((one) => isHeld(one, armed)), 20);
}
