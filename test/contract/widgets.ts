/** A custom resource with one of everything that the contract asks about. */
import type { JsonObject } from "../../src/sandbox/api-server/json.ts";

export const WIDGET_GROUP = "contract.headroom.dev";

export const WIDGETS: JsonObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `widgets.${WIDGET_GROUP}` },
  spec: {
    group: WIDGET_GROUP,
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList", shortNames: ["wg"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: "Size", type: "integer", jsonPath: ".spec.size" },
          { name: "Phase", type: "string", jsonPath: ".status.phase" },
          { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
          { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
        ],
        schema: { openAPIV3Schema: widgetSchema() },
      },
    ],
  },
};

function widgetSchema(): JsonObject {
  const rule = (text: string, message: string, more: JsonObject = {}): JsonObject => ({ rule: text, message, ...more });
  return {
    type: "object",
    required: ["spec"],
    properties: {
      spec: {
        type: "object",
        required: ["size", "serial"],
        "x-kubernetes-validations": [
          rule("self.serial == oldSelf.serial", "serial cannot be changed", { fieldPath: ".serial" }),
          rule("!has(self.low) || !has(self.high) || self.low < self.high", "low must be less than high"),
        ],
        properties: {
          size: { type: "integer", minimum: 1, maximum: 9 },
          serial: { type: "string", maxLength: 20 },
          low: { type: "integer" },
          high: { type: "integer" },
          colour: { type: "string", enum: ["Red", "Green"], default: "Red" },
          wait: {
            type: "string",
            maxLength: 16,
            "x-kubernetes-validations": [rule("duration(self) >= duration('10s')", "must be at least 10s")],
          },
          port: { "x-kubernetes-int-or-string": true },
          tags: { type: "array", maxItems: 2, items: { type: "string", maxLength: 8 } },
          options: { type: "object", properties: { deep: { type: "boolean", default: true } } },
        },
      },
      status: {
        type: "object",
        properties: {
          phase: { type: "string" },
          conditions: {
            type: "array",
            items: { type: "object", properties: { type: { type: "string" }, status: { type: "string" } } },
          },
        },
      },
    },
  };
}
