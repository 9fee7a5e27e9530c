/** (i) The agent's own steps on Debian's stock kernel with cgroup v2, in a virtual machine, against containerd alone. */
import { buildTestImages } from "../cluster/test-images.ts";
import { assert, type Context, type Scenario, type Test } from "../harness/scenario.ts";
import { type GuestReport, prepareMachine, runMachine } from "../vm/checks-machine.ts";
import { checks } from "../vm/guest/checks.ts";

const LIMIT_SECONDS = 900; // a runtime's first test builds the machine and runs all checks in it

interface Runtime {
  name: string;
  newer: boolean;
}

const RUNTIMES: readonly Runtime[] = [
  { name: "containerd 1.7 and runc 1.1", newer: false },
  { name: "containerd 2.1 and runc 1.3", newer: true },
];

const reports = new Map<Runtime, Promise<GuestReport>>();

function reportOf(runtime: Runtime, context: Context): Promise<GuestReport> {
  const report = reports.get(runtime) ?? runChecks(runtime, context);
  reports.set(runtime, report);
  return report;
}

async function runChecks({ newer }: Runtime, { cluster }: Context): Promise<GuestReport> {
  const { settings, programs } = cluster;
  const silent = (): void => undefined;
  const images = await buildTestImages(settings, programs, silent);
  return runMachine(await prepareMachine(settings, programs, images.workload, silent), newer);
}

function testOf(runtime: Runtime, name: string): Test {
  return {
    name: `${runtime.name}: ${name}`,
    limitSeconds: LIMIT_SECONDS,
    run: async (context) => {
      const { results, console } = await reportOf(runtime, context);
      const result = results.find((candidate) => candidate.name === name);
      assert(result, `the guest did not get to it; the end of its console:\n${console.slice(-3000)}`);
      assert(result.error === undefined, `${result.error}`);
      context.note(`${result.seconds} s in the emulated machine`);
    },
  };
}

export const stockKernel: Scenario = {
  id: "i",
  title: "Debian's stock kernel with cgroup v2, in a virtual machine",
  nodeMemoryMiB: [],
  headroom: false,
  tests: RUNTIMES.flatMap((runtime) => checks.map(({ name }) => testOf(runtime, name))),
};
