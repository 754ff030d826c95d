// Sees when workflows end as somebody outside does: by looking, every quarter of a millisecond, over a connection and
// on a thread of its own. It is how Trunkline's latencies are measured, too.
import { isMainThread, parentPort, receiveMessageOnPort, Worker, workerData } from "node:worker_threads";
import { connect } from "./database.js";

const PAUSE = 0.25;
const LIMIT = 30_000_000_000n;

export class Watcher {
  /// `ended` selects those of the ids in `$1` that have ended.
  constructor(ended) {
    this.thread = new Worker(new URL(import.meta.url), { workerData: { watch: ended } });
    this.finished = new Promise((resolve, reject) => {
      this.thread.once("message", resolve);
      this.thread.once("error", reject);
    });
  }

  tell(id, called, counts) {
    this.thread.postMessage({ id: String(id), called, counts });
  }

  /// Milliseconds from call to end, once all that it was told of have ended.
  async finish() {
    this.thread.postMessage({ last: true });
    return await this.finished;
  }
}

async function watch(ended) {
  const client = await connect();
  const query = (ids) => client.query({ name: "ended", text: ended, values: [ids], rowMode: "array" });
  const quiet = new Int32Array(new SharedArrayBuffer(4));
  const open = new Map();
  const latencies = [];
  let last = false;
  while (!last || open.size > 0) {
    for (let told; (told = receiveMessageOnPort(parentPort)?.message); ) {
      if (told.last) last = true;
      else open.set(told.id, told);
    }
    if (open.size > 0) {
      const { rows } = await query([...open.keys()]);
      const seen = process.hrtime.bigint();
      for (const [id] of rows) {
        const { called, counts } = open.get(String(id));
        open.delete(String(id));
        if (counts) latencies.push(Number(seen - called) / 1e6);
      }
      for (const { id, called } of open.values()) {
        if (seen - called > LIMIT) throw new Error(`${id} does not end`);
      }
    }
    Atomics.wait(quiet, 0, 0, PAUSE);
  }
  parentPort.postMessage(latencies);
  await client.end();
}

if (!isMainThread && workerData?.watch) await watch(workerData.watch);
