/** A pod's registration as a target, on the node's disk: what the runtime wrapper goes by. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { AgentError } from "../agent-error.ts";
import { writeDurably } from "../move-records.ts";
import { bundleOf } from "./containers.ts";
import { entriesOf, readIfThere } from "./files.ts";
import { type Host, runtimeOf } from "./host.ts";
import { registrationOf, TARGETS_DIRECTORY, targetMoveOf } from "./layout.ts";

/** Durable when it returns: after a crash of the node the pod is still registered. */
export function register(host: Host, moveUID: string, podUID: string, containerName: string): void {
  const target = registrationOf(podUID);
  const owner = readIfThere(host.path(target.move))?.trim();
  if (owner !== undefined && owner !== moveUID) {
    throw new AgentError("WrongState", `pod ${podUID} is the target of another move, ${owner}`);
  }
  if (isAborted(host, podUID)) throw new AgentError("WrongState", `the move of pod ${podUID} was rolled back`);
  mkdirSync(host.path(target.directory), { recursive: true, mode: 0o700 });
  writeDurably(host.path(target.container), `${containerName}\n`);
  writeDurably(host.path(target.move), `${moveUID}\n`);
  mkdirSync(host.path(targetMoveOf(moveUID).waiting), { recursive: true, mode: 0o700 });
  for (const directory of [target.directory, dirname(target.directory)]) syncFolder(host.path(directory));
}

/** From now on the kubelet's restarts are ordinary ones. Refuses for good when the move was aborted. */
export function markReleased(host: Host, podUID: string): void {
  if (isAborted(host, podUID)) throw new AgentError("WrongState", `the move of pod ${podUID} was rolled back`);
  mark(host, podUID, "released");
}

/**
 * From now on `create` fails for good. Registers the pod if it wasn't, so that a late `create` finds the door shut. Refuses for good when
 * the copy was released.
 */
export function markAborted(host: Host, podUID: string): void {
  if (isReleased(host, podUID)) throw new AgentError("AlreadyReleased", `the copy of pod ${podUID} has been released`);
  mark(host, podUID, "aborted");
}

/** Durable when it returns. Nothing awaits between the check of the other mark and this one, and only one agent serves a node. */
function mark(host: Host, podUID: string, name: "released" | "aborted"): void {
  const target = registrationOf(podUID);
  const made = mkdirSync(host.path(target.directory), { recursive: true, mode: 0o700 });
  writeDurably(host.path(target[name]), "");
  if (made !== undefined) syncFolder(dirname(host.path(target.directory)));
}

export function isReleased(host: Host, podUID: string): boolean {
  return existsSync(host.path(registrationOf(podUID).released));
}

export function isAborted(host: Host, podUID: string): boolean {
  return existsSync(host.path(registrationOf(podUID).aborted));
}

export function isRegistered(host: Host, podUID: string): boolean {
  return existsSync(host.path(registrationOf(podUID).move));
}

/** The pod that is registered for a move, where no record tells it. */
export function podOfMove(host: Host, moveUID: string): string | undefined {
  return registeredPods(host).find((podUID) => readIfThere(host.path(registrationOf(podUID).move))?.trim() === moveUID);
}

export function unregister(host: Host, podUID: string): void {
  rmSync(host.path(registrationOf(podUID).directory), { recursive: true, force: true });
}

/** A kubelet may have heard of a pod without anything on the node telling so yet, nor of its deletion. */
const BARRED_MS = 600_000;

/**
 * Removes registrations of pods that were rolled back long ago and that the kubelet has forgotten; as long as it knows a
 * pod, it might start it cold. `knownPods` are the UIDs of pods that still have containers here; `nowMs` as the disk counts.
 */
export function sweepAborted(host: Host, knownPods: ReadonlySet<string>, nowMs: number): void {
  for (const podUID of registeredPods(host)) {
    const marked = statSync(host.path(registrationOf(podUID).aborted), { throwIfNoEntry: false });
    if (marked && !knownPods.has(podUID) && nowMs - marked.mtimeMs > BARRED_MS) unregister(host, podUID);
  }
}

export function registeredPods(host: Host): string[] {
  const directory = host.path(TARGETS_DIRECTORY);
  return existsSync(directory) ? readdirSync(directory) : [];
}

/** Pods that runc has containers (sandboxes included) of, and those that the kubelet keeps a folder of. */
export function podsOnNode(host: Host, kubeletPods = "/var/lib/kubelet/pods"): Set<string> {
  const folders = entriesOf(host.path(kubeletPods));
  const containers = entriesOf(host.path(runtimeOf(host).runcRoot));
  const owners = containers.flatMap((id) => {
    const text = readIfThere(host.path(`${bundleOf(host, id)}/config.json`));
    const uid = /"io\.kubernetes\.cri\.sandbox-uid"\s*:\s*"([^"\\]+)"/.exec(text ?? "")?.[1];
    return uid ? [uid] : [];
  });
  return new Set([...folders, ...owners]);
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
