/** (chaos) A few fixed seeds of random faults; `npm run test:e2e -- chaos` plays as many as one likes. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PLACE } from "../chaos/place.ts";
import { arenaOn, runSeed } from "../chaos/seed.ts";
import { assert, type Context, type Scenario } from "../harness/scenario.ts";

const SEEDS = [102, 103];
const MOVES = 3;

async function play({ cluster, api, witness, note }: Context, seed: number): Promise<void> {
  const folder = join(tmpdir(), "headroom-e2e", "chaos-timelines");
  const result = await runSeed(await arenaOn({ cluster, api, witness }), { seed, moves: MOVES, folder });
  const { moves, committed, rolledBack, found, unavoidable } = result;
  note(
    `${moves} moves: ${committed} committed, ${rolledBack} rolled back, ${unavoidable.length} processes unavoidably lost`,
  );
  note(
    `struck: ${Object.entries(result.strikes)
      .flatMap(([fault, row]) => Object.keys(row).map((phase) => `${fault} in ${phase}`))
      .join(", ")}`,
  );
  assert(found.length === 0, [...found, `timeline: ${join(folder, `seed-${seed}.log`)}`].join("\n"));
}

export const chaos: Scenario = {
  id: "chaos",
  title: "random faults",
  ...PLACE,
  tests: SEEDS.map((seed) => ({
    name: `seed ${seed}: nothing lost, nothing doubled, nothing left`,
    run: (context) => play(context, seed),
    limitSeconds: 600,
  })),
};
