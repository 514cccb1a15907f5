// What pg_cron's calls do, with a database and a worker that answer what a test says.

import { deepEqual, equal, notEqual } from "node:assert/strict";
import type { Handler } from "../../supabase/functions/_shared/endpoint.ts";
import { processQueue } from "../../supabase/functions/_shared/process_queue.ts";
import { sessionCleanup } from "../../supabase/functions/_shared/session_cleanup.ts";
import { inWorld, told, type World } from "./project.ts";

const SECRET = "a secret of forty characters, more or less";

interface Heard {
  function: string;
  arguments: unknown;
  apikey: string | null;
}

/** A database in which so many accounts are overdue; what it is asked. */
function database(world: World, accounts: number): Heard[] {
  const heard: Heard[] = [];
  world.env["CRON_SECRET"] = SECRET;
  world.database = async (request) => {
    const name = new URL(request.url).pathname.split("/").pop() ?? "";
    heard.push({ function: name, arguments: await request.json(), apikey: request.headers.get("apikey") });
    switch (name) {
      case "whatsapp_fallback_due":
        return Response.json({ accounts, due_since: accounts ? "2026-11-28T10:00:00Z" : null });
      case "whatsapp_fallback_report":
        return new Response(null, { status: 204 });
    }
    return Response.json({ done: name });
  };
  return heard;
}

function call(handler: Handler, world: World, secret: string | null = SECRET, method = "POST"): Promise<Response> {
  const headers: Record<string, string> = secret === null ? {} : { "X-Cron-Secret": secret };
  return handler(new Request("http://edge/process-whatsapp-queue", { method, headers }), world.env);
}

inWorld("a worker is woken when messages wait in vain, and that is reported", async (world) => {
  const heard = database(world, 2);
  let key: string | null = null;
  world.vps = (request) => {
    key = request.headers.get("X-API-Key");
    return Response.json({ ok: true });
  };
  const answer = await call(processQueue, world);
  deepEqual([answer.status, await answer.json()], [
    200,
    { accounts: 2, due_since: "2026-11-28T10:00:00Z", woken: true },
  ]);
  deepEqual([world.heard, key], [["POST /api/queue/drain"], "the worker's key"]);
  deepEqual(heard.map(({ function: name, arguments: args }) => [name, args]), [
    ["whatsapp_fallback_due", {}],
    ["whatsapp_fallback_report", { p_problem: null }],
  ]);
  equal(heard[0]?.apikey, "sb_secret_1");
});

inWorld("no worker is woken when nothing is overdue", async (world) => {
  database(world, 0);
  deepEqual(await (await call(processQueue, world)).json(), { accounts: 0, due_since: null, woken: false });
  deepEqual(world.heard, []);
});

for (
  const [what, vps, expected] of [
    ["is away", () => new Response("<h1>502</h1>", { status: 502 }), [502, "vps-unreachable"]],
    ["is another server", () => new Response("<h1>Welcome</h1>"), [502, "vps-bad-answer"]],
    ["refuses the key", () => Response.json({ code: "key-wrong" }, { status: 401 }), [502, "vps-refused-key"]],
    ["refuses the call", () => Response.json({ code: "not-allowed" }, { status: 403 }), [502, "vps-refused"]],
  ] as const
) {
  inWorld(`that the worker ${what} is reported and answered`, async (world) => {
    const heard = database(world, 1);
    world.vps = vps;
    deepEqual(await told(await call(processQueue, world)), expected);
    deepEqual(heard[1], {
      function: "whatsapp_fallback_report",
      arguments: { p_problem: expected[1] },
      apikey: "sb_secret_1",
    });
  });
}

inWorld("a worker that the operator has not named is reported", async (world) => {
  const heard = database(world, 1);
  delete world.env["VPS_URL"];
  deepEqual(await told(await call(processQueue, world)), [503, "not-configured"]);
  deepEqual(heard[1]?.arguments, { p_problem: "not-configured" });
});

for (
  const [name, handler] of [["process-whatsapp-queue", processQueue], ["session-cleanup", sessionCleanup]] as const
) {
  inWorld(`${name} does nothing for whoever does not know the secret`, async (world) => {
    const heard = database(world, 1);
    for (const secret of [null, "", "wrong", SECRET.slice(0, -1), `${SECRET}x`, SECRET.toUpperCase()]) {
      deepEqual(await told(await call(handler, world, secret)), [401, "cron-secret-wrong"]);
    }
    deepEqual([heard, world.heard], [[], []]);
    for (const weak of [undefined, "", "short"]) {
      world.env = { ...world.env, CRON_SECRET: weak ?? "" };
      deepEqual(await told(await call(handler, world, weak ?? "")), [503, "not-configured"]);
    }
    deepEqual(heard, []);
  });

  inWorld(`${name} is called by POST`, async (world) => {
    database(world, 0);
    const answer = await call(handler, world, SECRET, "GET");
    deepEqual([answer.status, answer.headers.get("Allow")], [405, "POST"]);
  });

  inWorld(`${name} says when the database is away`, async (world) => {
    database(world, 0);
    world.database = () => new Response("upstream", { status: 502 });
    deepEqual(await told(await call(handler, world)), [503, "database-away"]);
  });
}

inWorld("the cleanup's function relays what the database did", async (world) => {
  const heard = database(world, 0);
  const answer = await call(sessionCleanup, world);
  deepEqual(await answer.json(), {
    sessions: { done: "whatsapp_session_cleanup" },
    housekeeping: { done: "whatsapp_housekeeping" },
  });
  equal(heard.length, 2);
});

inWorld("a key of the older kind is sent as the bearer too", async (world) => {
  database(world, 0);
  delete world.env["SUPABASE_SECRET_KEYS"];
  world.env["SUPABASE_SERVICE_ROLE_KEY"] = "ey.legacy.jwt";
  const answer = world.database;
  let bearer: string | null = null;
  world.database = (request) => {
    bearer = request.headers.get("Authorization");
    return answer(request);
  };
  notEqual((await call(processQueue, world)).status, 500);
  equal(bearer, "Bearer ey.legacy.jwt");
});
