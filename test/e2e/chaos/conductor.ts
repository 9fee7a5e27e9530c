/** Plays a seed's schedule on a cluster: starts workloads, asks for moves, strikes, undoes, and waits until all is over. */
import { setTimeout as sleep } from "node:timers/promises";
import type { V1Pod } from "@kubernetes/client-node";
import { machineOf } from "../cluster/cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { ApiError, migrationPath, podsPath } from "../harness/api.ts";
import { waitForHeadroom } from "../harness/headroom.ts";
import { requestMove } from "../harness/moves.ts";
import { catalogue } from "./catalogue.ts";
import type { Aim, Fault, Undo } from "./fault.ts";
import { DELETED_WITHIN_MS } from "./judge.ts";
import { policyAsks } from "./policy-moves.ts";
import type { JudgedWorkload, StruckFault } from "./record.ts";
import type { Placed, Scene } from "./scene.ts";
import type { Chain, PlannedStrike, Schedule } from "./schedule.ts";
import { Steering } from "./steering.ts";
import { isAlive, livePod, startWorkload } from "./workload.ts";

/** Beyond this no move may be open once everything is mended. */
const ENDS_WITHIN_SECONDS = 240;
const MOVE_TIMEOUT = "3m";
/** How long the witness listens after the last fault was undone and the last move has ended. */
const LISTENS_MS = 6000;
const READY_WITHIN_SECONDS = 40;

/** Further moves of a chain, at most, for strikes that were missed. */
const MORE_MOVES = 2;
/** What refused a move at once may have passed by then. */
const BETWEEN_MOVES_MS = 3000;
/** How often a strike is planned again that its move did not live to see. */
const TRIES = 3;

interface TriedStrike {
  strike: PlannedStrike;
  /** Times that it was missed before. */
  tries: number;
}

interface PlannedMove {
  by: "hand" | "policy";
  strikes: TriedStrike[];
}

export interface Played {
  workloads: Omit<JudgedWorkload, "wanted">[];
  /** What could not be played as planned: strikes that found nothing to strike at, moves that were not asked for. */
  missed: string[];
}

export async function play(scene: Scene, schedule: Schedule): Promise<Played> {
  const player = new Player(scene, schedule.seed);
  await Promise.all(schedule.chains.map((chain, index) => player.chain(chain, index)));
  return player.end();
}

class Player {
  readonly scene: Scene;
  readonly #seed: number;
  readonly #missed: string[] = [];
  /** Strikes whose moves ended before their turn: later moves take them over. */
  readonly #again: TriedStrike[] = [];
  readonly #workloads: { placed: Placed; chain: Chain }[] = [];

  constructor(scene: Scene, seed: number) {
    this.scene = scene;
    this.#seed = seed;
  }

