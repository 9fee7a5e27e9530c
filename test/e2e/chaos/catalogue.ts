/** Every fault that is tried, one entry each. */
import type { Fault } from "./fault.ts";
import { atNodes } from "./faults/at-nodes.ts";
import { atPods } from "./faults/at-pods.ts";
import { atPrograms } from "./faults/at-programs.ts";
import { onTheWay } from "./faults/on-the-way.ts";

export const catalogue: readonly Fault[] = [...atPrograms, ...atNodes, ...onTheWay, ...atPods];
