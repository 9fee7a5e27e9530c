/** Puts the controllers together from their parts. */
import type { ControllerConfig } from "../config/controller-config.ts";
import type { HeadroomOperator } from "../kube/operator.ts";

export async function registerControllers(_operator: HeadroomOperator, _config: ControllerConfig): Promise<void> {}