  async chain(chain: Chain, index: number): Promise<void> {
    let placed: Placed | undefined;
    for (let position = 0; position < chain.moves.length + MORE_MOVES; position++) {
      const move = this.#nextMove(chain, position);
      if (!move) break;
      if (position > 0) await sleep(BETWEEN_MOVES_MS);
      const pod = placed && (await livePod(this.scene, placed));
      if (!placed || !pod) placed = await this.#start(chain, `s${this.#seed}-${index}-${position}`);
      if (!placed) {
        this.#again.push(...move.strikes);
        continue;
      }
      await this.#move(chain, placed, move, position).catch((error: Error) => {
        this.#missed.push(`${placed?.namespace}/move-${position}: ${error.message}`);
        this.scene.timeline.add(`${placed?.namespace}/move-${position}`, `not played to its end: ${error.message}`);
      });
    }
  }

  /** As planned, with strikes that are still open; after the planned ones, only moves for those. */
  #nextMove({ kind, moves }: Chain, position: number): PlannedMove | undefined {
    const planned = moves[position];
    const open = this.#again.findIndex(({ strike }) => factsOf(strike).kinds?.includes(kind) ?? true);
    const [again] = open >= 0 ? this.#again.splice(open, 1) : [];
    if (!planned && !again) return undefined;
    const strikes = (planned?.strikes ?? []).map((strike) => ({ strike, tries: 0 }));
    return { by: planned?.by ?? "hand", strikes: [...strikes, ...(again ? [again] : [])] };
  }

  /** Undefined: another move's fault has ended it before it could begin, with its node, say. */
  async #start(chain: Chain, name: string): Promise<Placed | undefined> {
    const placed = { name, namespace: `chaos-${name}` };
    this.#workloads.push({ placed, chain });
    try {
      await startWorkload(this.scene, placed, chain);
      return placed;
    } catch (error) {
      if (await livePod(this.scene, placed)) throw error;
      this.scene.timeline.add(name, `did not begin: ${String(error)}`);
      return undefined;
    }
  }

  async #move(chain: Chain, placed: Placed, planned: PlannedMove, position: number): Promise<void> {
    const { scene } = this;
    const { pod, target } = await this.#roadOf(placed);
    const by = planned.by === "policy" ? await policyAsks(scene, placed, pod.spec?.nodeName ?? "") : undefined;
    const move = by?.move ?? `${placed.name}-move-${position}`;
    const aim: Omit<Aim, "seconds"> = {
      scene,
      kind: chain.kind,
      workload: placed.name,
      namespace: placed.namespace,
      move,
      podName: pod.metadata?.name ?? "",
      source: machineOf(scene.cluster, pod.spec?.nodeName ?? ""),
      target: machineOf(scene.cluster, by?.target ?? target),
    };
    const strikes = await Promise.all(planned.strikes.map((strike) => this.#prepared(aim, strike)));
    const steered = by ? undefined : strikes.find(({ tried }) => tried.strike.holdMs !== undefined);
    if (steered) steered.steering = await Steering.towards(scene, move, steered.tried.strike.phase);
    try {
      if (!by) await ask(scene, aim);
      await Promise.all(strikes.map((strike) => this.#strikes(aim, strike)));
    } finally {
      steered?.steering?.letGo(scene);
    }
    await waitFor(`${aim.namespace}/${move} to end`, ENDS_WITHIN_SECONDS, () => isOver(scene, aim.namespace, move));
  }

  /** The pod that is to be moved, and a node that takes pods. */
  #roadOf(placed: Placed): Promise<{ pod: V1Pod; target: string }> {
    return waitFor(`a pod of ${placed.name} and a node for it`, 120, async () => {
      const pod = await livePod(this.scene, placed);
      const nodes = await readyNodes(this.scene);
      const others = nodes.filter((node) => node !== pod?.spec?.nodeName);
      const target = others[this.#workloads.length % others.length];
      return pod && target ? { pod, target } : undefined;
    });
  }

  async #prepared(aim: Omit<Aim, "seconds">, tried: TriedStrike): Promise<PreparedStrike> {
    const fault = factsOf(tried.strike);
    return { fault, tried, strike: await fault.prepare({ ...aim, seconds: tried.strike.seconds }) };
  }

  #miss(about: string, { fault, tried }: PreparedStrike, why: string): void {
    const { strike, tries } = tried;
    this.scene.timeline.add(about, `missed: ${fault.id} in ${strike.phase}: ${why}`);
    if (tries + 1 < TRIES) this.#again.push({ strike, tries: tries + 1 });
    else this.#missed.push(`${about}: ${fault.id} in ${strike.phase}: ${why}`);
  }

  /** In its phase; resolves when it has been undone. */
  async #strikes(aim: Omit<Aim, "seconds">, prepared: PreparedStrike): Promise<void> {
    const { scene } = this;
    const { namespace, move } = aim;
    const { tried, steering } = prepared;
    const { phase: wanted, delayMs, holdMs = 0 } = tried.strike;
    const reached = await scene.moves.reaches(namespace, move, wanted, ENDS_WITHIN_SECONDS * 1000);
    if (reached !== wanted) return this.#miss(`${namespace}/${move}`, prepared, `it was ${reached ?? "never there"}`);
    const isHeld = await steering?.isHolding();
    if (isHeld) scene.timeline.add(`${namespace}/${move}`, "the leading controller is held");
    await sleep(delayMs);
    const undone = this.#strikesNow(aim, prepared);
    if (isHeld) await sleep(holdMs);
    steering?.letGo(scene);
    await undone;
  }

  async #strikesNow(aim: Omit<Aim, "seconds">, prepared: PreparedStrike): Promise<void> {
    const { scene } = this;
    const { namespace, move } = aim;
    const { fault, tried } = prepared;
    const { seconds } = tried.strike;
    const about = `${namespace}/${move}`;
    const phase = scene.moves.get(namespace, move)?.latest.status?.phase ?? "";
    const atMs = Date.now();
    const done = await prepared.strike().catch((error: Error) => error);
    if (!done || done instanceof Error)
      return this.#miss(about, prepared, done?.message ?? "there was nothing to strike at");
    scene.timeline.add(about, `FAULT ${fault.about} (${fault.id}, ${seconds} s)`, atMs);
    const record = struckRecord(aim, fault, phase, atMs, done.alsoEnds);
    if (done.nodeKilled) record.nodeKilled = done.nodeKilled;
    if (done.silences) record.silences = [...(record.silences ?? []), ...done.silences];
    scene.struck.push(record);
    await this.#undo(about, fault, record, seconds, done.undo);
  }

  async #undo(
    about: string,
    fault: Fault,
    record: StruckFault,
    seconds: number,
    undo: Undo | undefined,
  ): Promise<void> {
    if (undo) {
      await sleep(seconds * 1000);
      await undo();
      this.scene.timeline.add(about, `undone: ${fault.about} (${fault.id})`);
    }
    record.undoneAtMs = Date.now();
  }

  /** Resolves when the cluster stands, every move has ended, and the witness has listened on for a while. */
  async end(): Promise<Played> {
    const { cluster, moves } = this.scene;
    await waitFor(
      "all nodes to be ready",
      180,
      async () => (await readyNodes(this.scene)).length === cluster.machines.length,
    );
    await waitForHeadroom(cluster, 180);
    await waitFor("every move to end", ENDS_WITHIN_SECONDS, async () => {
      const names = moves.all().map(({ latest }) => latest.metadata);
      const over = await Promise.all(names.map(({ namespace, name }) => isOver(this.scene, namespace, name)));
      return over.every(Boolean);
    }).catch((error: Error) => this.#missed.push(error.message)); // the judge sees them
    await sleep(Math.max(LISTENS_MS, await this.#untilDeletedHaveEnded()));
    // A kubelet that was cut off tells the API what it has missed up to half a minute later.
    const areTold = async (): Promise<boolean> => (await this.#alivePods()).every(isReady);
    await waitFor("every pod to be ready", READY_WITHIN_SECONDS, areTold).catch(() => {}); // the judge sees it
    const workloads = await Promise.all(this.#workloads.map((workload) => this.#recordOf(workload)));
    return { workloads, missed: this.#missed };
  }

  async #alivePods(): Promise<V1Pod[]> {
    const { api } = this.scene;
    const lists = this.#workloads.map(({ placed }) => api.list<V1Pod>(podsPath(placed.namespace)));
    return (await Promise.all(lists)).flat().filter(isAlive);
  }

  /** Milliseconds until a process whose pod was deleted, and that still speaks, should have ended. */
  async #untilDeletedHaveEnded(): Promise<number> {
    const now = Date.now();
    const left = this.scene.struck.flatMap(({ atMs, ends = [] }) =>
      ends
        .filter(({ by }) => by === "deletion")
        .map(async ({ workload }) => {
          const { lives } = await this.scene.witness.testimony(workload);
          const speaks = lives.some(({ firstAtMs, lastAtMs }) => firstAtMs < atMs && lastAtMs > now - LISTENS_MS);
          return speaks ? atMs + DELETED_WITHIN_MS + LISTENS_MS - now : 0;
        }),
    );
    return Math.max(0, ...(await Promise.all(left)));
  }

  async #recordOf({ placed, chain }: { placed: Placed; chain: Chain }): Promise<Omit<JudgedWorkload, "wanted">> {
    const { witness, api } = this.scene;
    const testimony = await witness.testimony(placed.name);
    const endedAtMs = Date.now();
    const pods = await api.list<V1Pod>(podsPath(placed.namespace));
    this.scene.timeline.hear(placed.name, testimony);
    return {
      name: placed.name,
      kind: chain.kind,
      probe: chain.isProbed ? "liveness" : "none",
      testimony,
      endedAtMs,
      pods: pods.filter(isAlive).map((pod) => ({
        name: pod.metadata?.name ?? "",
        uid: pod.metadata?.uid ?? "",
        node: pod.spec?.nodeName ?? "",
        ready: isReady(pod),
      })),
    };
  }
}

function isReady({ status }: V1Pod): boolean {
  return (status?.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True");
}

interface PreparedStrike {
  fault: Fault;
  tried: TriedStrike;
  /** Holds the controller until it has struck. */
  steering?: Steering | undefined;
  strike: Awaited<ReturnType<Fault["prepare"]>>;
}

function factsOf({ fault: id }: PlannedStrike): Fault {
  const fault = catalogue.find((one) => one.id === id);
  if (!fault) throw new Error(`there is no fault ${id}`);
  return fault;
}

function struckRecord(
  { move, workload }: Omit<Aim, "seconds">,
  { id, silences, controllers, ends }: Fault,
  phase: string,
  atMs: number,
  alsoEnds: readonly string[] = [],
): StruckFault {
  const ended = ends ? [...new Set([workload, ...alsoEnds])].map((name) => ({ workload: name, ...ends })) : [];
  return {
    id,
    atMs,
    undoneAtMs: undefined, // until it is
    phase,
    move,
    ends: ended,
    ...(silences ? { silences } : {}),
    ...(controllers ? { controllers } : {}),
  };
}

/** It has ended, or is gone. */
async function isOver({ api, moves }: Scene, namespace: string, name: string): Promise<boolean> {
  return moves.isEnded(namespace, name) || (await api.get(migrationPath(namespace, name))) === undefined;
}

/** Asks again while the API server is away: a person would, too. */
async function ask({ api }: Scene, { namespace, move, podName, target }: Omit<Aim, "seconds">): Promise<void> {
  const request = { name: move, podName, targetNode: target.node.name, timeout: MOVE_TIMEOUT };
  await waitFor(`move ${namespace}/${move} to be asked for`, ENDS_WITHIN_SECONDS, async () => {
    await requestMove(api, namespace, request).catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    });
    return true;
  });
}

interface NodeObject {
  metadata: { name: string };
  spec: { unschedulable?: boolean };
  status: { conditions: { type: string; status: string }[] };
}

async function readyNodes({ api }: Scene): Promise<string[]> {
  const nodes = await api.list<NodeObject>("/api/v1/nodes");
  const ready = nodes.filter(
    ({ spec, status }) =>
      !spec.unschedulable && status.conditions.some(({ type, status: is }) => type === "Ready" && is === "True"),
  );
  return ready.map(({ metadata }) => metadata.name);
}
