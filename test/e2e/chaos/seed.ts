/** One seed from its schedule to its verdict. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { type Api, migrationPath } from "../harness/api.ts";
import { clearNamespace, clearPolicies } from "../harness/cleaning.ts";
import { prepareToSlowDown } from "../harness/faults.ts";
import type { Migration } from "../harness/moves.ts";
import type { Witness } from "../harness/witness.ts";
import { disagreements, endedMoves, readTold } from "./agreement.ts";
import { catalogue } from "./catalogue.ts";
import { play } from "./conductor.ts";
import { type Coverage, count } from "./coverage.ts";
import { NAMESPACE_DELETED } from "./faults/at-pods.ts";
import { judge, type Verdict } from "./judge.ts";
import { type Inventory, inventory, leftAfter } from "./leftovers.ts";
import type { ChaosRecord, JudgedMove, JudgedWorkload, StruckFault } from "./record.ts";
import { newScene, type Scene } from "./scene.ts";
import { type Schedule, scheduleOf } from "./schedule.ts";

/** What Kubernetes and the agents may take to clear away what is over. */
const CLEAN_WITHIN_SECONDS = 90;
const AGREE_WITHIN_SECONDS = 30;

export interface Arena {
  cluster: Cluster;
  api: Api;
  witness: Witness;
  /** Of each node, when nothing had run there yet. */
  before: Inventory[];
}

export interface SeedOptions {
  seed: number;
  moves: number;
  /** Ids; absent: all. */
  faults?: readonly string[] | undefined;
  /** Where its timeline is written. */
  folder: string;
}

/** What is counted over many seeds. */
export interface SeedResult extends Omit<Verdict, "faults"> {
  seed: number;
  moves: number;
  strikes: Coverage;
  /** Sentences: what must never be. */
  found: string[];
  missed: string[];
  seconds: number;
}

export async function arenaOn({ cluster, api, witness }: Omit<Arena, "before">): Promise<Arena> {
  await prepareToSlowDown(...cluster.machines);
  return { cluster, api, witness, before: await inventories(cluster) };
}

function inventories(cluster: Cluster): Promise<Inventory[]> {
  return Promise.all(cluster.machines.map(inventory));
}

export async function runSeed(arena: Arena, options: SeedOptions): Promise<SeedResult> {
  const started = performance.now();
  const chosen = catalogue.filter(({ id }) => options.faults?.includes(id) ?? true);
  const schedule = scheduleOf(options.seed, options.moves, chosen);
  const scene = newScene(arena.cluster, arena.api, arena.witness);
  try {
    const result = await judged(arena, scene, schedule);
    return { ...result, seconds: Math.round((performance.now() - started) / 1000) };
  } finally {
    scene.moves.stop();
    mkdirSync(options.folder, { recursive: true });
    writeFileSync(join(options.folder, `seed-${options.seed}.log`), `${scene.timeline.lines().join("\n")}\n`);
  }
}

async function judged(arena: Arena, scene: Scene, schedule: Schedule): Promise<Omit<SeedResult, "seconds">> {
  const { workloads, missed } = await play(scene, schedule);
  const moves = await movesOf(scene);
  const struck = scene.struck.map((fault) => inItsPhase(fault, moves));
  const record = {
    workloads: workloads.map((one) => ({ ...one, wanted: !isGoneForGood(one, struck) })),
    moves,
    faults: struck,
  };
  const { faults, ...verdict } = judge(record);
  const untold = await disagreeing(arena, record);
  const namespaces = [...new Set(workloads.map(({ name }) => `chaos-${name}`))];
  const left = (await clean(arena, namespaces)).filter((sentence) => !isContainerds(sentence, struck));
  const found = [...faults, ...untold, ...left];
  for (const sentence of found) scene.timeline.add("JUDGE", sentence);
  const strikes: Coverage = {};
  for (const { id, phase = "" } of struck) count(strikes, id, phase);
  return { seed: schedule.seed, moves: moves.length, strikes, found, missed, ...verdict };
}

/** What is written so soon after a strike was decided before it. */
const DECIDED_BEFORE_MS = 300;

/** By the times that the move's status tells: the watch is some tens of milliseconds late. */
function inItsPhase(fault: StruckFault, moves: readonly JudgedMove[]): StruckFault {
  const transitions = moves.find(({ name }) => name === fault.move)?.final?.status?.phaseTransitions ?? [];
  const at = (ms: number): string | undefined => transitions.findLast(({ time }) => Date.parse(time) <= ms)?.phase;
  const soon = at(fault.atMs + DECIDED_BEFORE_MS);
  const phase = soon === "Committed" ? soon : at(fault.atMs);
  return { ...fault, ...(phase ? { phase } : {}) };
}

/** Nobody makes a pod again that was deleted by a person, nor anything in a namespace that is deleted. A committed move's source is not needed any more. */
function isGoneForGood({ name, kind }: Pick<JudgedWorkload, "name" | "kind">, faults: readonly StruckFault[]): boolean {
  return faults.some(({ phase, ends = [] }) =>
    ends.some(
      ({ workload, by, of, cell }) =>
        workload === name &&
        by === "deletion" &&
        (cell === NAMESPACE_DELETED || (kind === "Pod" && !(of === "source" && phase === "Committed"))),
    ),
  );
}

async function movesOf({ moves, api }: Scene): Promise<JudgedMove[]> {
  return Promise.all(
    moves.all().map(async ({ latest, phases }) => {
      const { namespace, name } = latest.metadata;
      const final = await api.get<Migration>(migrationPath(namespace, name));
      const stillOpen = final !== undefined && !moves.isEnded(namespace, name);
      return { namespace, name, workload: namespace.replace("chaos-", ""), phases, final, stillOpen };
    }),
  );
}

/** Killed while it makes a container, or left by the kubelet that has asked for it, containerd forgets the snapshot that it has made already. */
function isContainerds(sentence: string, faults: readonly StruckFault[]): boolean {
  const isKilled = ({ id, nodeKilled }: StruckFault): boolean =>
    nodeKilled !== undefined || id.startsWith("containerd-") || id.startsWith("kubelet-");
  return sentence.startsWith("left behind: snapshot on ") && faults.some(isKilled);
}

/** Sentences about what stays when everything was deleted. */
async function clean({ cluster, api, before }: Arena, namespaces: readonly string[]): Promise<string[]> {
  await clearPolicies(api);
  const stuck: string[] = [];
  for (const namespace of namespaces)
    await clearNamespace(api, namespace).catch((error: Error) => stuck.push(error.message));
  const left = await leftAfter({ api, machines: cluster.machines, before }, CLEAN_WITHIN_SECONDS);
  return [...stuck, ...left].map((sentence) => `left behind: ${sentence}`);
}

/** Events, metrics and objects, while they are there. The metrics follow within a scrape or two of the informer's. */
async function disagreeing({ cluster, api }: Arena, record: ChaosRecord): Promise<string[]> {
  const ended = endedMoves(record);
  let sentences: string[] = [];
  await waitFor("events and metrics to agree with the moves", AGREE_WITHIN_SECONDS, async () => {
    sentences = disagreements(ended, await readTold(cluster, api));
    return sentences.length === 0;
  }).catch((error: Error) => (sentences.length > 0 ? undefined : sentences.push(`stuck: ${error.message}`)));
  return sentences;
}
