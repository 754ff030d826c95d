// openworkflow: a run is a row, claimed one by one; a step's attempt is a row that is written twice.
import { defineWorkflow, OpenWorkflow } from "openworkflow";
import { BackendPostgres } from "openworkflow/postgres";
import postgres from "postgres";
import { parts } from "../database.js";

const CONCURRENCY = { steps: 20, latency: 20, parked: 20 };

const chain = defineWorkflow({ name: "chain" }, async ({ input, step }) => {
  for (let n = 1; n <= input.steps; n++) {
    await step.run({ name: `s${n}` }, async () => ({ n }));
  }
});
const parked = defineWorkflow({ name: "parked" }, async ({ input, step }) => {
  await step.waitForSignal({ signal: input.phone, timeout: "1 day" });
});

function open(max) {
  const { host, port, user, database } = parts();
  const path = `${host}/.s.PGSQL.${port}`;
  const pool = postgres({ path, user, database, max, transform: { column: { from: postgres.toCamel } } });
  const workflows = new OpenWorkflow({ backend: BackendPostgres.fromPool(pool) });
  for (const { spec, fn } of [chain, parked]) workflows.implementWorkflow(spec, fn);
  return { workflows, pool };
}

export default {
  package: "openworkflow",
  settings: {
    steps: "two worker processes, concurrency 20 and as many connections each",
    latency: "one worker process, concurrency 20; looks for work after 0.1 to 1 s of none, which cannot be set",
    parked: "waits for a signal for a day",
  },
  workflows: 1_000,
  processes: { steps: 2 },

  async setup() {
    const { migrate, newPostgresMaxOne, DEFAULT_SCHEMA } = await import("../node_modules/openworkflow/dist/postgres/postgres.js");
    const { host, port, user, database } = parts();
    const pool = newPostgresMaxOne("postgres://localhost", { path: `${host}/.s.PGSQL.${port}`, user, database });
    await migrate(pool, DEFAULT_SCHEMA);
    await pool.end();
  },
  async client() {
    const { workflows, pool } = open(32);
    return {
      start: async (data, steps) => (await workflows.runWorkflow(chain.spec, { ...data, steps })).workflowRun.id,
      park: async (data) => (await workflows.runWorkflow(parked.spec, data)).workflowRun.id,
      close: () => pool.end(),
    };
  },
  async worker(part) {
    const concurrency = CONCURRENCY[part];
    const worker = open(concurrency).workflows.newWorker({ concurrency });
    return () => worker.start();
  },

  open: "select exists (select from openworkflow.workflow_runs where status <> 'completed')",
  ended: "select id from openworkflow.workflow_runs where id = any($1) and status = 'completed'",
  endedCount: "select count(*) from openworkflow.workflow_runs where status = 'completed'",
  stepCount: "select count(*) from openworkflow.step_attempts where status = 'completed'",
  parked: "select count(*) from openworkflow.step_attempts where kind = 'signal-wait' and status = 'running'",
};
