/** One half of the demo: the workload on a fresh sandbox for so long, with or without Headroom, shown as it goes. */

import { POD_MIGRATIONS } from "../../api/v1alpha1/pod-migration.ts";
import type { Clock } from "../../kube/clock.ts";
import { sleep } from "../../kube/clock.ts";
import type { Json } from "../api-server/json.ts";
import { arrayAt, stringAt, valueAt } from "../api-server/json.ts";
import { table } from "../api-server/tables.ts";
import type { Freeze, Loss } from "../nodes/witness.ts";
import { Sandbox } from "../sandbox.ts";
import { Journal } from "./journal.ts";
import type { Screen } from "./screen.ts";
import { type Frame, kubectlTable, nodeView } from "./view.ts";
import { membersRunning, POLICY_NAME, placeOnlyOn, type Scene, startMembers } from "./workload.ts";

export interface PhaseOptions {
  title: string;
  scene: Scene;
  clock: Clock;
  screen: Screen;
  signal: AbortSignal;
}

export interface PrepareOptions {
  clock: Clock;
  scene: Scene;
  headroom: boolean;
  /** Where the controller's log and the kubeconfig go. */
  directory: string;
  signal: AbortSignal;
}

export interface PhaseOutcome {
  losses: Loss[];
  freezes: Freeze[];
  violations: string[];
  /** Nodes that were fuller than the scene's mark. */
  marked: string[];
}

const FRAME_MS = 200;

/** A sandbox that is ready for its workload: with Headroom, the controller leads and has accepted the policy. */
export async function prepare(options: PrepareOptions): Promise<Sandbox> {
  const { clock, scene, headroom, directory, signal } = options;
  const sandbox = await Sandbox.start({ clock, nodes: scene.nodes, headroom, directory });
  if (!headroom) return sandbox;
  try {
    await sandbox.startController();
    sandbox.server.apply(scene.policy);
    await sandbox.policyReady(POLICY_NAME, signal);
    return sandbox;
  } catch (error) {
    await sandbox.close();
    throw error;
  }
}

/** Runs the phase; the sandbox is still up when it resolves. */
export async function runPhase(sandbox: Sandbox, options: PhaseOptions): Promise<PhaseOutcome> {
  await startScene(sandbox, options);
  const journal = new Journal(options.clock.now);
  const end = journal.follow(sandbox.server.store);
  await show(sandbox, journal, options);
  end();
  const { witness } = sandbox.cluster;
  return { losses: witness.losses, freezes: witness.freezes, violations: witness.violations, marked: journal.marked };
}

/** Node by node: each pod begins where it belongs. */
async function startScene(sandbox: Sandbox, { scene, clock, signal }: PhaseOptions): Promise<void> {
  let wanted = 0;
  for (const [node, members] of Map.groupBy(scene.members, (member) => member.node)) {
    placeOnlyOn(sandbox.server, scene, node);
    startMembers(sandbox.server, members);
    wanted += members.length;
    while (membersRunning(sandbox) < wanted && !signal.aborted) await sleep(clock, 50, signal);
  }
  placeOnlyOn(sandbox.server, scene, undefined);
}

async function show(sandbox: Sandbox, journal: Journal, options: PhaseOptions): Promise<void> {
  const { clock, scene, screen, signal } = options;
  const startMs = clock.now();
  let told = 0;
  while (clock.now() - startMs < scene.lengthMs && !signal.aborted) {
    const { oomKills, witness } = sandbox.cluster;
    for (const kill of oomKills.slice(told)) {
      journal.kill(
        kill,
        witness.losses.some(({ pod, node }) => pod === kill.pod && node === kill.node),
      );
    }
    told = oomKills.length;
    if (scene.markAbove !== undefined) markFull(sandbox, journal, scene.markAbove);
    screen.show(frame(sandbox, journal, options, clock.now() - startMs));
    await sleep(clock, FRAME_MS, signal);
  }
  screen.keep(frame(sandbox, journal, options, clock.now() - startMs));
}

function markFull({ cluster }: Sandbox, journal: Journal, markAbove: number): void {
  for (const { name, usedBytes, capacityBytes } of cluster.nodes.values()) {
    if (usedBytes > markAbove * capacityBytes) journal.full(name, 1 - markAbove);
  }
}

function frame(sandbox: Sandbox, journal: Journal, { title, clock }: PhaseOptions, elapsedMs: number): Frame {
  return {
    title,
    elapsedMs,
    nodes: [...sandbox.cluster.nodes.values()].map(nodeView),
    journal: journal.entries,
    table: podMigrationTable(sandbox, clock.now()),
  };
}

/** What the API server prints for `kubectl get podmigrations`. */
function podMigrationTable(sandbox: Sandbox, nowMs: number): string[] {
  const { group, version, plural } = POD_MIGRATIONS;
  const type = sandbox.server.types.find(group, version, plural);
  if (!type) return [];
  const printed = table(type, sandbox.server.store.list(`${plural}.${group}`), {}, { include: "None", nowMs });
  const columns = arrayAt(printed, "columnDefinitions");
  const shown = columns.flatMap((column, i) => (valueAt(column, "priority") === 0 ? [i] : []));
  const rows = arrayAt(printed, "rows").map((row) => shown.map((i) => cellText(arrayAt(row, "cells")[i])));
  return kubectlTable(
    shown.map((i) => stringAt(columns[i], "name") ?? ""),
    rows,
  );
}

const cellText = (cell: Json | undefined): string => (cell === null || cell === undefined ? "" : String(cell));
