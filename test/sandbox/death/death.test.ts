/**
 * The real controller, as processes, and real agents on simulated nodes: whoever is killed, wherever it is, there are never two
 * copies of a process that run, and never none that is left. `npm test` takes one boundary for every kind of move and victim;
 * HEADROOM_BOUNDARIES=10 takes ten, HEADROOM_BOUNDARIES=all every one.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Owner, Scene, type VictimName } from "./scene.ts";

const OWNERS: Owner[] = ["none", "Deployment", "Job"];
const VICTIMS: VictimName[] = ["controller", "source agent", "target agent"];
const { HEADROOM_BOUNDARIES = "1" } = process.env;
const ALL = HEADROOM_BOUNDARIES === "all";
const SAMPLES = Number(HEADROOM_BOUNDARIES);
const LIMIT_MS = ALL ? 3_600_000 : 120_000 * SAMPLES;

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open();
}, 90_000);
afterAll(() => scene.close(), 60_000);

/** Every boundary, or a few of them that lie in different places for each owner and victim. */
function chosen(count: number, owner: Owner, victim: VictimName): number[] {
  if (ALL) return Array.from({ length: count }, (_, i) => i);
  const shift = (OWNERS.indexOf(owner) * VICTIMS.length + VICTIMS.indexOf(victim)) / (OWNERS.length * VICTIMS.length);
  return Array.from({ length: SAMPLES }, (_, i) => Math.floor(((i + shift) / SAMPLES) * count));
}

interface Kind {
  about: string;
  owner: Owner;
  restoreFails: boolean;
  end: string;
}

const KINDS: Kind[] = [
  ...OWNERS.map((owner) => ({ about: `of owner ${owner}`, owner, restoreFails: false, end: "Succeeded" })),
  { about: "whose restore fails", owner: "Deployment", restoreFails: true, end: "RolledBack" },
];

describe.each(KINDS)("a move $about", ({ owner, restoreFails, end }) => {
  let boundaries = 0;

  it(`ends as ${end} when nobody dies`, async () => {
    const { trace, phase, complaints } = await scene.move({ owner, restoreFails });
    expect({ phase, complaints }).toEqual({ phase: end, complaints: [] });
    boundaries = trace.length;
    expect(boundaries).toBeGreaterThan(40);
  }, 60_000);

  it.each(VICTIMS)(
    "leaves exactly one copy, that goes on, when the %s is killed at a boundary",
    async (victim) => {
      const broken: { killed: string; complaints: string[] }[] = [];
      for (const killAt of chosen(boundaries, owner, victim)) {
        const { trace, complaints } = await scene.move({ owner, restoreFails, victim, killAt });
        if (complaints.length > 0) broken.push({ killed: `${victim} ${trace[killAt]} (${killAt})`, complaints });
      }
      expect(broken).toEqual([]);
    },
    LIMIT_MS,
  );
});
