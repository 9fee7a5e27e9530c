/** Faults that tests bring about in nodes, by subject in `faults/`. Those here strike at a restore. Each can be taken back. */
import type { Machine } from "../cluster/machine.ts";

export * from "./faults/clock.ts";
export * from "./faults/control-plane.ts";
export * from "./faults/disks.ts";
export * from "./faults/links.ts";
export * from "./faults/processes.ts";
export type { Undo } from "./faults/undo.ts";

/**
 * Kills the next process of the workload that is stopped (as a restored one is before it is let go) on a node, as soon as it is
 * there. Resolves with whether there was one in the time.
 * @param podUID only one of this pod: another move's source on that node may be stopped, too, while CRIU dumps it
 */
export async function killNextHeldWorkload(machine: Machine, limitSeconds: number, podUID = ""): Promise<boolean> {
  const uid = podUID.replaceAll("-", "[-_]"); // systemd's driver writes it with other dashes
  const hunt = `
    end=$(( $(date +%s) + ${limitSeconds} ))
    while [ $(date +%s) -lt $end ]; do
      for status in /proc/[0-9]*/status; do
        read -r _ name < "$status" 2>/dev/null || continue
        [ "$name" = workload ] || continue
        grep -q '^State:.[Tt]' "$status" 2>/dev/null || continue
        grep -q '${uid}' "\${status%/status}/cgroup" 2>/dev/null || continue
        pid=\${status#/proc/}; kill -KILL "\${pid%/status}"; echo killed; exit
      done
    done`;
  const outcome = await machine.attempt(["bash", "-c", hunt], { timeoutSeconds: limitSeconds + 5 });
  return outcome.stdout.includes("killed");
}

/** Kills the oldest runtime wrapper that waits for a checkpoint on the node. Answers the node's id of it, if there was one. */
export async function killWaitingCreate(machine: Machine): Promise<number | undefined> {
  const found = await machine.attempt(["sh", "-c", "cat /run/headroom/target/*/waiting/*.pid"]);
  const pid = Number(found.stdout.split("\n")[0]);
  if (!pid) return undefined;
  await machine.run(["kill", "-KILL", String(pid)]);
  return pid;
}

/** Where an agent has laid its CRIU; the folder's name is its version. */
const CRIU = "/var/lib/headroom/criu/*/bin/criu";

/** Until `repairRestore`, a shell script runs before each restore on the node. */
function beforeRestore(machine: Machine, script: string): Promise<void> {
  return replaceCriu(machine, () => script);
}

/** CRIU is replaced by a program that does its own work at each dump and restore, and runs the real one if it comes to its end. */
async function replaceCriu(machine: Machine, work: (real: string) => string): Promise<void> {
  const criu = (await machine.run(["sh", "-c", `ls ${CRIU}`])).trim();
  const real = `${criu}.real`;
  await machine.run(["sh", "-c", `[ -e ${real} ] || cp -p ${criu} ${real}`]);
  const program = `#!/bin/sh\nif [ "$1" = swrk ]; then\n${work(real)}\nfi\nexec ${real} "$@"\n`;
  await machine.write(`${criu}.new`, program, 0o755);
  await machine.run(["mv", `${criu}.new`, criu]);
}

/** What containerd gives a container that asks for nothing, and all capabilities there are, as CRIU's images have the lower 32. */
const USUAL_CAPABILITIES = "\\xfb\\xcb\\x90\\xc0\\x0a";
const ALL_CAPABILITIES = "\\xff\\xff\\xff\\xff\\x0f";

/** Until `repairRestore`, containers that are dumped on the node have all capabilities in their images. */
export function forgeCapabilities(machine: Machine): Promise<void> {
  const forge = `env LC_ALL=C sed -z -i 's/${USUAL_CAPABILITIES}/${ALL_CAPABILITIES}/g'`;
  return replaceCriu(
    machine,
    (real) => `${real} "$@"; code=$?; find /run/headroom/source -name 'core-*.img' -exec ${forge} {} +; exit $code`,
  );
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
  await machine.attempt(["sh", "-c", `for real in ${CRIU}.real; do mv "$real" "\${real%.real}"; done`]);
}
