// Restate: a server with a log and a store of its own, without PostgreSQL, and a service that it calls.
import { fork, spawn } from "node:child_process";
import { mkdirSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atRate, input, inTurns, parkedInput, percentiles, STEPS, until, WARM_UP } from "../load.js";

const AT_ONCE = 64;
const WORKFLOWS = 2_000;
const PARTITIONS = 4;
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });

export default {
  package: "@restatedev/restate-server",
  settings: {
    steps: `${PARTITIONS} partitions, one service process; ${AT_ONCE} calls at once, their starts are within the time`,
    latency: `${PARTITIONS} partitions, one service process; until the call is answered`,
    parked: "waits for an awakeable for a day; the log and the store, both compressed, once it has been stopped",
  },
  measure: {
    steps: (amount) => withServer((server) => measureSteps(server, amount || WORKFLOWS)),
    "latency-1": (seconds) => withServer((server) => measureLatency(server, 1, seconds)),
    "latency-5": (seconds) => withServer((server) => measureLatency(server, STEPS, seconds)),
    parked: (instances) => withServer((server) => measureParked(server, instances)),
  },

  async worker(port) {
    const { endpoint, service } = await import("@restatedev/restate-sdk");
    const chain = service({
      name: "chain",
      handlers: {
        run: async (ctx, { steps }) => {
          for (let n = 1; n <= steps; n++) await ctx.run(`s${n}`, () => ({ n }));
        },
        park: async (ctx) => {
          await ctx.awakeable().promise.orTimeout({ days: 1 });
        },
      },
    });
    await endpoint().bind(chain).setLogger(() => {}).listen(Number(port));
    return () => {};
  },
};

async function measureSteps(server, workflows) {
  await inTurns(AT_ONCE, Array(100).fill(), () => server.call("chain/run", { ...input(), steps: STEPS }));
  const begun = performance.now();
  await inTurns(AT_ONCE, Array(workflows).fill(), () => server.call("chain/run", { ...input(), steps: STEPS }));
  const seconds = (performance.now() - begun) / 1000;
  await server.check(workflows + 100);
  return { steps: workflows * STEPS, perSecond: (workflows * STEPS) / seconds };
}

async function measureLatency(server, steps, seconds) {
  const latencies = [];
  const starts = await atRate(seconds, async (n) => {
    const called = performance.now();
    await server.call("chain/run", { ...input(), steps });
    if (n >= WARM_UP) latencies.push(performance.now() - called);
  });
  await server.check(starts);
  return percentiles(latencies);
}

async function measureParked(server, instances) {
  const empty = size(server.folder);
  const inputs = Array.from({ length: instances }, (_, n) => parkedInput(n));
  await inTurns(AT_ONCE, inputs, (data) => server.call("chain/park/send", data));
  await until(async () => (await server.count("status = 'suspended'")) === instances, 500);
  await server.stop();
  const context = JSON.stringify(parkedInput(0)).length;
  return { instances, bytes: (size(server.folder) - empty) / instances - context };
}

/// A server of its own in FOLDER, with its service, on free ports.
async function withServer(measure) {
  const folder = join(process.env.FOLDER ?? tmpdir(), `restate-${process.pid}`);
  mkdirSync(folder);
  const [ingress, admin, fabric, port] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const worker = fork(new URL("../worker.js", import.meta.url), ["restate", port]);
  await new Promise((ready) => worker.once("message", ready));
  const log = openSync(`${folder}.log`, "w");
  const server = spawn(program(), ["--no-logo", "--node-name", "bench", "--base-dir", folder], {
    stdio: ["ignore", log, log],
    env: {
      ...process.env,
      RESTATE_DEFAULT_NUM_PARTITIONS: String(PARTITIONS),
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_BIND_ADDRESS: `127.0.0.1:${fabric}`,
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
      RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT: "1s",
      RESTATE_DISABLE_TELEMETRY: "true",
    },
  });
  const ended = new Promise((ended) => server.once("exit", ended));
  // Whoever ends us, ends it.
  process.once("exit", () => server.kill("SIGKILL"));
  const query = async (condition) => {
    const query = `select count(*) as n from sys_invocation where ${condition}`;
    return JSON.parse(await post(admin, "query", { query })).rows[0].n;
  };
  try {
    await until(() => post(admin, "deployments", { uri: `http://127.0.0.1:${port}` }).then(() => true, () => false), 100);
    return await measure({
      folder,
      call: (path, body) => post(ingress, path, body),
      count: query,
      stop() {
        server.kill("SIGTERM");
        return ended;
      },
      async check(expected) {
        await until(async () => (await query("status = 'completed' and completion_result = 'success'")) === expected, 100);
      },
    });
  } finally {
    server.kill("SIGKILL");
    worker.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true });
    rmSync(`${folder}.log`);
  }
}

function program() {
  const of = createRequire(createRequire(import.meta.url).resolve("@restatedev/restate-server/package.json"));
  return of.resolve(`@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`);
}

function post(port, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", accept: "application/json" };
    const sent = request({ host: "127.0.0.1", port, path: `/${path}`, method: "POST", headers, agent }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        const text = Buffer.concat(parts).toString();
        if (answer.statusCode < 300) resolve(text);
        else reject(new Error(`/${path} was answered with ${answer.statusCode}: ${text}`));
      });
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(body));
  });
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/// Of its files. While it runs they are reserved in advance, and most is in memory.
function size(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
