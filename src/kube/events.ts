/** Events: what people see under `kubectl describe`. */
import type { KubeObject } from "./client.ts";

export interface EventRecorder {
  /**
   * Says that something happened to an object. Returns at once and never fails the caller; the same words about the
   * same object again only count up.
   * @param reason CamelCase, stable.
   */
  record(about: KubeObject, type: "Normal" | "Warning", reason: string, message: string): void;
}
