/**
 * `npm run scores`: what has changed against the kept scores. `npm run scores -- --update "why"`: accepts the scores as they are and logs
 * old, new and why. Exit codes: 0 nothing is worse, or accepted; 1 something is worse, gone, undefined or not kept yet; 2 wrong arguments.
 */
import { parseArgs } from "node:util";
import { changes, changeText, isRefused } from "../test/simulator/kept-scores/judge.ts";
import { keep, readKept } from "../test/simulator/kept-scores/kept-file.ts";
import { currentScores } from "../test/simulator/kept-scores/suite.ts";

function updateReason(): string | undefined {
  try {
    const { update } = parseArgs({ options: { update: { type: "string" } } }).values;
    if (update === undefined || update.trim() !== "") return update;
  } catch {
    // Told below.
  }
  console.error('scores: expected nothing, or --update "why the scores may change"');
  process.exit(2);
}

const why = updateReason();
const now = currentScores();
const changed = changes(readKept(), now);
for (const change of changed.filter(({ verdict }) => verdict !== "New")) console.log(changeText(change));
const added = changed.filter(({ verdict }) => verdict === "New").length;
if (added > 0) console.log(`${added} scores are not kept yet`);
if (changed.length === 0) console.log("all scores are as they are kept");
if (why !== undefined && changed.length > 0) keep(now, changed, why, new Date().toISOString().slice(0, 10));
process.exitCode = changed.some(isRefused) && why === undefined ? 1 : 0;
