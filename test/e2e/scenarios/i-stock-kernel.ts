/** (i) The agent's own steps on Debian's stock kernel with cgroup v2, in a virtual machine, against containerd alone. */
import { buildTestImages } from "../cluster/test-images.ts";
import { assert, type Context, type Scenario, type Test } from "../harness/scenario.ts";
import { checks } from "../vm/guest/checks.ts";
import { type GuestReport, prepareMachine, runMachine } from "../vm/machine.ts";

const LIMIT_SECONDS = 900; // the first test builds the machine and runs all checks in it

let report: Promise<GuestReport> | undefined;

async function runChecks({ cluster }: Context): Promise<GuestReport> {
  const { settings, programs } = cluster;
  const silent = (): void => undefined;
  const images = await buildTestImages(settings, programs, silent);
  return runMachine(await prepareMachine(settings, programs, images.workload, silent));
}

function testOf(name: string): Test {
  return {
    name,
    limitSeconds: LIMIT_SECONDS,
    run: async (context) => {
      report ??= runChecks(context);
      const { results, console } = await report;
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
  tests: checks.map(({ name }) => testOf(name)),
};
