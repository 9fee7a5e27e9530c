/** A node, and where its document says what. */
import type { SimulatedNode } from "../scenario.ts";

export interface PlacedNode {
  node: SimulatedNode;
  /** `items[3].metadata.name`. */
  nameField: string;
  allocatableField: string;
}
