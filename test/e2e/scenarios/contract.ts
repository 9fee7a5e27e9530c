/** What Headroom relies on in the API: the same table of cases that the sandbox passes in `npm test`, put to a real API server. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { kubectl } from "../cluster/cluster.ts";
import { attempt } from "../cluster/command.ts";
import { assert, type Context, type Scenario } from "../harness/scenario.ts";

const REPOSITORY = new URL("../../../", import.meta.url).pathname;
const VITEST = join(REPOSITORY, "node_modules/vitest/vitest.mjs");

const reportSchema = z.object({
  numPassedTests: z.int(),
  numPendingTests: z.int(),
  testResults: z.array(
    z.object({
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).optional() }),
      ),
    }),
  ),
});

async function keptByRealServer({ cluster, note }: Context): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "contract-"));
  try {
    const file = join(folder, "report.json");
    const args = ["run", "test/contract", "--reporter=json", `--outputFile=${file}`];
    const env = { ...process.env, HEADROOM_CONTRACT_KUBECONFIG: cluster.kubeconfig };
    const outcome = await attempt(process.execPath, [VITEST, ...args], { cwd: REPOSITORY, env, timeoutSeconds: 180 });
    const report = reportSchema.parse(JSON.parse(await readFile(file, "utf8")));
    const failures = report.testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === "failed")
      .map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages?.[0]?.slice(0, 300)}`);
    assert(failures.length === 0, failures.join("\n"));
    assert(outcome.code === 0 && report.numPassedTests > 0, outcome.stderr.slice(-1000));
    note(`${report.numPassedTests} cases, and ${report.numPendingTests} more for the sandbox alone`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function takesDefinitions({ cluster }: Context): Promise<void> {
  await kubectl(cluster, ["apply", "--server-side", "--dry-run=server", "-f", join(REPOSITORY, "crds")]);
}

export const contract: Scenario = {
  id: "contract",
  title: "the API contract that the sandbox is held to",
  nodeMemoryMiB: [],
  headroom: false,
  tests: [
    { name: "the real API server takes the CRDs: structure, defaults, rules and their cost", run: takesDefinitions },
    { name: "the real API server keeps it, too", run: keptByRealServer },
  ],
};
