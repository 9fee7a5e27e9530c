/** Runs the checks in the guest. Each ends in a line on the console: @result and JSON. */
import { checks } from "./checks.ts";
import { ctr, removeContainer, until } from "./containers.ts";

await until("containerd", 60, () => ctr("version").then(Boolean, () => false));
await ctr("images", "import", "/payload/workload.tar");
let failed = false;
for (const { name, run } of checks) {
  const started = performance.now();
  const error = await run().then(
    () => undefined,
    (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown)),
  );
  for (const id of ["target", "source"]) await removeContainer(id);
  failed ||= error !== undefined;
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(`@result ${JSON.stringify({ name, error, seconds })}`);
}
process.exitCode = failed ? 1 : 0;
