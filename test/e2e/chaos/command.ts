/** `npm run test:e2e -- chaos`: seeds, one after the other, on a cluster that stays up as long as it is whole. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { down } from "../cluster/cluster.ts";
import type { Settings } from "../cluster/settings.ts";
import { diagnose } from "../harness/diagnosis.ts";
import { closeStage, openStage } from "../harness/stage.ts";
import { catalogue } from "./catalogue.ts";
import { PLACE } from "./place.ts";
import { type Arena, arenaOn, runSeed, type SeedResult } from "./seed.ts";
import { summary } from "./summary.ts";

export interface ChaosOptions {
  seed: number;
  /** How many, one after the other. */
  seeds: number;
  moves: number;
  faults?: readonly string[];
  /** Where results are added, a line of JSON for each seed; what is there already is part of the summary. */
  results?: string;
  /** Ends with the first seed that finds something. */
  stop: boolean;
}

/** Resolves with whether nothing was found. */
export async function chaos(
  settings: Settings,
  options: ChaosOptions,
  print: (line: string) => void,
): Promise<boolean> {
  const unknown = options.faults?.find((id) => !catalogue.some((fault) => fault.id === id));
  if (unknown) throw new Error(`no fault ${unknown}; there are ${catalogue.map(({ id }) => id).join(", ")}`);
  const folder = `${settings.folder}-chaos-${new Date().toISOString().replaceAll(":", "")}`;
  const file = options.results ?? join(folder, "results.jsonl");
  mkdirSync(dirname(file), { recursive: true });
  const earlier = resultsIn(file);
  const results: SeedResult[] = [];
  const ring = new Ring(settings, print);
  try {
    for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
      const result = await oneSeed(ring, { ...options, seed, folder }, print);
      results.push(result);
      appendFileSync(file, `${JSON.stringify(result)}\n`);
      if (result.found.length > 0 && options.stop) break;
    }
  } finally {
    await ring.close();
  }
  for (const line of ["", ...summary([...earlier, ...results], catalogue)]) print(line);
  print(`timelines: ${folder}`);
  return results.every(({ found }) => found.length === 0);
}

async function oneSeed(
  ring: Ring,
  options: ChaosOptions & { folder: string },
  print: (line: string) => void,
): Promise<SeedResult> {
  const { seed, moves, faults, folder } = options;
  const arena = await ring.enter();
  const result = await runSeed(arena, { seed, moves, faults, folder }).catch((error: Error) => broken(seed, error));
  const strikes = Object.values(result.strikes).flatMap((row) => Object.values(row));
  const figures = `${result.moves} moves: ${result.committed} committed, ${result.rolledBack} rolled back`;
  const faultsTold = `${strikes.reduce((a, b) => a + b, 0)} faults, ${result.missed.length} missed`;
  const lost = result.unavoidable.length > 0 ? `, ${result.unavoidable.length} unavoidable` : "";
  const verdict = result.found.length === 0 ? "ok  " : "FAIL";
  print(`  ${verdict} seed ${seed}: ${figures}; ${faultsTold}${lost} (${result.seconds} s)`);
  for (const sentence of result.found) print(`       ${sentence}`);
  if (result.found.length > 0) {
    print(`       timeline: ${join(folder, `seed-${seed}.log`)}; logs: ${await diagnose(arena.cluster)}`);
    const only = faults ? ` --faults ${faults.join(",")}` : "";
    print(`       again: npm run test:e2e -- chaos --seed ${seed} --moves ${moves}${only}`);
    await ring.close(); // what is broken may be so for the next
  }
  return result;
}

/** A seed that could not be played to its end has found something, too. */
function broken(seed: number, error: Error): SeedResult {
  return {
    seed,
    moves: 0,
    strikes: {},
    found: [`stuck: ${error.message}`],
    missed: [],
    unavoidable: [],
    committed: 0,
    rolledBack: 0,
    otherEnds: {},
    worstSilenceMs: 0,
    seconds: 0,
  };
}

function resultsIn(file: string): SeedResult[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as SeedResult); // this program wrote it
}

/** The cluster that the seeds are played on. */
class Ring {
  readonly #settings: Settings;
  readonly #print: (line: string) => void;
  #arena: Arena | undefined;

  constructor(settings: Settings, print: (line: string) => void) {
    this.#settings = settings;
    this.#print = print;
  }

  async enter(): Promise<Arena> {
    if (this.#arena) return this.#arena;
    const stage = await openStage(this.#settings, PLACE, this.#print);
    this.#arena = await arenaOn(stage);
    return this.#arena;
  }

  async close(): Promise<void> {
    if (this.#arena) await closeStage(this.#arena);
    this.#arena = undefined;
    await down(this.#settings, () => undefined);
  }
}
