/** Prints the folder with kubectl and helm, fetched on first use: `node test/helm/tools.ts`. */
import { build } from "../e2e/cluster/programs.ts";
import { settingsFor } from "../e2e/cluster/settings.ts";

const settings = settingsFor(0, process.env);
console.log(await build(settings, { name: "tools", script: "tools.sh" }, (line) => console.error(line)));
