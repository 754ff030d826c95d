// Absurd: SQL functions do the work; a worker claims tasks and writes a checkpoint for each step.
import { execFileSync } from "node:child_process";
import { Absurd } from "absurd-sdk";
import { connect, pool } from "../database.js";

const CONCURRENCY = { steps: 20, latency: 20, parked: 20 };

function open(max) {
  const app = new Absurd({ db: pool(max), queueName: "bench" });
  app.registerTask({ name: "chain" }, async ({ steps }, ctx) => {
    for (let n = 1; n <= steps; n++) await ctx.step(`s${n}`, async () => ({ n }));
  });
  app.registerTask({ name: "parked" }, async ({ phone }, ctx) => {
    await ctx.awaitEvent(phone, { timeout: 86_400 });
  });
  return app;
}

export default {
  package: "absurd-sdk",
  settings: {
    steps: "two worker processes, concurrency 20 and as many connections each",
    latency: "one worker process, concurrency 20, looks for work every 5 ms (by default every 250)",
    parked: "waits for an event for a day",
  },
  workflows: 1_000,
  processes: { steps: 2 },

  async setup() {
    const folder = new URL("../python_modules", import.meta.url).pathname;
    const print = "import absurdctl; print(absurdctl.BUNDLED_SCHEMA_SQL)";
    const schema = execFileSync("python3", ["-c", print], { env: { ...process.env, PYTHONPATH: folder } });
    const client = await connect();
    await client.query(schema.toString());
    await client.end();
    const app = open(1);
    await app.createQueue("bench");
    await app.close();
  },
  async client() {
    const app = open(32);
    return {
      start: async (data, steps) => (await app.spawn("chain", { ...data, steps })).taskID,
      park: async (data) => (await app.spawn("parked", data)).taskID,
      close: () => app.close(),
    };
  },
  async worker(part) {
    const concurrency = CONCURRENCY[part];
    const app = open(concurrency);
    return () => app.startWorker({ concurrency, pollInterval: 0.005 });
  },

  open: "select exists (select from absurd.t_bench where state <> 'completed')",
  ended: "select task_id from absurd.t_bench where task_id = any($1) and state = 'completed'",
  endedCount: "select count(*) from absurd.t_bench where state = 'completed'",
  stepCount: "select count(*) from absurd.c_bench where status = 'committed'",
  parked: "select count(*) from absurd.w_bench",
};
