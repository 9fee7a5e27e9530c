/**
 * @dot-i/k8s-operator's values. The package is CommonJS with a `default` of its own, which Node and test runners unwrap
 * differently; a require means the same everywhere.
 */
import { createRequire } from "node:module";
import type operatorModule from "@dot-i/k8s-operator";

const required: typeof operatorModule = createRequire(import.meta.url)("@dot-i/k8s-operator");

export const { default: Operator, ResourceEventType, ResourceMetaImpl } = required;
