// graphile-worker: a plain queue. A job that has been done is deleted; there is no output and no step after it.
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { url } from "../database.js";

const BATCH = 1_000;
const tasks = { job: async () => {} };
const presets = {
  steps: {
    concurrentJobs: 24,
    maxPoolSize: 26,
    localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
  latency: { concurrentJobs: 10, maxPoolSize: 12 },
  parked: {},
};
// Quiet: it tells of each job otherwise.
const logger = new Logger(() => (level, text) => level === "error" && console.error(text));

export default {
  package: "graphile-worker",
  queue: true,
  settings: {
    steps: "two worker processes, 24 jobs at once each, a local queue of 500, completions in batches",
    latency: "one worker process, woken by `notify`, 10 jobs at once, no local queue",
    parked: "jobs due in a day",
  },
  workflows: 50_000,
  processes: { steps: 2 },

  async setup() {
    const utils = await makeWorkerUtils({ connectionString: url, logger });
    await utils.migrate();
    await utils.release();
  },
  async client() {
    const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: 10, logger });
    return {
      async startMany(inputs) {
        for (let n = 0; n < inputs.length; n += BATCH) {
          await utils.addJobs(inputs.slice(n, n + BATCH).map((payload) => ({ identifier: "job", payload })));
        }
      },
      start: async (data) => (await utils.addJob("job", data)).id,
      park: (data) => utils.addJob("job", data, { runAt: new Date(Date.now() + 86_400_000) }),
      close: () => utils.release(),
    };
  },
  async worker(part) {
    const worker = { connectionString: url, ...presets[part] };
    return () => run({ taskList: tasks, noHandleSignals: true, logger, preset: { worker } });
  },

  open: "select exists (select from graphile_worker._private_jobs)",
  ended: `select id from unnest($1::bigint[]) as told (id)
    where not exists (select from graphile_worker._private_jobs as jobs where jobs.id = told.id)`,
  // A job that failed would still be there.
  endedCount: `select case when exists (select from graphile_worker._private_jobs) then 0
    else pg_sequence_last_value(pg_get_serial_sequence('graphile_worker._private_jobs', 'id')) end`,
  parked: "select count(*) from graphile_worker._private_jobs where run_at > now()",
};
