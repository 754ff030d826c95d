// How much, how often and how long: the same for all peers, and for Trunkline.
import { setTimeout as sleep } from "node:timers/promises";

export const STEPS = 5;
const PER_SECOND = 20;
/// Starts that do not count: the first ones open connections and prepare statements.
export const WARM_UP = 20;
const LIMIT = 120_000;

export function input() {
  return { n: 1, text: "hello", list: [1, 2, 3] };
}

export function parkedInput(n) {
  return { phone: `+65${String(n).padStart(8, "0")}` };
}

/// Starts, each at its time, whatever became of the one before it. Answers how many.
export async function atRate(seconds, start) {
  const count = WARM_UP + PER_SECOND * seconds;
  const begun = performance.now();
  const starting = [];
  for (let n = 0; n < count; n++) {
    await sleep(Math.max(0, begun + (n * 1000) / PER_SECOND - performance.now()));
    starting.push(start(n));
  }
  await Promise.all(starting);
  return count;
}

export async function inTurns(atOnce, items, act) {
  let next = 0;
  const turns = Array.from({ length: atOnce }, async () => {
    while (next < items.length) await act(items[next++]);
  });
  await Promise.all(turns);
}

export async function until(condition, pause) {
  const begun = performance.now();
  while (!(await condition())) {
    if (performance.now() - begun > LIMIT) throw new Error(`not so after ${LIMIT / 1000} s: ${condition}`);
    await sleep(pause);
  }
}

export function percentiles(latencies) {
  const sorted = latencies.toSorted((a, b) => a - b);
  const percentile = (n) => sorted[Math.max(1, Math.ceil((sorted.length * n) / 100)) - 1];
  return { count: sorted.length, p50: percentile(50), p99: percentile(99) };
}
