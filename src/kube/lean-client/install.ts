/**
 * Of @kubernetes/client-node Headroom runs KubeConfig alone, but its entry point loads a generated class for every
 * resource of Kubernetes: 8 MB of source, about 70 MB of a process's memory and a third of a second. With these hooks
 * the entry point and its generated part are the few exports that are needed (./client-node.ts, ./generated.ts).
 * Should the package's layout change, nothing is redirected and everything still works, in more memory.
 */
import { registerHooks } from "node:module";

const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."));
const ENTRY = new URL(`./client-node${EXTENSION}`, import.meta.url).href;
const GENERATED = new URL(`./generated${EXTENSION}`, import.meta.url).href;
const CONFIG = /\/@kubernetes\/client-node\/dist\/config\.js$/;

let installed = false;

/** Before the first import of anything that imports client-node. Can be called again. */
export function installLeanClient(): void {
  if (installed) return;
  installed = true;
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === "@kubernetes/client-node") return { url: ENTRY, shortCircuit: true };
      const generated = specifier === "./gen/index.js" && CONFIG.test(context.parentURL ?? "");
      return generated ? { url: GENERATED, shortCircuit: true } : next(specifier, context);
    },
  });
}
