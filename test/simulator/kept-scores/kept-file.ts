/** The kept scores and the log of their changes, beside this file. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { type Change, changeText, type KeptScores } from "./judge.ts";

const SCORES = new URL("./kept-scores.json", import.meta.url);
const LOG = new URL("./log.md", import.meta.url);

/** Without a file nothing is kept. */
export function readKept(): KeptScores {
  if (!existsSync(SCORES)) return { seeds: [], workloads: {} };
  // Written by `keep` alone.
  return JSON.parse(readFileSync(SCORES, "utf8")) as KeptScores;
}

/** @param why in the words of whoever accepts them */
export function keep(now: KeptScores, changed: readonly Change[], why: string, date: string): void {
  writeFileSync(SCORES, `${keptText(now)}\n`);
  appendFileSync(LOG, logEntry(changed, why, date));
}

/** Old and new of all that was kept before, what is gone too. */
export function logEntry(changed: readonly Change[], why: string, date: string): string {
  const known = changed.filter(({ verdict }) => verdict !== "New");
  const added = changed.length - known.length;
  const lines = [...known.map((change) => `- ${changeText(change)}`), ...(added > 0 ? [`- new: ${added} scores`] : [])];
  return `\n## ${date}: ${why}\n\n${lines.join("\n")}\n`;
}

/** As Biome formats it: one line for each score, so that a change of it is one line of a diff. */
function keptText(now: KeptScores): string {
  return JSON.stringify(now, null, 2).replace(
    /\[[^[\]{}]*\]/g,
    (list) => `[${list.slice(1, -1).trim().replace(/\s+/g, " ")}]`,
  );
}
