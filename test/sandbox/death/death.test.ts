/**
 * The real controller and real agents on simulated nodes, in virtual time: whatever happens, wherever in a move, never do two processes of
 * a pod run, nothing is lost that could have been saved, no file is old, and nothing is left behind.
 *
 * `npm test` takes every fault once, at a boundary within the freeze, with changing owners. HEADROOM_BOUNDARIES=10 takes ten boundaries for
 * every fault and owner, HEADROOM_BOUNDARIES=all every one (hours). HEADROOM_SEED takes others.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAULTS, type Fault } from "./faults.ts";
import { Scene } from "./scene.ts";
import type { Owner } from "./workloads.ts";

const OWNERS: readonly Owner[] = ["none", "Deployment", "Job"];
const { HEADROOM_BOUNDARIES = "", HEADROOM_SEED = "0" } = process.env;
const ALL = HEADROOM_BOUNDARIES === "all";
const SAMPLES = ALL ? Number.POSITIVE_INFINITY : Number(HEADROOM_BOUNDARIES || 1);
const MOVE_LIMIT_MS = 180_000;
const LIMIT_MS = ALL ? 24 * 3_600_000 : MOVE_LIMIT_MS * SAMPLES;
/** Spreads points evenly over [0, 1), however many are taken. */
const GOLDEN = 0.618_033_988_75;

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open();
}, 90_000);
afterAll(() => scene.close(), 60_000);

/** Every boundary; or some of those between the call of the dump and the end of the release, different ones for each fault and owner. */
function chosen(trace: string[], seed: number): number[] {
  if (ALL) return trace.map((_, at) => at);
  const first = trace.findIndex((what) => what.startsWith("before dump"));
  const last = trace.findIndex((what) => what.startsWith("after release"));
  const shift = (Number(HEADROOM_SEED) + seed) * GOLDEN;
  const places = Array.from({ length: SAMPLES }, (_, i) => (shift + i * GOLDEN) % 1);
  return places.map((place) => first + Math.floor(place * (last - first + 1)));
}

/** Without a number of boundaries each fault is tried with one owner. */
const cases = OWNERS.flatMap((owner, o) =>
  FAULTS.flatMap((fault, f) =>
    HEADROOM_BOUNDARIES === "" && f % OWNERS.length !== o ? [] : [{ owner, fault, seed: 3 * f + o }],
  ),
);

describe.each(OWNERS)("a move of a pod of owner %s", (owner) => {
  let trace: string[] = [];

  beforeAll(async () => {
    const outcome = await scene.move({ owner });
    expect(outcome).toMatchObject({ phase: "Succeeded", survived: true, complaints: [] });
    trace = outcome.trace;
  }, MOVE_LIMIT_MS);

  it.each(cases.filter((one) => one.owner === owner).map(({ fault, seed }) => ({ about: fault.about, fault, seed })))(
    "loses nothing and doubles nothing when $about",
    async ({ fault, seed }: { fault: Fault; seed: number }) => {
      const broken: { at: string; phase: string; complaints: string[] }[] = [];
      for (const at of chosen(trace, seed)) {
        const { phase, reason, complaints } = await scene.move({ owner, fault, at });
        if (complaints.length > 0)
          broken.push({ at: `${at}: ${trace[at]}`, phase: `${phase} (${reason})`, complaints });
      }
      expect(broken).toEqual([]);
    },
    LIMIT_MS,
  );
});
