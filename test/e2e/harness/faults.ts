/** Faults that tests bring about in nodes: cut cables, killed processes, slow links. Each can be taken back. */
import { readFileSync } from "node:fs";
import type { V1Pod } from "@kubernetes/client-node";
import { members } from "../cluster/cgroups.ts";
import { controlPlaneCgroup } from "../cluster/control-plane.ts";
import type { Machine } from "../cluster/machine.ts";
import type { Settings } from "../cluster/settings.ts";

const TABLE = "e2e_fault";

async function nft(machine: Machine, rules: string): Promise<void> {
  await machine.run(["nft", "-f", "-"], { input: rules });
}

/** No packet passes between a node (its pods too) and an address any more, in either direction; without an error to the senders. */
export function cutOff(machine: Machine, address: string, tcpPort?: number): Promise<void> {
  const [to, from] = tcpPort
    ? [`ip daddr ${address} tcp dport ${tcpPort}`, `ip saddr ${address} tcp sport ${tcpPort}`]
    : [`ip daddr ${address}`, `ip saddr ${address}`];
  const chain = (hook: string): string =>
    `chain ${hook} {\ntype filter hook ${hook} priority -500\n${to} drop\n${from} drop\n}`;
  return nft(machine, `table ip ${TABLE} {\n${["input", "output", "forward"].map(chain).join("\n")}\n}\n`);
}

export async function cutBetween(one: Machine, other: Machine): Promise<void> {
  await Promise.all([cutOff(one, other.node.address), cutOff(other, one.node.address)]);
}

/** Nothing outside of it hears of the node or its pods any more, nor do they of others. */
export function cutOffFromAll(machine: Machine): Promise<void> {
  return cutOff(machine, "10.0.0.0/8");
}

/** Takes back every cut of these nodes. */
export async function heal(...machines: Machine[]): Promise<void> {
  for (const machine of machines) await machine.attempt(["nft", "delete", "table", "ip", TABLE]);
}

/** What the node sends is limited to so many mebibits per second. */
export async function slowDown(machine: Machine, mebibitsPerSecond: number): Promise<void> {
  const shape = ["tbf", "rate", `${mebibitsPerSecond}mbit`, "burst", "64kb", "latency", "400ms"];
  await machine.run(["tc", "qdisc", "replace", "dev", "eth0", "root", ...shape]);
}

export async function speedUp(machine: Machine): Promise<void> {
  await machine.attempt(["tc", "qdisc", "delete", "dev", "eth0", "root"]);
}

/** Stops the API server where it is: what is asked of it waits without an answer. The answer lets it go on. */
export function stopApiServer(settings: Settings): () => void {
  const servers = members(controlPlaneCgroup(settings)).filter((pid) => commandOf(pid) === "kube-apiserver");
  if (servers.length !== 1) throw new Error(`${servers.length} API servers were found`);
  const send = (signal: "SIGSTOP" | "SIGCONT"): void => {
    for (const pid of servers) process.kill(pid, signal);
  };
  send("SIGSTOP");
  return () => send("SIGCONT");
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return ""; // it has ended
  }
}

/** The node's process id of a pod's container. */
export async function containerProcess(machine: Machine, pod: V1Pod): Promise<number> {
  const id = pod.status?.containerStatuses?.[0]?.containerID?.replace("containerd://", "") ?? "";
  const tasks = await machine.run(["ctr", "-n", "k8s.io", "tasks", "list"]);
  const line = tasks.split("\n").find((text) => id !== "" && text.startsWith(id));
  const pid = Number(line?.split(/\s+/)[1]);
  if (!pid) throw new Error(`pod ${pod.metadata?.name} has no process on ${machine.node.name}`);
  return pid;
}

export async function killProcess(machine: Machine, pid: number): Promise<void> {
  await machine.run(["kill", "-KILL", String(pid)]);
}

/**
 * Kills the next process of the workload that is stopped (as a restored one is before it is let go) on a node, as soon as it is
 * there. Resolves with whether there was one in the time.
 */
export async function killNextHeldWorkload(machine: Machine, limitSeconds: number): Promise<boolean> {
  const hunt = `
    end=$(( $(date +%s) + ${limitSeconds} ))
    while [ $(date +%s) -lt $end ]; do
      for status in /proc/[0-9]*/status; do
        read -r _ name < "$status" 2>/dev/null || continue
        [ "$name" = workload ] || continue
        grep -q '^State:.[Tt]' "$status" 2>/dev/null || continue
        pid=\${status#/proc/}; kill -KILL "\${pid%/status}"; echo killed; exit
      done
    done`;
  const outcome = await machine.attempt(["bash", "-c", hunt], { timeoutSeconds: limitSeconds + 5 });
  return outcome.stdout.includes("killed");
}

/** Kills the oldest runtime wrapper that waits for a checkpoint on the node. Answers its process id, if there was one. */
export async function killWaitingCreate(machine: Machine): Promise<number | undefined> {
  const found = await machine.attempt(["sh", "-c", "cat /run/headroom/target/*/waiting/*.pid"]);
  const pid = Number(found.stdout.split("\n")[0]);
  if (!pid) return undefined;
  await killProcess(machine, pid);
  return pid;
}

/** Until `repairRestore`, a shell script runs before each restore on the node: CRIU is replaced by a program that runs it, then does its work. */
async function beforeRestore(machine: Machine, script: string): Promise<void> {
  await machine.run(["sh", "-c", "[ -e /usr/sbin/criu.real ] || cp -p /usr/sbin/criu /usr/sbin/criu.real"]);
  const program = `#!/bin/sh\nif [ "$1" = swrk ]; then\n${script}\nfi\nexec /usr/sbin/criu.real "$@"\n`;
  await machine.write("/usr/sbin/criu.new", program, 0o755);
  await machine.run(["mv", "/usr/sbin/criu.new", "/usr/sbin/criu"]);
}

/** The next restore on the node finds a damaged memory image. */
export function damageImagesBeforeRestore(machine: Machine): Promise<void> {
  const damage = ': > "$image"; echo "$image" >> /var/log/node/damaged.log';
  return beforeRestore(machine, `for image in $(find /run/headroom -name 'core-*.img'); do ${damage}; done`);
}

const RESTORE_MAY_GO_ON = "/run/restore-may-go-on";

/** Restores on the node wait, `limitSeconds` at most, until `letRestoreGoOn`. */
export async function holdRestore(machine: Machine, limitSeconds: number): Promise<void> {
  await machine.run(["rm", "-f", RESTORE_MAY_GO_ON]);
  const wait = `i=0; while [ ! -e ${RESTORE_MAY_GO_ON} ] && [ $i -lt ${limitSeconds * 10} ]; do sleep 0.1; i=$((i + 1)); done`;
  await beforeRestore(machine, wait);
}

export async function letRestoreGoOn(machine: Machine): Promise<void> {
  await machine.run(["touch", RESTORE_MAY_GO_ON]);
}

export async function repairRestore(machine: Machine): Promise<void> {
  await machine.attempt(["mv", "/usr/sbin/criu.real", "/usr/sbin/criu"]);
}
