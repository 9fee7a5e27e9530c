/** What there is to hand over, as the API has it now. */
import type { Pod } from "../../../kube/resources.ts";
import { readSource, readTarget } from "../pods.ts";
import type { MoveRun } from "../run.ts";

export interface MovePods {
  source: Pod | undefined;
  target: Pod | undefined;
}

export async function readPods(run: MoveRun): Promise<MovePods> {
  const [source, target] = await Promise.all([readSource(run), readTarget(run)]);
  return { source, target };
}
