// proxy/server.ts as a process of its own, under Deno and, bundled, under Node.

import { deepEqual, equal } from "node:assert/strict";
import { request } from "node:http";
import { inWorld, told, type World } from "../../tests/functions/project.ts";

const here = new URL("..", import.meta.url).pathname;

interface Serving {
  url: string;
  stop(): Promise<number>;
}

async function serve(world: World, program: string, args: string[]): Promise<Serving> {
  const process = new Deno.Command(program, {
    args,
    env: { ...world.env, PORT: "0", ALLOWED_ORIGINS: "https://crm.example" },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const line = (await reader.read()).value ?? "{}";
  const { port } = JSON.parse(line);
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      process.kill("SIGTERM");
      await reader.cancel();
      return (await process.status).code;
    },
  };
}

async function bundled(): Promise<string> {
  const output = await Deno.makeTempFile({ suffix: ".mjs" });
  const config = `${here}../supabase/functions/deno.json`;
  const args = ["bundle", "--quiet", "--config", config, "--output", output, `${here}server.ts`];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  equal(success, true, new TextDecoder().decode(stderr));
  return output;
}

/** fetch sends no TRACE; others do. */
function traced(url: string, headers: Record<string, string>): Promise<[number | undefined, string | undefined]> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method: "TRACE", headers }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve([answer.statusCode, answer.headers.allow]));
    });
    asking.on("error", reject).end();
  });
}

async function behavesAsTheFunctionDoes(world: World, server: Serving): Promise<void> {
  const headers = { Authorization: `Bearer ${await world.token()}`, "Content-Type": "application/json" };
  const get = (path: string, more: object = {}) => fetch(server.url + path, { headers: { ...headers, ...more } });
  deepEqual(await (await get("/health")).json(), { live: true });
  deepEqual(await (await get("/api/groups")).json(), { ok: true });
  const sent = await fetch(`${server.url}/api/send`, { method: "POST", headers, body: '{"text": "hello"}' });
  deepEqual([sent.status, await sent.json()], [200, { ok: true }]);
  deepEqual(world.heard, ["GET /api/groups", "POST /api/send"]);
  deepEqual(await told(await get("/metrics")), [404, "no-such-route"]);
  deepEqual(await told(await fetch(`${server.url}/api/groups`)), [401, "token-missing"]);
  deepEqual(await told(await get("/api/groups", { Origin: "https://evil.example" })), [403, "origin-not-allowed"]);
  deepEqual(await traced(`${server.url}/api/send`, headers), [405, "POST"]);
  const large = { method: "POST", headers, body: `"${"x".repeat(2 ** 20)}"` };
  deepEqual(await told(await fetch(`${server.url}/api/send`, large)), [413, "too-large"]);
  world.vps = () => new Response("<h1>nginx</h1>", { headers: { "Content-Type": "text/html" } });
  deepEqual(await told(await get("/api/groups")), [502, "vps-bad-answer"]);
}

inWorld("the stand-alone proxy under Deno behaves as the function does", async (world) => {
  const config = `${here}../supabase/functions/deno.json`;
  const args = ["run", "--quiet", "--config", config, "--allow-net", "--allow-env", `${here}server.ts`];
  const server = await serve(world, Deno.execPath(), args);
  await behavesAsTheFunctionDoes(world, server).finally(server.stop);
});

inWorld("the stand-alone proxy under Node behaves as the function does, and ends in order", async (world) => {
  const file = await bundled();
  const server = await serve(world, "node", [file]);
  let code = -1;
  try {
    await behavesAsTheFunctionDoes(world, server);
  } finally {
    code = await server.stop();
    await Deno.remove(file);
  }
  equal(code, 0);
});
