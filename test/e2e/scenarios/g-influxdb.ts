/** (g) InfluxDB stops and comes back. */
import { startInfluxdb, stopInfluxdb } from "../cluster/influxdb.ts";
import { waitFor } from "../cluster/wait.ts";
import { migrationsPath } from "../harness/api.ts";
import { describeMove, type Migration, moveReaches } from "../harness/moves.ts";
import { startPod } from "../harness/pods.ts";
import { conditionBecomes, createPolicy } from "../harness/policies.ts";
import { assertEqual, type Context, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";

async function outage(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  const name = context.workload("grows");
  const moves = (): Promise<Migration[]> => api.list<Migration>(migrationsPath(namespace));
  await createPolicy(api, "measured", {
    mode: "Enforce",
    podSelector: { matchLabels: { tier: "batch" } },
    evaluationInterval: "2s",
    metrics: { source: "InfluxDB", staleAfter: "20s" },
    pressure: { strategy: "Threshold", freeBelow: "45%" },
    placement: { strategy: "MostFree", margin: "1%" },
  });
  await conditionBecomes(api, "measured", "MetricsAvailable", "True");
  await stopInfluxdb(cluster.settings);
  const down = await conditionBecomes(api, "measured", "MetricsAvailable", "False");
  context.note(`${down.reason}: ${down.message}`);
  await startPod(context, { name, startMiB: 450, node: "n1", labels: { tier: "batch" } });
  await witness.hears(name, 2000, 60);
  assertEqual((await moves()).length, 0, "the number of moves without figures");
  await startInfluxdb(cluster.settings, cluster.programs);
  await conditionBecomes(api, "measured", "MetricsAvailable", "True", 120);
  const asked = await waitFor("the policy to ask for a move", 90, async () => (await moves())[0]);
  const done = await moveReaches(api, namespace, asked.metadata.name, ["Succeeded"]);
  assertOneLife(name, await witness.hears(name, 200));
  context.note(await describeMove(witness, name, done));
}

export const influxdb: Scenario = {
  id: "g",
  title: "InfluxDB stops and comes back",
  nodeMemoryMiB: [1024, 4096], // the target stages a quarter of its memory at most
  headroom: {},
  tests: [
    {
      name: "without figures nothing is moved and a condition says so; it recovers by itself",
      run: outage,
      limitSeconds: 420,
    },
  ],
};
