/** Faults that tests bring about in nodes: cut cables, killed processes, slow links. Each can be taken back. */
import type { V1Pod } from "@kubernetes/client-node";
import type { Machine } from "../cluster/machine.ts";

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

/** The next restore on the node finds a damaged memory image: CRIU is replaced by a program that damages it, then does its work. */
export async function damageImagesBeforeRestore(machine: Machine): Promise<void> {
  await machine.run(["sh", "-c", "[ -e /usr/sbin/criu.real ] || cp -p /usr/sbin/criu /usr/sbin/criu.real"]);
  const script = `#!/bin/sh
if [ "$1" = swrk ]; then
  for image in $(find /run/headroom -name 'core-*.img'); do : > "$image"; echo "$image" >> /var/log/node/damaged.log; done
fi
exec /usr/sbin/criu.real "$@"
`;
  await machine.write("/usr/sbin/criu.new", script, 0o755);
  await machine.run(["mv", "/usr/sbin/criu.new", "/usr/sbin/criu"]);
}

export async function repairRestore(machine: Machine): Promise<void> {
  await machine.attempt(["mv", "/usr/sbin/criu.real", "/usr/sbin/criu"]);
}
