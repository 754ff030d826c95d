// pg-boss: a plain queue. A job has no step after it and, in batches, no output.
import { PgBoss } from "pg-boss";
import { url } from "../database.js";

const QUEUE = "bench";
const BATCH = 1_000;

async function open() {
  const boss = new PgBoss({ connectionString: url, max: 10, useListenNotify: true, supervise: false, schedule: false });
  boss.on("error", (error) => console.error(error));
  return await boss.start();
}

export default {
  package: "pg-boss",
  queue: true,
  settings: {
    steps: "two worker processes, batches of 1,000, the next one at once while they are full",
    latency: "one worker process, woken by `notify`, batches of 100",
    parked: "jobs due in a day",
  },
  workflows: 50_000,
  processes: { steps: 2 },

  async setup() {
    const boss = await open();
    await boss.createQueue(QUEUE, { notify: true });
    await boss.stop({ graceful: false });
  },
  async client() {
    const boss = await open();
    return {
      async startMany(inputs) {
        for (let n = 0; n < inputs.length; n += BATCH) {
          await boss.insert(QUEUE, inputs.slice(n, n + BATCH).map((data) => ({ data })));
        }
      },
      start: (data) => boss.send(QUEUE, data),
      park: (data) => boss.send(QUEUE, data, { startAfter: 86_400 }),
      close: () => boss.stop({ graceful: false }),
    };
  },
  async worker(part) {
    const boss = await open();
    const batchSize = part === "steps" ? BATCH : 100;
    return () => boss.work(QUEUE, { batchSize, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }, async () => {});
  },

  open: `select exists (select from pgboss.job where name = '${QUEUE}' and state <> 'completed')`,
  ended: `select id from pgboss.job where name = '${QUEUE}' and id = any($1) and state = 'completed'`,
  endedCount: `select count(*) from pgboss.job where name = '${QUEUE}' and state = 'completed'`,
  parked: `select count(*) from pgboss.job where name = '${QUEUE}' and state = 'created' and start_after > now()`,
};
