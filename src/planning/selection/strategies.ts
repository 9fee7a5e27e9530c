/** All selection strategies; the first is the default. */
import { max } from "./max.ts";
import { optimal } from "./optimal.ts";

export const SELECTION_STRATEGIES = [max, optimal] as const;
