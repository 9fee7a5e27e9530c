/**
 * Properties draw the same cases in every run, so that a change is what makes a test fail, never chance. Other cases:
 * HEADROOM_PROPERTY_SEED=random (or a number) npm test.
 */
import fc from "fast-check";

const wanted = process.env.HEADROOM_PROPERTY_SEED ?? "20260101";
if (wanted !== "random") fc.configureGlobal({ seed: Number(wanted) });
