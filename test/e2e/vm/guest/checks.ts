/** What an agent's steps must do to containers, on this kernel. Each check starts its own containers and leaves none. */
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { registrationOf, TARGETS_DIRECTORY } from "../../../../src/agent/host/layout.ts";
import { isStopped } from "../../../../src/agent/host/processes.ts";
import { Move, source, target } from "./both-nodes.ts";
import { attempt, damagedPages, removeContainer, startContainer, stopContainer, until, written } from "./containers.ts";

export interface Check {
  /** What is true when it passes. */
  name: string;
  run(): Promise<void>;
}

function assert(fact: unknown, otherwise: string): asserts fact {
  if (!fact) throw new Error(otherwise);
}

/** Long enough for the workload to go on if it could. */
const A_WHILE_MS = 1_500;

async function startSource(): Promise<void> {
  await startContainer("source", "11111111-1111-1111-1111-111111111111");
  await until("the workload to count", 30, () => written("source").length > 20);
}

/** A source, and a target whose `create` is held: everything before the freeze. */
async function prepare(): Promise<{ move: Move; created: Promise<string | undefined> }> {
  await startSource();
  const move = new Move("source");
  await move.receive();
  // What containerd says in the end; undefined when all went well.
  const created = startContainer("target", move.targetPodUID).then(
    () => undefined,
    (error: Error) => error.message,
  );
  await until("the target's create to be held", 30, () => target.createWaiting(move.uid));
  return { move, created };
}

/** The counts of one life: none missing, none twice, whichever copy wrote them. */
function assertOneLife(counts: number[]): void {
  const wrong = counts.findIndex((count, position) => count !== position);
  assert(wrong < 0, `after ${wrong - 1} the workload counted ${counts.slice(wrong, wrong + 3).join(", ")}`);
}

async function assertStill(id: string): Promise<number> {
  const before = written(id).length;
  await sleep(A_WHILE_MS);
  const after = written(id).length;
  assert(after === before, `${id} counted on from ${before} to ${after}`);
  return after;
}

async function assertGoesOn(id: string): Promise<void> {
  const before = written(id).length;
  await until(`${id} to count on from ${before}`, 30, () => written(id).length > before + 10);
  assertOneLife(written(id));
}

const frozen = (id: string): boolean =>
  /frozen 1/.test(readFileSync(`/sys/fs/cgroup/k8s.io/${id}/cgroup.events`, "utf8"));

function processesOf(id: string): number[] {
  const file = `/sys/fs/cgroup/k8s.io/${id}/cgroup.procs`;
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number) : [];
}

/** Files, mounts, groups and processes of moves. */
async function leftovers(): Promise<string[]> {
  const entries = (folder: string) =>
    existsSync(folder) ? readdirSync(folder).map((name) => `${folder}/${name}`) : [];
  const folders = [
    "/run/headroom/source",
    "/run/headroom/target",
    "/run/headroom/restored",
    "/var/lib/headroom/targets",
  ];
  const groups = ["/sys/fs/cgroup/headroom", "/sys/fs/cgroup/source"].filter((group) => existsSync(group));
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes("/headroom/"));
  const criu = (await attempt("pgrep", ["-f", "-a", "/criu/[^ ]*/lib/"])).output.split("\n").filter(Boolean);
  return [...folders.flatMap(entries), ...groups, ...mounts, ...criu];
}

/** The bar against a cold start outlives a rollback by ten minutes: they pass here at once. */
function letBarsPass(): void {
  const past = new Date(Date.now() - 11 * 60_000);
  for (const pod of readdirSync(TARGETS_DIRECTORY)) {
    const { aborted } = registrationOf(pod);
    if (existsSync(aborted)) utimesSync(aborted, past, past);
  }
  target.sweep();
}

async function assertNothingLeft(): Promise<void> {
  letBarsPass();
  const left = await leftovers();
  assert(left.length === 0, `left: ${left.join(", ")}`);
}

async function features(): Promise<void> {
  const { cgroupVersion, lazyPages, memDirtyTrack, criuVersion } = await target.features();
  assert(cgroupVersion === 2, `cgroup version ${cgroupVersion}`);
  assert(memDirtyTrack, "no soft-dirty tracking");
  assert(lazyPages && criuVersion.startsWith("4."), `lazy pages: ${lazyPages}; CRIU ${criuVersion}`);
}

async function ordinary(): Promise<void> {
  await startSource();
  const facts = await source.inspect({ podUID: "-", containerID: "source", containerName: "workload" });
  assert(facts.running && facts.processes === 1, `the source is ${JSON.stringify(facts)}`);
  assert(facts.memoryBytes > 24 << 20, `24 MiB are held, ${facts.memoryBytes} bytes are seen`);
  assert(facts.obstacles.length === 0, `obstacles: ${JSON.stringify(facts.obstacles)}`);
}

