/** A cluster as it is given on the command line. The only I/O of this folder. */
import { existsSync, readFileSync } from "node:fs";
import { BrokenInputError } from "../input/broken-input.ts";
import type { SimulatedNode } from "../scenario.ts";
import { readCluster } from "./read-cluster.ts";
import { clusterShorthand } from "./shorthand.ts";

/** A file, or a shorthand such as 10x64Gi. Throws a BrokenInputError. */
export function readClusterFile(cluster: string): SimulatedNode[] {
  const short = clusterShorthand(cluster);
  if (short !== undefined) return short;
  if (isMeantAsShorthand(cluster)) {
    const message = "expected a file, or 1 to 999999 nodes with memory above 0, as 10x64Gi or 4x64Gi+2x128Gi";
    throw new BrokenInputError([{ file: `--cluster ${cluster}`, message }]);
  }
  try {
    return readCluster({ name: cluster, text: readFileSync(cluster, "utf8") });
  } catch (error) {
    if (error instanceof BrokenInputError) throw error;
    const message = `${error instanceof Error ? error.message : String(error)}; give a file, or nodes as in 10x64Gi`;
    throw new BrokenInputError([{ file: cluster, message }]);
  }
}

/** A number and an x, and no such file. */
const isMeantAsShorthand = (cluster: string) => /^\s*\d+\s*x/.test(cluster) && !existsSync(cluster);
