/** A node's machine loses its power; its disk, its inodes, its staging run out. */
import { startMachineAgain } from "../../cluster/cluster.ts";
import { killMachine, type Machine } from "../../cluster/machine.ts";
import { waitFor } from "../../cluster/wait.ts";
import { fillDisk, fillInodes, fillStaging } from "../../harness/faults.ts";
import type { Fault, Undo } from "../fault.ts";

type Side = "source" | "target";

function power(side: Side): Fault {
  return {
    id: `node-killed-${side}`,
    about: `the ${side}'s node loses its power`,
    seconds: [2, 20],
    silences: [side],
    controllers: true, // one may run there
    prepare: async (aim) => async () => {
      const machine = aim[side];
      if (!machine.isOn) return undefined; // another move's fault
      await killMachine(machine);
      return { nodeKilled: machine.node.name, undo: () => startMachineAgain(aim.scene.cluster, machine) };
    },
  };
}

function full(
  id: string,
  about: string,
  side: Side,
  fill: (machine: Machine) => Promise<Undo | false>,
  more: Partial<Fault> = {},
): Fault {
  return {
    id,
    about,
    seconds: [3, 15],
    ...more,
    prepare: async (aim) => async () => {
      const machine = aim[side];
      const empty = machine.isOn && (await fill(machine));
      return empty ? { undo: () => whenOn(machine, empty) } : undefined;
    },
  };
}

/** The power may be away meanwhile: what fills the disk is still there then. */
async function whenOn(machine: Machine, undo: Undo): Promise<void> {
  await waitFor(`the power of ${machine.node.name}`, 120, () => machine.isOn);
  await undo();
}

export const atNodes: readonly Fault[] = [
  power("source"),
  power("target"),
  full("disk-full-source", "the source's disk is full", "source", fillDisk),
  full("disk-full-target", "the target's disk is full", "target", fillDisk),
  full("inodes-full-target", "the target's disk has no inodes left", "target", fillInodes),
  full("staging-full", "the target's staging area is full", "target", fillStaging, {
    phases: ["Preparing", "Frozen", "Restoring"],
  }),
];
