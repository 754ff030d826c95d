// DBOS: a library that runs workflows in the process that starts them, or in those that take them from a queue.
import { DBOS, DBOSClient } from "@dbos-inc/dbos-sdk";
import { pool } from "../database.js";

const QUEUE = "bench";
const POOL = 20;

const chain = DBOS.registerWorkflow(
  async ({ steps }) => {
    for (let n = 1; n <= steps; n++) await DBOS.runStep(async () => ({ n }), { name: `s${n}` });
  },
  { name: "chain" },
);
const parked = DBOS.registerWorkflow(async ({ phone }) => await DBOS.recv(phone, 86_400), { name: "parked" });

async function launch(part) {
  DBOS.setConfig({
    name: "bench",
    systemDatabasePool: pool(POOL),
    executorID: `bench-${process.pid}`,
    applicationVersion: "1",
    logLevel: "error",
    listenQueues: part === "steps" ? [QUEUE] : [],
  });
  await DBOS.launch();
}

export default {
  package: "@dbos-inc/dbos-sdk",
  settings: {
    steps: "two worker processes take from a queue, 100 at once each, 20 connections each, looking every 10 ms",
    latency: "started in the process that runs it, 20 connections",
    parked: "waits for a message for a day",
  },
  workflows: 1_000,
  processes: { steps: 2 },
  inProcess: true,

  async setup() {
    await launch("setup");
    await DBOS.registerQueue(QUEUE, { workerConcurrency: 100, minPollingIntervalMs: 10 });
    await DBOS.shutdown();
  },
  async client(inProcess) {
    if (inProcess) {
      await launch("latency");
      return {
        start: async (data, steps) => (await DBOS.startWorkflow(chain)({ ...data, steps })).workflowID,
        park: async (data) => (await DBOS.startWorkflow(parked)(data)).workflowID,
      };
    }
    const client = await DBOSClient.create({ systemDatabasePool: pool(32), applicationName: "bench" });
    const options = { workflowName: "chain", queueName: QUEUE, appVersion: "1" };
    return {
      start: async (data, steps) => (await client.enqueue(options, { ...data, steps })).workflowID,
      close: () => client.destroy(),
    };
  },
  async worker(part) {
    return () => launch(part);
  },

  open: "select exists (select from dbos.workflow_status where status <> 'SUCCESS')",
  ended: "select workflow_uuid from dbos.workflow_status where workflow_uuid = any($1) and status = 'SUCCESS'",
  endedCount: "select count(*) from dbos.workflow_status where status = 'SUCCESS'",
  stepCount: "select count(*) from dbos.operation_outputs",
  parked: "select count(*) from dbos.operation_outputs where function_name = 'DBOS.sleep'",
};
