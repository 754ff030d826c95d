// Measures one part of one peer and prints one line of JSON:
//
//     DATABASE_URL=… node measure.js <peer> <part> <amount>
//
// steps <workflows> of five steps, 0 is the peer's own number; latency-1 and latency-5 <seconds>; parked <instances>.
// The client is this process, and those that do the work are others, unless the peer's own way is one for both.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { ask, connect } from "./database.js";
import { atRate, input, inTurns, parkedInput, percentiles, STEPS, until, WARM_UP } from "./load.js";
import { Watcher } from "./watcher.js";

const [name, part, amount] = process.argv.slice(2);
const { default: peer } = await import(`./peers/${name}.js`);

const parts = {
  steps: measureSteps,
  "latency-1": (seconds) => measureLatency(1, seconds),
  "latency-5": (seconds) => measureLatency(STEPS, seconds),
  parked: measureParked,
};
// So that those that we started are ended, too.
process.once("SIGTERM", () => process.exit(1));
try {
  const measured = await (peer.measure?.[part] ?? parts[part])(Number(amount));
  const settings = peer.settings[part.split("-")[0]];
  console.log(JSON.stringify({ version: version(), settings, ...measured }));
} catch (error) {
  console.error(error.stack);
  process.exit(1);
}
process.exit(0);

/// Workflows wait, workers start with nothing in their hands, and the clock runs until none is left.
async function measureSteps(amount) {
  await peer.setup();
  const workflows = amount || peer.workflows;
  const client = await peer.client();
  const inputs = Array.from({ length: workflows }, input);
  if (client.startMany) {
    await client.startMany(inputs, STEPS);
  } else {
    await inTurns(32, inputs, (data) => client.start(data, STEPS));
  }
  await client.close();
  const looking = await connect();
  await looking.query("vacuum (analyze)");
  const workers = await forkWorkers("steps");
  const begun = performance.now();
  workers.begin();
  await until(async () => !(await ask(looking, peer.open)), 20);
  const seconds = (performance.now() - begun) / 1000;
  const steps = await check(looking, workflows, STEPS);
  workers.stop();
  return { steps, perSecond: steps / seconds };
}

/// From the call that starts a workflow to its end as a connection sees it, at a low and steady rate.
async function measureLatency(steps, seconds) {
  await peer.setup();
  const workers = peer.inProcess ? undefined : await forkWorkers("latency");
  workers?.begin();
  const client = await peer.client(peer.inProcess);
  const watcher = new Watcher(peer.ended);
  const starts = await atRate(seconds, async (n) => {
    const called = process.hrtime.bigint();
    const id = await client.start(input(), steps);
    watcher.tell(id, called, n >= WARM_UP);
  });
  const latencies = await watcher.finish();
  const looking = await connect();
  await check(looking, starts, steps);
  workers?.stop();
  return percentiles(latencies);
}

/// What the database grows by for each instance that waits for a day, without what the instance was started with.
async function measureParked(instances) {
  await peer.setup();
  const looking = await connect();
  const size = () => ask(looking, "select pg_database_size(current_database())::float8");
  const vacuum = () => looking.query("vacuum (analyze)");
  // As afterwards: maps of free space and statistics of what is there already are nothing that an instance takes.
  await vacuum();
  const empty = await size();
  const client = await peer.client(peer.inProcess);
  const workers = peer.inProcess ? undefined : await forkWorkers("parked");
  workers?.begin();
  const inputs = Array.from({ length: instances }, (_, n) => parkedInput(n));
  await inTurns(32, inputs, (data) => client.park(data));
  await until(async () => Number(await ask(looking, peer.parked)) === instances, 100);
  workers?.stop();
  await vacuum();
  const context = JSON.stringify(parkedInput(0)).length;
  return { instances, bytes: ((await size()) - empty) / instances - context };
}

/// What the database says has been done.
async function check(looking, workflows, steps) {
  const expected = peer.queue ? workflows : workflows * steps;
  await until(async () => {
    const ended = Number(await ask(looking, peer.endedCount));
    const done = peer.stepCount ? Number(await ask(looking, peer.stepCount)) : ended;
    if (ended > workflows || done > expected) {
      throw new Error(`${ended} workflows and ${done} steps instead of ${workflows} and ${expected}`);
    }
    return ended === workflows && done === expected;
  }, 100);
  return expected;
}

/// Processes that work once they are told to.
async function forkWorkers(part) {
  const count = peer.processes?.[part] ?? 1;
  const workers = Array.from({ length: count }, () => fork(new URL("worker.js", import.meta.url), [name, part]));
  for (const worker of workers) {
    worker.on("exit", (code) => {
      if (!worker.killed) {
        console.error(`a worker ended with ${code}`);
        process.exit(1);
      }
    });
  }
  await Promise.all(workers.map((worker) => new Promise((ready) => worker.once("message", ready))));
  return {
    begin: () => workers.forEach((worker) => worker.send("begin")),
    stop: () => workers.forEach((worker) => worker.kill("SIGKILL")),
  };
}

function version() {
  const file = new URL(`node_modules/${peer.package}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
}
