/** Tests which kinds of containers this node can dump and restore, and repeats the test when the kernel, CRIU, runc or containerd has changed. */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Lsm } from "../host/confinement.ts";
import { hasFeature } from "../host/features.ts";
import { readIfThere } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { STATE_DIRECTORY } from "../host/layout.ts";
import { writeDurably } from "../move-records.ts";
import { type Verdict, verdictSchema } from "../protocol.ts";
import { kindsToTry } from "./kinds.ts";
import { clearTrials, tryContainer } from "./trial.ts";

const RESULT = join(STATE_DIRECTORY, "self-test.json");
const resultSchema = z.object({ fingerprint: z.string(), verdicts: z.array(verdictSchema) });

export interface SelfTestOptions {
  /** Folder (host path) of the agent's own CRIU, beside which is the program to be dumped. */
  bin: string;
  /** What confines the node's containers; undefined: it is not known. */
  lsm: Lsm | undefined;
  /** Whatever may change the outcome: versions of kernel, CRIU, runc, containerd. */
  fingerprint: string;
}

/** What was found the last time, on whatever the node was then; undefined: it was never tried. */
export function knownVerdicts(host: Host): Verdict[] | undefined {
  return read(host)?.verdicts;
}

/** Resolves within seconds; at once when nothing has changed since all of it went well. */
export async function proveNode(host: Host, { bin, lsm, fingerprint }: SelfTestOptions): Promise<Verdict[]> {
  await clearTrials(host); // an agent before this one may have died in between
  const known = read(host);
  if (known?.fingerprint === fingerprint && known.verdicts.every(({ ok }) => ok)) return known.verdicts;
  const tree = dirname(bin);
  const loader = readdirSync(host.path(join(tree, "lib"))).find((name) => name.startsWith("ld-")) ?? "";
  const tracksChanges = await hasFeature(host, "mem_dirty_track");
  const kernel = { apparmor: lsm === "apparmor", tracksChanges };
  const verdicts: Verdict[] = [];
  try {
    for (const { kind, options } of kindsToTry(kernel)) {
      const beganMs = Date.now();
      const attempt = () =>
        tryContainer(host, { kind, options, tree, loader }).catch((error: unknown) => String(error));
      // Once more: a node is not left out for what happened once.
      const message = (await attempt()) && (await attempt());
      const ms = Date.now() - beganMs;
      verdicts.push({ kind, ok: message === undefined, ms, ...(message === undefined ? {} : { message }) });
    }
  } finally {
    await clearTrials(host);
  }
  writeDurably(host.path(RESULT), JSON.stringify({ fingerprint, verdicts }));
  return verdicts;
}

function read(host: Host): z.infer<typeof resultSchema> | undefined {
  const text = readIfThere(host.path(RESULT));
  if (text === undefined) return undefined;
  try {
    return resultSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // of another version, or damaged: it is tried again
  }
}
