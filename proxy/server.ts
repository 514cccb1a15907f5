// The proxy as a server of its own, for Node and Deno: the same handler as the edge function, on node:http.
// Settings: HOST, PORT, those of docs/functions.md, SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import process from "node:process";
import { Readable } from "node:stream";
import type { ReadableStream as NodeStream } from "node:stream/web";
import { proxy } from "../supabase/functions/_shared/proxy/handler.ts";

const SLOWEST_REQUEST = 30_000; // milliseconds until a request's head and body must have come
const DRAIN = 10_000; // milliseconds that calls under way may still take after SIGTERM

/** Methods that `Request` does not allow. Under another name, the handler refuses them like any unknown method. */
const INEXPRESSIBLE = ["TRACE", "TRACK", "CONNECT"];

function toRequest(incoming: IncomingMessage): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    headers.set(name, Array.isArray(value) ? value.join(", ") : value ?? "");
  }
  const asked = incoming.method ?? "GET";
  const method = INEXPRESSIBLE.includes(asked) ? `X-${asked}` : asked;
  const bodyless = method === "GET" || method === "HEAD";
  const body = bodyless ? null : Readable.toWeb(incoming) as NodeStream as ReadableStream<Uint8Array>;
  // The handler ignores the host; a fixed one keeps an odd Host header out of the URL.
  const options: RequestInit & { duplex: "half" } = { method, headers, body, duplex: "half" };
  return new Request(new URL(incoming.url ?? "/", "http://proxy"), options);
}

async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  let response: Response;
  try {
    response = incoming.url === "/health" && incoming.method === "GET"
      ? Response.json({ live: true })
      : await proxy(toRequest(incoming), process.env);
  } catch {
    response = new Response(null, { status: 400 }); // not a request that the web's types can express
  }
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(new Uint8Array(await response.arrayBuffer()));
}

const server = createServer({ requestTimeout: SLOWEST_REQUEST, headersTimeout: SLOWEST_REQUEST }, answer);
server.listen(Number(process.env["PORT"] ?? 8788), process.env["HOST"] ?? "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : "";
  process.stdout.write(JSON.stringify({ event: "proxy_listening", port }) + "\n");
});
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), DRAIN).unref();
  });
}
