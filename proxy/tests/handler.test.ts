// The proxy's handler against servers that fail as a project on a laptop does not.

import { deepEqual, equal, match } from "node:assert/strict";
import { proxy } from "../../supabase/functions/_shared/proxy/handler.ts";
import { routeOf } from "../../supabase/functions/_shared/proxy/match.ts";
import { ROUTES } from "../../supabase/functions/_shared/proxy/routes.ts";
import { inWorld, ORGANIZATION, told, type World } from "../../tests/functions/project.ts";

async function call(world: World, path = "/api/groups", options: RequestInit = {}): Promise<Response> {
  const headers = { Authorization: `Bearer ${await world.token()}`, ...options.headers };
  return proxy(new Request(`http://edge/proxy-whatsapp-vps${path}`, { ...options, headers }), world.env);
}

inWorld("tokens under the project's published keys are taken, elliptic and RSA", async (world) => {
  for (const algorithm of ["ES256", "RS256"] as const) {
    const headers = { Authorization: `Bearer ${await world.token({}, algorithm)}` };
    equal((await call(world, "/api/groups", { headers })).status, 200);
  }
});

inWorld("a project that still signs with its legacy key is told so, not its people", async (world) => {
  const hs256 = await world.token({}, "HS256");
  const headers = { Authorization: `Bearer ${hs256}` };
  const elsewhere = await (await call(world, "/api/groups", { headers })).json();
  deepEqual([elsewhere.code, elsewhere.hint], ["token-invalid", "Sign in again."]); // this project has better keys
  world.keys = () => Response.json({ keys: [] });
  const legacy = { ...world, env: { ...world.env, SUPABASE_URL: `${world.env["SUPABASE_URL"]}/legacy` } };
  const response = await call(legacy, "/api/groups", { headers });
  const { code, detail, hint } = await response.json();
  deepEqual([response.status, code], [401, "token-invalid"]);
  match(detail, /signs with a legacy key/);
  match(hint, /ES256/);
  deepEqual(world.heard, []);
});

inWorld("keys that can't be fetched are not the token's fault", async (world) => {
  world.keys = () => new Response("away", { status: 500 });
  deepEqual(await told(await call(world)), [503, "auth-away"]);
  world.keys = () => new Response("<h1>no keys here</h1>");
  deepEqual(await told(await call(world)), [503, "auth-away"]);
});

inWorld("a token that the database no longer takes is refused", async (world) => {
  world.database = () => Response.json({ code: "PGRST303", message: "JWT expired" }, { status: 401 });
  deepEqual(await told(await call(world)), [401, "token-invalid"]);
});

inWorld("nobody goes on while the database can't say who they are", async (world) => {
  world.database = () => new Response("upstream", { status: 503 });
  deepEqual(await told(await call(world)), [503, "database-away"]);
  world.database = () => Response.json({ code: "PGRST202", message: "no function" }, { status: 404 });
  deepEqual(await told(await call(world)), [503, "database-not-ready"]);
  world.database = () => new Response('{"super_admin": tru');
  deepEqual(await told(await call(world)), [503, "database-away"]);
  deepEqual(world.heard, []);
});

inWorld("an organisation's id that is none is told so", async (world) => {
  const headers = { "X-Org-Id": "1 or true" };
  deepEqual(await told(await call(world, "/api/groups", { headers })), [400, "bad-request"]);
  equal((await call(world, "/api/groups", { headers: { "X-Org-Id": ORGANIZATION.toUpperCase() } })).status, 200);
});

inWorld("a call that waits for an outcome is given that time", async (world) => {
  world.env["VPS_TIMEOUT_SECONDS"] = "0.2";
  world.vps = async () => {
    await new Promise((done) => setTimeout(done, 500));
    return Response.json({ ok: true });
  };
  const send = { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } };
  deepEqual(await told(await call(world, "/api/send", send)), [504, "vps-timeout"]);
  equal((await call(world, "/api/send?wait=5", send)).status, 200);
});

inWorld("the QR code may come as a picture, other answers not", async (world) => {
  const picture = new Uint8Array([0x89, 0x50, 0x4e, 0x47]);
  world.vps = () => new Response(picture, { headers: { "Content-Type": "image/png" } });
  const qr = await call(world, "/api/auth/qr");
  deepEqual([qr.status, qr.headers.get("Content-Type")], [200, "image/png"]);
  deepEqual(new Uint8Array(await qr.arrayBuffer()), picture);
  equal(qr.headers.get("Cache-Control"), "no-store");
  deepEqual(await told(await call(world, "/api/groups")), [502, "vps-bad-answer"]);
});

inWorld("an answer without a body is handed back as one", async (world) => {
  world.vps = () => new Response(null, { status: 204 });
  equal((await call(world)).status, 204);
});

inWorld("the address may have a path of its own before the API's", async (world) => {
  world.env["VPS_URL"] += "/herald/";
  equal((await call(world)).status, 200);
  deepEqual(world.heard, ["GET /herald/api/groups"]);
});

Deno.test("a path is written anew from its parts", () => {
  equal(routeOf("/api/groups/1203@g.us/invite")?.path, "/api/groups/1203%40g.us/invite");
  for (const odd of ["/api/groups/..", "/api/groups/.", "/api/groups/", "/api/groups/a b", "/API/groups", ""]) {
    equal(routeOf(odd), undefined, odd);
  }
});

Deno.test("what the operator and machines call is in no route", () => {
  const paths = ROUTES.map(({ path }) => path);
  for (const closed of ["/api/queue/drain", "/metrics", "/health", "/api/events"]) {
    equal(paths.includes(closed), false, closed);
  }
});
