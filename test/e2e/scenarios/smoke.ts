/** The cluster itself: pods run, measure up, reach the API and are found in InfluxDB. */
import { kubectl } from "../cluster/cluster.ts";
import { queryInfluxdb } from "../cluster/influxdb.ts";
import { waitFor } from "../cluster/wait.ts";
import { startPod } from "../harness/pods.ts";
import { assert, type Context, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";

const MIB = 2 ** 20;

async function measured(context: Context): Promise<void> {
  const name = context.workload("steady");
  await startPod(context, { name, startMiB: 128, node: "n1" });
  const bytes = await waitFor("InfluxDB to know the pod's memory", 60, async () => {
    const rows = await queryInfluxdb(
      context.cluster.settings,
      `from(bucket: "default") |> range(start: -1m) |> filter(fn: (r) => r._measurement == "kubernetes_pod_container"
        and r._field == "memory_working_set_bytes" and r.pod_name == "${name}" and r.node_name == "n1") |> last()`,
    );
    const value = Number(rows[0]?._value);
    return value > 100 * MIB && value;
  });
  assert(bytes < 200 * MIB, `the pod holds 128 MiB, InfluxDB says ${bytes / MIB}`);
  assertOneLife(name, await context.witness.testimony(name));
}

async function reachable(context: Context): Promise<void> {
  const name = context.workload("caller");
  await startPod(context, { name, startMiB: 8, node: "n2" });
  const { apiServiceAddress, kubernetesVersion } = context.cluster.settings;
  const ask = ["wget", "-q", "-O", "-", "-T", "5", "--no-check-certificate", `https://${apiServiceAddress}/version`];
  const answer = await kubectl(context.cluster, ["-n", context.namespace, "exec", name, "--", ...ask]);
  assert(answer.includes(`"gitVersion": "v${kubernetesVersion}"`), `the API server's service answered ${answer}`);
  const log = await kubectl(context.cluster, ["-n", context.namespace, "logs", name]);
  assert(log.startsWith("instance "), `the pod's log is ${log}`);
}

/** Every second node has newer programs, so that moves between neighbours cross versions. */
async function crossing({ node, note }: Context): Promise<void> {
  const versionsOn = (name: string) => node(name).run(["sh", "-c", "containerd --version; runc --version | head -n 1"]);
  const [older, newer] = await Promise.all([versionsOn("n1"), versionsOn("n2")]);
  note(`n1: ${older}n2: ${newer}`.trim());
  assert(/ 1\.7\.\d.*\nrunc version 1\.1\./.test(older), `n1 has ${older}`);
  assert(/ 2\.1\.\d.*\nrunc version 1\.3\./.test(newer), `n2 has ${newer}`);
}

export const smoke: Scenario = {
  id: "smoke",
  title: "the cluster works",
  nodeMemoryMiB: [1024, 1024],
  headroom: false,
  tests: [
    { name: "a pod's memory, as its kubelet measures it, arrives in InfluxDB", run: measured },
    { name: "a pod reaches the API server's service; exec and logs work", run: reachable },
    { name: "n1 and n2 have different versions of containerd and runc", run: crossing },
  ],
};
