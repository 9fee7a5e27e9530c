// Copies what the build's compiler leaves behind, files of src that are not TypeScript, to the same places in dist.
import { cpSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../src", import.meta.url));
const built = fileURLToPath(new URL("../dist", import.meta.url));

cpSync(source, built, { recursive: true, filter: (path) => statSync(path).isDirectory() || !path.endsWith(".ts") });
