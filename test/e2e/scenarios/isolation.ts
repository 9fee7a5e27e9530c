/** (isolation) What selects pods by their labels finds the copy before its first instruction; owners and Services find it when its turn comes. */
import type { V1EndpointSlice, V1Pod } from "@kubernetes/client-node";
import { waitFor } from "../cluster/wait.ts";
import { podsPath } from "../harness/api.ts";
import { describeMove, moveReaches, requestMove } from "../harness/moves.ts";
import { isReady, podsOf, startDeployment } from "../harness/pods.ts";
import { assert, assertEqual, type Context, ROOMY_NODES_MIB, type Scenario } from "../harness/scenario.ts";
import type { Testimony } from "../harness/testimony.ts";
import { type Seen, watch } from "../harness/watch.ts";
import { assertOneLife } from "../harness/witness.ts";

const PORT = 8080;

async function underItsPolicies(context: Context): Promise<void> {
  const { api, namespace, witness } = context;
  const name = context.workload("web");
  const readinessProbe = { httpGet: { port: PORT }, initialDelaySeconds: 3, periodSeconds: 1 };
  await api.create(`/api/v1/namespaces/${namespace}/services`, service(name));
  const labels = { role: "confined" };
  const source = await startDeployment(context, {
    name,
    startMiB: 96,
    node: "n1",
    httpPort: PORT,
    labels,
    container: { readinessProbe },
  });
  await waitFor("the source to be ready", 40, async () => (await podsOf(context, name)).some(isReady));
  const pods = watch<V1Pod>(api, podsPath(namespace));
  const slices = watch<V1EndpointSlice>(api, `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`);
  try {
    await requestMove(api, namespace, { name: "move", podName: source.metadata?.name ?? "", targetNode: "n2" });
    const done = await moveReaches(api, namespace, "move", ["Succeeded"]);
    const heard = await witness.hears(name, 200);
    assertOneLife(name, heard);
    const copy = pods.seen.filter(({ object }) => object.metadata?.uid === done.status?.targetPodUID);
    const times = {
      firstWord: endOfFreeze(heard, Date.parse(done.status?.startTime ?? "")),
      labels: firstAt(copy, (pod) => pod.metadata?.labels?.app === name && pod.metadata.labels.role === labels.role),
      owner: firstAt(copy, (pod) => controllerOf(pod) === controllerOf(source)),
      endpoint: firstAt(slices.seen, (slice) => leadsTo(slice, done.status?.targetPodName)),
    };
    context.note(await describeMove(witness, name, done));
    context.note(`after its first word: ${JSON.stringify(since(times.firstWord, times))} ms`);
    assertOrder(times);
    assertNoSurplus(pods.seen, source, done.status?.targetPodUID);
  } finally {
    pods.stop();
    slices.stop();
  }
}

interface Times {
  firstWord: number;
  /** The copy has all of the source's labels. */
  labels: number;
  /** The source's owner is the copy's controller. */
  owner: number;
  /** The Service leads to the copy. */
  endpoint: number;
}

const WATCH_DELAY_MS = 5; // a word by UDP is faster than a watch through kubectl

function assertOrder({ firstWord, labels, owner, endpoint }: Times): void {
  assert(
    labels <= firstWord + WATCH_DELAY_MS,
    `the copy spoke ${Math.round(labels - firstWord)} ms before it had its labels`,
  );
  assert(owner > firstWord, "the owner had the copy before its first word");
  assert(endpoint > firstWord, "the Service led to the copy before its first word");
}

/** The owner made no third pod. */
function assertNoSurplus(seen: readonly Seen<V1Pod>[], source: V1Pod, copyUID: string | undefined): void {
  const owned = seen.filter(({ object }) => controllerOf(object) === controllerOf(source));
  const others = new Set(owned.map(({ object }) => object.metadata?.uid));
  others.delete(source.metadata?.uid);
  others.delete(copyUID);
  assertEqual([...others], [], "other pods of the owner");
}

function service(name: string): object {
  return { metadata: { name }, spec: { selector: { app: name }, ports: [{ port: PORT }] } };
}

function controllerOf(pod: V1Pod): string | undefined {
  return pod.metadata?.ownerReferences?.find(({ controller }) => controller)?.uid;
}

function leadsTo(slice: V1EndpointSlice, podName: string | undefined): boolean {
  const endpoints = slice.endpoints ?? [];
  return endpoints.some(({ targetRef, conditions }) => targetRef?.name === podName && conditions?.ready === true);
}

function firstAt<T>(seen: readonly Seen<T>[], holds: (object: T) => boolean): number {
  return seen.find(({ object }) => holds(object))?.atMs ?? Number.POSITIVE_INFINITY;
}

/** When the copy spoke first, in epoch milliseconds. */
function endOfFreeze({ silences }: Testimony, fromMs: number): number {
  const longest = silences.find((silence) => silence.fromMs >= fromMs - 1000);
  assert(longest, "no freeze was heard");
  return longest.fromMs + longest.milliseconds;
}

function since(startMs: number, times: Times): Record<string, number> {
  return Object.fromEntries(Object.entries(times).map(([what, atMs]) => [what, Math.round(atMs - startMs)]));
}

export const isolation: Scenario = {
  id: "isolation",
  title: "what finds the copy by its labels, and when",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  tests: [
    {
      name: "the copy has its labels before its first word; its owner and its Service get it afterwards",
      run: underItsPolicies,
    },
  ],
};
