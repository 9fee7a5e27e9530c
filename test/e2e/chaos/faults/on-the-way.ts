/** Faults of the cables: cut, one-way, slow, lossy. */
import type { Undo } from "../../harness/faults.ts";
import {
  cutBetween,
  cutOffFromAll,
  cutOffFromApi,
  cutOneWay,
  loseBetween,
  loseFromAll,
  slowDown,
} from "../../harness/faults.ts";
import { leadingController } from "../../harness/headroom.ts";
import type { Aim, Fault } from "../fault.ts";

function onCable(
  id: string,
  about: string,
  seconds: Fault["seconds"],
  act: (aim: Aim) => Promise<Undo>,
  more: Partial<Fault> = {},
): Fault {
  return {
    id,
    about,
    seconds,
    ...more,
    prepare: async (aim) => {
      const silences = severed(id, aim, await leadersNode(aim));
      return async () => ({ undo: await act(aim), silences });
    },
  };
}

/** Undefined: nobody knows of a leader. */
async function leadersNode({ scene }: Aim): Promise<string | undefined> {
  const leader = await leadingController(scene.api).catch(() => undefined);
  return leader?.spec?.nodeName;
}

/** What a cut cable keeps from the leader of this node, beside the move itself. */
function severed(id: string, { source, target }: Aim, leader: string | undefined): ("source" | "target" | "api")[] {
  const [from, to] = [source.node.name === leader, target.node.name === leader];
  if (["link-cut", "link-one-way", "link-one-way-back"].includes(id)) return from ? ["target"] : to ? ["source"] : [];
  const isCutOff = /^(api|node)-cut-source$/.test(id) ? from : /^(api|node)-cut-target$/.test(id) && to;
  return isCutOff ? ["api"] : [];
}

const MEGABITS = 160; // 20 MB/s

export const onTheWay: readonly Fault[] = [
  onCable("link-cut", "source and target are cut off from each other", [2, 45], ({ source, target }) =>
    cutBetween(source, target),
  ),
  onCable("link-one-way", "what the source sends to the target is lost", [2, 45], ({ source, target }) =>
    cutOneWay(source, target),
  ),
  onCable("link-one-way-back", "what the target sends to the source is lost", [2, 45], ({ source, target }) =>
    cutOneWay(target, source),
  ),
  onCable("link-slow", "the source sends 20 MB/s at most", [5, 25], ({ source }) => slowDown(source, MEGABITS)),
  onCable("link-lossy", "a tenth is lost between source and target", [5, 25], ({ source, target }) =>
    loseBetween(source, target, 10),
  ),
  onCable("node-lossy-target", "a fifth of what the target sends and gets is lost", [3, 15], ({ target }) =>
    loseFromAll(target, 20),
  ),
  ...(["source", "target"] as const).flatMap((side) => [
    onCable(`api-cut-${side}`, `the ${side}'s node is cut off from the API server`, [2, 40], (aim) =>
      cutOffFromApi(aim[side], aim.scene.cluster.settings),
    ),
    onCable(
      `node-cut-${side}`,
      `the ${side}'s node is cut off from everything`,
      [2, 40],
      (aim) => cutOffFromAll(aim[side]),
      {
        silences: [side],
      },
    ),
  ]),
];
