/** All selection strategies; the first is the default. */
import { bigEnough } from "./big-enough.ts";
import { cheapest } from "./cheapest.ts";
import { max } from "./max.ts";
import { optimal } from "./optimal.ts";
import { slopeSelection } from "./slope.ts";

export const SELECTION_STRATEGIES = [max, optimal, bigEnough, slopeSelection, cheapest] as const;
