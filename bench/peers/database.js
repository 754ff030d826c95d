// The database of a measurement: DATABASE_URL, as whoever runs us made it.
import pg from "pg";

export const url = process.env.DATABASE_URL;

/// For clients that do not read a socket's folder out of a URL.
export function parts() {
  const { hostname, port, username, pathname } = new URL(url);
  return {
    host: decodeURIComponent(hostname),
    port: Number(port),
    user: decodeURIComponent(username),
    database: decodeURIComponent(pathname.slice(1)),
  };
}

export function pool(max) {
  const pool = new pg.Pool({ connectionString: url, max });
  pool.on("error", (error) => console.error(error));
  return pool;
}

export async function connect() {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

/// The first column of the first row.
export async function ask(client, query, values) {
  const { rows } = await client.query({ text: query, values, rowMode: "array" });
  return rows[0]?.[0];
}
