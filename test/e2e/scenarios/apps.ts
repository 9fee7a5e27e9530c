/** (apps) Real programs, driven as their users drive them: moved there and back under load, or refused with what to change. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GROUPS, type Group, PROGRAMS, type Program } from "../apps/programs.ts";
import { kubectl } from "../cluster/cluster.ts";
import { writeImage } from "../cluster/oci.ts";
import { build } from "../cluster/programs.ts";
import { importImages } from "../cluster/test-images.ts";
import { waitFor } from "../cluster/wait.ts";
import { type Migration, moveReaches, phasesOf, requestMove } from "../harness/moves.ts";
import { getPod, isReady } from "../harness/pods.ts";
import { assert, assertEqual, type Context, ROOMY_NODES_MIB, type Scenario, type Test } from "../harness/scenario.ts";

const NODES = ["n1", "n2"];
const imageOf = (group: Group): string => `headroom.test/apps-${group}:1`;

/** Builds the group's image, and brings it to the nodes in place of the group's before. */
async function bringImage({ cluster, node, note }: Context, group: Group): Promise<void> {
  const names = GROUPS.map(imageOf);
  const listed = await node("n2").run(["ctr", "-n", "k8s.io", "images", "list", "-q"]);
  if (listed.split("\n").includes(imageOf(group))) return;
  const sources = ["drive.py", "haproxy.cfg", "nginx.conf", "prometheus.yml", "server.go", "web.py", "Work.java"];
  const inputs = [...sources, "work.erl", "work.js", "work.py", "work.rb", "work.R"].map(
    (name) => `../../apps/image/${name}`,
  );
  const args = group === "servers" ? [group, cluster.programs.influxdb] : [group];
  const layer = join(
    await build(cluster.settings, { name: `apps-${group}`, script: "apps.sh", inputs, args }, note),
    "layer.tar",
  );
  const file = join(cluster.settings.folder, `images/apps-${group}.tar`);
  await mkdir(join(cluster.settings.folder, "images"), { recursive: true });
  await writeImage(
    imageOf(group),
    [layer],
    { Env: ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"] },
    file,
  );
  for (const name of NODES) {
    await node(name).attempt(["ctr", "-n", "k8s.io", "images", "rm", "--sync", ...names]);
    await importImages(node(name), [file]);
  }
}

const firstNode = ({ seccomp }: Program): string => (seccomp ? "n2" : "n1");

async function start(context: Context, name: string, program: Program): Promise<void> {
  const { api, namespace } = context;
  const { group, run, env = {}, script, seccomp } = program;
  if (script !== undefined)
    await api.create(`/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name }, data: { script } });
  const scripts = { name: "scripts", mountPath: "/scripts" };
  const preference = {
    matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [firstNode(program)] }],
  };
  await api.create(`/api/v1/namespaces/${namespace}/pods`, {
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      ...(seccomp ? { securityContext: { seccompProfile: { type: "RuntimeDefault" } } } : {}),
      affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference }] } },
      containers: [
        {
          name: "program",
          image: imageOf(group),
          command: ["sh", "-c", run],
          env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
          volumeMounts: script === undefined ? [] : [scripts],
        },
      ],
      volumes: script === undefined ? [] : [{ name: scripts.name, configMap: { name } }],
    },
  });
  await waitFor(`pod ${name} to run`, 60, async () => {
    const pod = await getPod(context, name);
    return pod !== undefined && isReady(pod);
  });
}

interface State {
  word: string;
  count: number;
  wrong: number;
}

/** Undefined: it does not answer yet. */
async function ask({ cluster, namespace }: Context, pod: string, { ask: script }: Program): Promise<State | undefined> {
  const told = await kubectl(cluster, ["-n", namespace, "exec", pod, "--", "sh", "-c", script ?? "cat /state"], {
    timeoutSeconds: 30,
  }).catch(() => "");
  const [word = "", count = "", wrong = ""] = told.trim().split(/\s+/);
  return wrong === "" ? undefined : { word, count: Number(count), wrong: Number(wrong) };
}

/** Resolves with the state once the program has gone on from there. */
function goesOn(context: Context, pod: string, program: Program, from: number): Promise<State> {
  return waitFor(`${pod} to go on from ${from}`, 60, async () => {
    const state = await ask(context, pod, program);
    return state && state.count > from ? state : undefined;
  });
}

async function moves(context: Context, name: string, program: Program): Promise<number[]> {
  const { api, namespace, note } = context;
  const freezes: number[] = [];
  let before = await goesOn(context, name, program, 1);
  let pod = name;
  const there = NODES.filter((node) => node !== firstNode(program));
  const back = firstNode(program);
  for (const node of [...there, back, ...there, back]) {
    const move = `${name}-${freezes.length + 1}`;
    await requestMove(api, namespace, { name: move, podName: pod, targetNode: node });
    const done = await moveReaches(api, namespace, move, ["Succeeded"]);
    pod = done.status?.targetPodName ?? "";
    const after = await goesOn(context, pod, program, before.count);
    assertEqual(
      [after.word, after.wrong],
      [before.word, before.wrong],
      `what ${pod} knows and how many answers were wrong, on ${node}`,
    );
    const restarts = (await getPod(context, pod))?.status?.containerStatuses?.[0]?.restartCount;
    assertEqual(restarts, 0, `restarts of ${pod}`);
    note(sentence(done));
    freezes.push(done.status?.freezeMilliseconds ?? 0);
    before = await goesOn(context, pod, program, after.count);
  }
  return freezes;
}

function sentence({ metadata, status }: Migration): string {
  const bytes = (status?.containers ?? []).reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  return `${metadata.name}: frozen for ${status?.freezeMilliseconds} ms, ${Math.round(bytes / 2 ** 20)} MiB`;
}

async function isRefused(context: Context, name: string, program: Program, message: RegExp): Promise<void> {
  const { api, namespace, note } = context;
  const before = await goesOn(context, name, program, 1);
  await requestMove(api, namespace, { name, podName: name, targetNode: "n2" });
  const ended = await moveReaches(api, namespace, name, ["Failed", "RolledBack", "Succeeded"], 60);
  assert(message.test(ended.status?.message ?? ""), `the message does not say ${message}: ${ended.status?.message}`);
  assert(!phasesOf(ended).includes("Frozen"), "it was frozen for nothing");
  await goesOn(context, name, program, before.count);
  note(ended.status?.message ?? "");
}

async function play(context: Context, name: string, program: Program): Promise<void> {
  await bringImage(context, program.group);
  await start(context, name, program);
  if (program.refused) {
    await isRefused(context, name, program, program.refused.message);
    await record(program, `refused; ${program.refused.so}`);
  } else {
    const freezes = await moves(context, name, program);
    await record(program, `moved; frozen for ${Math.min(...freezes)} to ${Math.max(...freezes)} ms`);
  }
}

const TABLE = new URL("../../../docs/compatibility.md", import.meta.url);

/** With HEADROOM_E2E_RECORD=docs, writes the program's row into the table of docs/compatibility.md. */
async function record({ title }: Program, outcome: string): Promise<void> {
  if (process.env.HEADROOM_E2E_RECORD !== "docs") return;
  const text = await readFile(TABLE, "utf8");
  const row = `| ${title} | ${outcome} |`;
  const own = text.split("\n").find((line) => line.startsWith(`| ${title} | `));
  assert(own, `docs/compatibility.md has no row for ${title}`);
  await writeFile(
    TABLE,
    text.replace(own, () => row),
  );
}

export const apps: Scenario = {
  id: "apps",
  title: "real programs",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  onDemand: true,
  headroom: {},
  tests: Object.entries(PROGRAMS).map(
    ([name, program]): Test => ({
      name: `${program.title}${program.refused ? ": refused, with what to change" : ", there and back twice under load"}`,
      run: (context) => play(context, name, program),
      limitSeconds: 900,
    }),
  ),
};
