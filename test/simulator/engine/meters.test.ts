/** What a series shows does not depend on who looked at it before, or when. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { PodMeter } from "../../../src/simulator/engine/meters.ts";
import { PodRun } from "../../../src/simulator/engine/pod-run.ts";
import { Sampling } from "../../../src/simulator/engine/sampling.ts";
import { toMs } from "../../../src/simulator/engine/start.ts";
import { growing, pod } from "./world.ts";

it("a pod's series is the same whether it was looked at all along or only now", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 6 }),
      fc.constantFrom(0, 0.3, 0.9),
      fc.constantFrom(30, 45, 60),
      (waits, lossRate, spacingSeconds) => {
        const sampling = new Sampling({ intervalSeconds: 10, delaySeconds: 10, lossRate }, 1);
        const run = new PodRun(pod("a", growing(0, 1)));
        run.clock.begin(7);
        const options = { sampling, spacingSeconds, toMs };
        const looked = new PodMeter(run, options, 7);
        let now = 7;
        for (const wait of waits) {
          now += wait;
          sampling.advance(now);
          const [often, once] = [looked.series(), new PodMeter(run, options, 7).series()];
          expect([...often.timesMs]).toEqual([...once.timesMs]);
          expect([...often.bytes]).toEqual([...once.bytes]);
        }
      },
    ),
  );
});
