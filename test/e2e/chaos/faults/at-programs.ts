/** Headroom's own programs, and those of the nodes and the control plane: killed, stopped, short of memory, slow, with a wrong clock. */
import type { V1Pod } from "@kubernetes/client-node";
import { machineOf } from "../../cluster/cluster.ts";
import type { Machine } from "../../cluster/machine.ts";
import {
  findContainerProcess,
  findService,
  keepServiceDown,
  killForMemory,
  killHostProcess,
  type ServiceName,
  slowEtcd,
  stepClock,
  stopApiServer,
  stopProcess,
} from "../../harness/faults.ts";
import { headroomPods, leadingController } from "../../harness/headroom.ts";
import type { Aim, Fault, Strike } from "../fault.ts";
import type { Scene } from "../scene.ts";

type Side = "source" | "target";
const SIDES: readonly Side[] = ["source", "target"];

interface Program {
  pod: V1Pod;
  machine: Machine;
  /** The host's. */
  pid: number;
}

type Find = (aim: Aim) => Promise<Program>;

async function programOf({ cluster }: Scene, pod: V1Pod | undefined, what: string): Promise<Program> {
  if (!pod?.spec?.nodeName) throw new Error(`there is no ${what}`);
  const machine = machineOf(cluster, pod.spec.nodeName);
  return { pod, machine, pid: await findContainerProcess(machine, pod) };
}

const agentOn =
  (side: Side): Find =>
  async (aim) => {
    const node = aim[side].node.name;
    const pods = await headroomPods(aim.scene.api, "agent");
    return programOf(
      aim.scene,
      pods.find(({ spec }) => spec?.nodeName === node),
      `agent on ${node}`,
    );
  };

const leader: Find = async ({ scene }) => programOf(scene, await leadingController(scene.api), "leader");

function atProgram(
  id: string,
  about: string,
  find: Find,
  strike: (program: Program, aim: Aim) => Promise<Strike | undefined>,
  more: Partial<Fault>,
): Fault {
  return {
    id,
    about,
    seconds: [0, 0],
    ...more,
    prepare: async (aim) => {
      const program = await find(aim);
      return () => strike(program, aim);
    },
  };
}

const killed = async ({ pid }: Program): Promise<Strike | undefined> => (killHostProcess(pid) ? {} : undefined);
const stopped = async ({ pid }: Program): Promise<Strike> => ({ undo: stopProcess(pid) });
const shortOfMemory = async ({ pid }: Program): Promise<Strike | undefined> =>
  (await killForMemory(pid)) ? {} : undefined;

function ofAgent(side: Side): Fault[] {
  const find = agentOn(side);
  const agent = `the ${side}'s agent`;
  return [
    atProgram(`agent-killed-${side}`, `${agent} is killed`, find, killed, {}),
    atProgram(`agent-oom-${side}`, `${agent} is killed for memory`, find, shortOfMemory, {}),
    atProgram(`agent-stopped-${side}`, `${agent} stands still`, find, stopped, { seconds: [2, 40], silences: [side] }),
  ];
}

const controllers: readonly Fault[] = [
  atProgram("leader-killed", "the leading controller is killed", leader, killed, { controllers: true }),
  atProgram("leader-oom", "the leading controller is killed for memory", leader, shortOfMemory, { controllers: true }),
  // Longer than its lease: another leads, and then there are two who think that they do.
  atProgram("leader-stopped", "the leading controller stands still", leader, stopped, {
    seconds: [12, 25],
    controllers: true,
  }),
];

/** Of the leader and of one agent, by 10 s to a minute, into either direction. By an hour, every move is refused: figures and tokens are of another time. */
const clock: Fault = {
  id: "clock-stepped",
  about: "the clocks of the leader and of an agent are stepped",
  seconds: [5, 30],
  prepare: async (aim) => {
    const programs = await Promise.all([leader(aim), agentOn(aim.seconds < 15 ? "source" : "target")(aim)]);
    const by = (aim.seconds < 10 ? -1 : 1) * Math.round(aim.seconds * 2000);
    return async () => {
      const undos = programs.map(({ machine, pod }) => stepClock(machine, pod, by));
      return { undo: async () => void (await Promise.all(undos.map((undo) => undo()))) };
    };
  },
};

function ofService(name: ServiceName, side: Side): Fault {
  return {
    id: `${name}-restarted-${side}`,
    about: `the ${side}'s ${name} is killed and kept down`,
    seconds: [0, 8],
    prepare: async (aim) => {
      const pid = await findService(aim[side], name);
      return async () => ({ undo: keepServiceDown(aim[side], name, pid) });
    },
  };
}

const controlPlane: readonly Fault[] = [
  {
    id: "api-away",
    about: "the API server answers nobody",
    seconds: [2, 40],
    silences: ["api"],
    prepare:
      async ({ scene: { cluster } }) =>
      async () => {
        const goOn = stopApiServer(cluster.settings);
        return { undo: async () => goOn() };
      },
  },
  {
    id: "etcd-slow",
    about: "etcd is slow",
    seconds: [3, 20],
    prepare:
      async ({ scene: { cluster }, seconds }) =>
      async () => {
        const end = slowEtcd(cluster.settings, seconds);
        return { undo: async () => end() };
      },
  },
];

export const atPrograms: readonly Fault[] = [
  ...SIDES.flatMap(ofAgent),
  ...controllers,
  ...(["containerd", "kubelet"] as const).flatMap((name) => SIDES.map((side) => ofService(name, side))),
  ...controlPlane,
  clock,
];
