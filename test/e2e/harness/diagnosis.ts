/** What a failed test leaves for whoever looks into it: the cluster's objects, events and logs, in a folder that outlives the cluster. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Cluster, keepLogs, kubectl } from "../cluster/cluster.ts";

const QUESTIONS: Record<string, string[]> = {
  "pods.txt": ["get", "pods", "-A", "-o", "wide"],
  "pods.yaml": ["get", "pods", "-A", "-o", "yaml"],
  "moves.yaml": ["get", "podmigrations", "-A", "-o", "yaml"],
  "policies.yaml": ["get", "migrationpolicies", "-o", "yaml"],
  "nodes.yaml": ["get", "nodes", "-o", "yaml"],
  "events.txt": ["get", "events", "-A", "--sort-by=.lastTimestamp"],
  "controller.log": ["-n", "headroom-system", "logs", "deployment/headroom-controller", "--tail=-1"],
  "controller-previous.log": ["-n", "headroom-system", "logs", "deployment/headroom-controller", "--tail=-1", "-p"],
};

const NODE_QUESTIONS: Record<string, string> = {
  "processes.txt": "ps axfww -o pid,ppid,state,etime,rss,cgroup:60,args",
  "headroom-files.txt": "find /var/lib/headroom /run/headroom | head -500",
  "containers.txt":
    "ls -lAR /run/containerd/runc/k8s.io /run/containerd/io.containerd.runtime.v2.task/k8s.io | head -500",
  "connections.txt": "ss -tnap",
  "containerd.toml": "cat /etc/containerd/config.toml /etc/containerd/conf.d/*.toml",
  "kernel.txt": "dmesg | tail -200",
};

/** The answer is the folder. */
export async function diagnose(cluster: Cluster): Promise<string> {
  const folder = await keepLogs(cluster.settings);
  for (const [file, question] of Object.entries(QUESTIONS)) {
    const answer = await kubectl(cluster, question).catch((error: Error) => error.message);
    await writeFile(join(folder, file), answer);
  }
  for (const machine of cluster.machines) {
    await mkdir(join(folder, machine.node.name), { recursive: true });
    for (const [file, question] of Object.entries(NODE_QUESTIONS)) {
      const answer = await machine.attempt(["sh", "-c", question], { timeoutSeconds: 10 });
      await writeFile(join(folder, machine.node.name, file), answer.stdout + answer.stderr);
    }
  }
  return folder;
}
