/**
 * LastValue: it stays as it is.
 *
 * Good at: steady memory and memory that jumps without a pattern; nothing does better on a random walk.
 * Bad at: growth, which it sees only as an error; its bound then has to make up for it.
 * Source: the "naïve method", Hyndman & Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), section 5.2.
 */
import { at } from "./history.ts";
import { type ForecastModel, straightAhead } from "./model.ts";

export const lastValue: ForecastModel<"LastValue"> = {
  name: "LastValue",
  summary: "Memory stays as it is: for steady pods.",
  fit: ({ history, end }) => ({ level: at(history.bytes, end - 1), trend: 0 }),
  ahead: straightAhead,
};
