/** A cluster in a few characters: `10x64Gi`, or `4x64Gi+2x128Gi` where nodes differ. */
import { parseQuantity } from "../../api/quantity.ts";
import type { SimulatedNode } from "../scenario.ts";

const GROUP = /^([1-9][0-9]{0,5})x(.+)$/;

/** Nodes `node-01`, `node-02`, …, so that their names sort as they are counted. Undefined: it isn't one. */
export function clusterShorthand(text: string): SimulatedNode[] | undefined {
  const capacities = text.split("+").map(capacitiesOf);
  if (capacities.some((group) => group === undefined)) return undefined;
  const all = capacities.flatMap((group) => group ?? []);
  const digits = String(all.length).length;
  return all.map((capacityBytes, index) => ({
    name: `node-${String(index + 1).padStart(digits, "0")}`,
    capacityBytes,
  }));
}

function capacitiesOf(group: string): number[] | undefined {
  const match = GROUP.exec(group.trim());
  const bytes = parseQuantity(match?.[2] ?? "");
  return bytes === undefined || bytes === 0 ? undefined : new Array<number>(Number(match?.[1])).fill(bytes);
}
