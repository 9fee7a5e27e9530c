/**
 * `headroom agent uninstall`: takes Headroom off the node. While a container lives that was started under its runtime handler,
 * containerd needs handler and wrapper for it; they stay then, with no registration, as a pass-through to runc.
 */
import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { removeHandler, WRAPPER } from "./containerd/handler.ts";
import { endMoveGroup } from "./host/cgroups.ts";
import { removeTrees } from "./host/criu-tree.ts";
import { entriesOf, readIfThere } from "./host/files.ts";
import { type Host, runtimeOf } from "./host/host.ts";
import { RUN_DIRECTORY, STATE_DIRECTORY, TARGET_MOVES_DIRECTORY, TARGETS_DIRECTORY } from "./host/layout.ts";
import { removeStaging } from "./host/staging.ts";
import { clearTrials } from "./self-test/trial.ts";

export interface UninstallOptions {
  /** Keep the handler even though no container under it lives here now: one may be on its way. */
  keepHandler: boolean;
  say: (line: string) => void;
}

export async function uninstallAgent(host: Host, options: UninstallOptions): Promise<void> {
  const living = containersUnderHandler(host);
  await clearTrials(host);
  await removeMoves(host);
  removeTrees(host);
  if (options.keepHandler || living.length > 0) return keep(host, living, options.say);
  await removeHandler(host, options.say);
  rmSync(host.path(STATE_DIRECTORY), { recursive: true, force: true });
  options.say("no file of Headroom's is left on this node");
}

/** Containers whose shim was told to use the wrapper: by containerd's own notes on them. */
export function containersUnderHandler(host: Host): string[] {
  const { bundles } = runtimeOf(host);
  return entriesOf(host.path(bundles)).filter((id) =>
    (readIfThere(host.path(join(bundles, id, "options.json"))) ?? "").includes(basename(WRAPPER)),
  );
}

/** The wrapper knows no registration from here on: it passes everything to runc. */
async function removeMoves(host: Host): Promise<void> {
  for (const moveUID of entriesOf(host.path(TARGET_MOVES_DIRECTORY))) {
    await endMoveGroup(host, moveUID);
    await removeStaging(host, moveUID);
  }
  for (const directory of [RUN_DIRECTORY, TARGETS_DIRECTORY, join(STATE_DIRECTORY, "moves")]) {
    rmSync(host.path(directory), { recursive: true, force: true });
  }
}

function keep(host: Host, living: readonly string[], say: (line: string) => void): void {
  const why = living.length === 0 ? "as asked for" : `containers under it: ${living.join(", ")}`;
  say(`runtime handler headroom and ${WRAPPER} are kept, as a pass-through to runc (${why})`);
  for (const name of entriesOf(host.path(STATE_DIRECTORY)).filter((entry) => !["bin", "containerd"].includes(entry))) {
    rmSync(host.path(join(STATE_DIRECTORY, name)), { recursive: true, force: true });
  }
}
