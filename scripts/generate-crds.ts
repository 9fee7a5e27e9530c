/** Writes crds/ and the chart's copy of it from the schemas in src/api: npm run generate. */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { crdFiles } from "../src/api/resources.ts";

// A chart can only read what is inside its own folder.
for (const folder of ["crds/", "helm/headroom/files/crds/"]) {
  const path = fileURLToPath(new URL(`../${folder}`, import.meta.url));
  mkdirSync(path, { recursive: true });
  for (const { name, content } of crdFiles()) {
    writeFileSync(`${path}${name}`, content);
    console.log(`${folder}${name}`);
  }
}
