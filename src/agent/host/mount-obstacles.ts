/** What a container mounts that a move would lose. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SourceFacts } from "../protocol.ts";
import type { Container } from "./containers.ts";
import { entriesOf } from "./files.ts";
import type { Host } from "./host.ts";
import { overlayObstacle } from "./overlay-options.ts";

type Obstacle = SourceFacts["obstacles"][number];

export function mountObstacles(host: Host, container: Pick<Container, "mounts" | "rootfs" | "pid">): Obstacle[] {
  return [
    ...messageQueueObstacle(host, container.pid),
    ...container.mounts.flatMap((mount) => subPathObstacle(host, mount)),
    ...container.mounts.flatMap((mount) => sharedMemoryObstacle(host, mount)),
    ...overlayObstacle(host, container.rootfs),
  ];
}

/** The kubelet's own place for a subPath: the volume's name is in it, its kind isn't. */
const SUB_PATH = /^(.*)\/volume-subpaths\/([^/]+)\/[^/]+\/\d+$/;

function subPathObstacle(host: Host, { source, destination }: Container["mounts"][number]): Obstacle[] {
  const [, pod, volume] = SUB_PATH.exec(source) ?? [];
  if (!pod || !volume || !existsSync(host.path(join(pod, "volumes/kubernetes.io~empty-dir", volume)))) return [];
  const message = `the container mounts a subPath of the emptyDir ${volume} at ${destination}: its files cannot be sent`;
  return [{ reason: "SubPath", message }];
}

/** POSIX message queues: they belong to the pod, and CRIU leaves them behind without a word. */
function messageQueueObstacle(host: Host, pid: number): Obstacle[] {
  const queues = entriesOf(host.path(`/proc/${pid}/root/dev/mqueue`));
  if (queues.length === 0) return [];
  const message = `there are POSIX message queues, which do not travel: ${queues.slice(0, 3).join(", ")}`;
  return [{ reason: "MessageQueues", message }];
}

/** The runtime gives every sandbox a /dev/shm of its own, which belongs to no container and doesn't travel. */
function sharedMemoryObstacle(host: Host, { source, destination }: Container["mounts"][number]): Obstacle[] {
  if (destination !== "/dev/shm" || source.includes("/volumes/kubernetes.io~empty-dir/")) return [];
  const files = entriesOf(host.path(source));
  if (files.length === 0) return [];
  const what = files.slice(0, 3).join(", ");
  const message = `there are files in /dev/shm, which do not travel: ${what} (they do with an emptyDir of medium Memory mounted at /dev/shm)`;
  return [{ reason: "SharedMemory", message }];
}
