/** Opens the way from source to target. */
import type { Pod } from "../../kube/resources.ts";
import { stagingBytes } from "../../planning/staging.ts";
import { type Attempt, attempt } from "./driver-failure.ts";
import { emptyDirsOf } from "./preflight/pod-facts.ts";
import { type MoveRun, moveId, type Sending, sizeOf, sourceOf, targetOf } from "./run.ts";

/** Asks the target to receive. May be repeated: the agent answers as before, or opens a page server anew. */
export async function openForSource(run: MoveRun, source: Pod, givenUp?: AbortSignal): Promise<Attempt<Sending>> {
  const { node } = targetOf(run.move);
  const emptyDirs = emptyDirsOf(source);
  const size = sizeOf(run.move);
  const received = await attempt(
    run.deps.driver.receive(node, moveId(run, givenUp), {
      sourceNode: sourceOf(run.move).node,
      stagingBytes: stagingBytes(size),
      filesBytes: size.filesBytes,
      totalBytes: size.memoryBytes + size.filesBytes,
      emptyDirs,
    }),
  );
  if (!received.ok) return received;
  return { ok: true, value: { peer: { ...received.value, node }, emptyDirs: emptyDirs.map(({ name }) => name) } };
}
