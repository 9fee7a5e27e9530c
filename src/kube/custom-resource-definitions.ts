/** CustomResourceDefinitions from files, for who runs without the chart. */
import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { type KubeClient, KubeError } from "./client.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, type CustomResourceDefinition } from "./resources.ts";

/** Creates the definition that the YAML file holds, unless there is one of its name. */
export async function registerDefinition(client: KubeClient, file: string) {
  // The API server checks the rest against its own schema.
  const definition = load(readFileSync(file, "utf8")) as CustomResourceDefinition | undefined;
  if (!definition?.apiVersion?.startsWith("apiextensions.k8s.io/")) {
    throw new Error(`${file} holds no CustomResourceDefinition`);
  }
  await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition).catch((error: unknown) => {
    if (!(error instanceof KubeError && error.reason === "AlreadyExists")) throw error;
  });
  const { group, names, versions } = definition.spec;
  return { group, versions, plural: names.plural };
}