/** The agent leaves the frozen init to the kubelet, whose part is played here; it may ask twice on a slow machine. */
async function endSource(move: Move): Promise<void> {
  const asked = move.kill().catch(() => undefined);
  await stopContainer("source");
  await asked;
  await move.kill();
}

async function moved(): Promise<void> {
  const { move, created } = await prepare();
  const { transferredBytes } = await move.dump();
  assert(transferredBytes > 24 << 20, `${transferredBytes} bytes went`);
  assert(frozen("source"), "the source is not frozen after the dump");
  const last = await assertStill("source");
  const { pid } = await move.restore();
  assert(isStopped(pid), "the restored process is not stopped");
  assert(processesOf("target").includes(pid), "the restored process is not in its container's control group");
  assert((await assertStill("target")) === last, "the target has counted before its release");
  await move.release();
  await assertGoesOn("target");
  await endSource(move);
  assert(processesOf("source").length === 0, "the source is alive after the kill");
  assert(written("source").length === last, "the source has counted after the freeze");
  assert((await created) === undefined, `containerd's create failed: ${await created}`);
  await until("the memory to have been looked at", 60, () => written("target").length > last + 130);
  assert(damagedPages("target") === 0, `${damagedPages("target")} pages are damaged`);
  await move.cleanUpSource();
  await move.cleanUpTarget();
  await assertNothingLeft();
  await assertGoesOn("target");
}

async function rolledBack(): Promise<void> {
  const { move } = await prepare();
  await move.dump();
  const { pid } = await move.restore();
  await move.abort();
  assert(!existsSync(`/proc/${pid}/root/data`), "the copy is alive after abort");
  await move.resume();
  await assertGoesOn("source");
  assert(damagedPages("source") === 0, "the source's memory is damaged");
  await removeContainer("target");
  const again = await startContainer("target", move.targetPodUID).then(
    () => "started",
    (error: Error) => error.message,
  );
  assert(again.includes("rolled back"), `a second create of the target: ${again}`);
  await removeContainer("target");
  await move.cleanUpSource();
  await move.cleanUpTarget();
  await assertNothingLeft();
}

async function abortedBeforeDump(): Promise<void> {
  const { move, created } = await prepare();
  await move.abort();
  assert((await created)?.includes("rolled back"), `containerd's create ended with ${await created}`);
  await assertGoesOn("source");
  await removeContainer("target");
  await move.cleanUpTarget();
  await assertNothingLeft();
}

async function killedFrozen(): Promise<void> {
  const { move } = await prepare();
  await move.dump();
  const last = written("source").length;
  await endSource(move);
  assert(processesOf("source").length === 0, "the source is alive after the kill");
  assert(written("source").length === last, "the source ran between freeze and death");
  await move.abort();
  await removeContainer("target");
  await move.cleanUpSource();
  await move.cleanUpTarget();
  await assertNothingLeft();
}

async function damagedImage(): Promise<void> {
  const { move, created } = await prepare();
  await move.dump();
  const images = `/run/headroom/target/${move.uid}/staging/images`;
  const memory = readdirSync(images).find((name) => name.startsWith("mm-")); // the agent looks into many others itself
  assert(memory, `no image of mappings among ${readdirSync(images).join(", ")}`);
  writeFileSync(`${images}/${memory}`, "damaged");
  const failure = await move.restore().then(
    () => "restored",
    (error: Error) => error.message,
  );
  assert(failure.includes("could not be restored"), `restore: ${failure}`);
  assert((await created) !== undefined, "containerd's create went well");
  await move.abort();
  await move.resume();
  await assertGoesOn("source");
  await removeContainer("target");
  await move.cleanUpSource();
  await move.cleanUpTarget();
  await assertNothingLeft();
}

export const checks: readonly Check[] = [
  { name: "CRIU works, tracks dirty memory and restores lazily", run: features },
  { name: "a pod that is no target is started as ever, and inspected", run: ordinary },
  {
    name: "dump to a page server, restore held, release, kill the source, clean up: one life, no page damaged",
    run: moved,
  },
  { name: "rollback of a held copy: the source goes on, the copy is gone and never started cold", run: rolledBack },
  { name: "rollback before the dump: the held create fails, the source never stopped", run: abortedBeforeDump },
  { name: "kill while frozen: the source dies without running", run: killedFrozen },
  { name: "a damaged image: the restore fails, the source goes on from where it was", run: damagedImage },
];
