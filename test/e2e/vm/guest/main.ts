/** Runs the checks in the guest. Each ends in a line on the console: @result and JSON. */
import { setTimeout as sleep } from "node:timers/promises";
import { checks } from "./checks.ts";
import { ctr, removeContainer, until } from "./containers.ts";

await until("containerd", 60, () => ctr("version").then(Boolean, () => false));
await ctr("images", "import", "/payload/workload.tar");
const LIMIT_SECONDS = 100;
const limit = (): Promise<never> =>
  sleep(LIMIT_SECONDS * 1000, undefined, { ref: false }).then(() => {
    throw new Error(`not done after ${LIMIT_SECONDS} s`);
  });

let failed = false;
for (const { name, run } of checks) {
  const started = performance.now();
  const error = await Promise.race([run(), limit()]).then(
    () => undefined,
    (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown)),
  );
  for (const id of ["target", "source"]) await removeContainer(id);
  failed ||= error !== undefined;
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(`@result ${JSON.stringify({ name, error, seconds })}`);
}
// A check that was given up may still wait for something.
process.exit(failed ? 1 : 0);
