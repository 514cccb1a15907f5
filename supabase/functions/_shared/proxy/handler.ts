// Passes a signed-in person's call on to the worker: listed routes only, with the API key that no browser sees.

import { readJson } from "../body.ts";
import { type Call, endpoint } from "../endpoint.ts";
import { signedIn } from "../identity.ts";
import { Problem } from "../problem.ts";
import { callVps, type VpsAnswer } from "../vps.ts";
import { mayAct } from "./access.ts";
import { type Match, routeOf } from "./match.ts";
import { type Method, METHODS, type Role } from "./routes.ts";

const LARGEST_BODY = 2 ** 20; // bytes
const LONGEST_QUERY = 4096; // characters
const LONGEST_WAIT = 60; // seconds that ?wait= adds to the patience

/** The caller's headers that are passed on. All others are dropped: hop-by-hop, X-Forwarded-*, cookies, keys. */
const PASSED_ON = ["Accept", "Content-Type", "Idempotency-Key"];

/** What comes before the worker's path in a URL: on a hosted project, the function's name. */
const MOUNT = /^(\/functions\/v1)?\/proxy-whatsapp-vps(?=\/)/;

export const proxy = endpoint(METHODS, async ({ request, env, requestId }: Call) => {
  const user = await signedIn(request, env);
  const url = new URL(request.url);
  const { path, role, alsoAnswers } = listed(url.pathname.replace(MOUNT, ""), request.method);
  if (url.search.length > LONGEST_QUERY) {
    throw new Problem(400, "query-too-long", `The query is longer than ${LONGEST_QUERY} characters.`);
  }
  const organization = request.headers.get("X-Org-Id");
  await mayAct(user, role, organization, env);
  const body = request.method === "GET" ? "" : (await readJson(request, LARGEST_BODY)).text;
  const headers: Record<string, string> = { Authorization: `Bearer ${user.token}`, "X-Request-Id": requestId };
  for (const name of PASSED_ON) {
    const value = request.headers.get(name);
    if (value !== null) {
      headers[name] = value;
    }
  }
  if (organization !== null) {
    headers["X-Org-Id"] = organization;
  }
  const answer = await callVps(env, {
    method: request.method,
    path: path + url.search,
    headers,
    body: body || undefined,
    extraSeconds: Math.min(Math.max(Number(url.searchParams.get("wait")) || 0, 0), LONGEST_WAIT),
    alsoAccepts: alsoAnswers,
  });
  return handedBack(answer);
});

function listed(pathname: string, method: string): Match & { role: Role } {
  const route: Match | undefined = routeOf(pathname);
  if (!route) {
    throw new Problem(404, "no-such-route", "There is no such call.", {
      hint: "docs/functions.md lists the calls.",
    });
  }
  const role = route.methods[method as Method];
  if (!role) {
    throw new Problem(405, "method-not-allowed", `This call has no ${method}.`, {
      headers: { Allow: Object.keys(route.methods).join(", ") },
    });
  }
  return { ...route, role };
}

/** The worker's answer with the headers that a client needs; Location, Server and cookies are dropped. */
function handedBack(answer: VpsAnswer): Response {
  const headers = new Headers({ "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" });
  if (answer.contentType && answer.body.length > 0) {
    headers.set("Content-Type", answer.contentType);
  }
  if (answer.retryAfter && /^\d{1,6}$/.test(answer.retryAfter)) {
    headers.set("Retry-After", answer.retryAfter);
  }
  const body = answer.body.length > 0 ? answer.body as Uint8Array<ArrayBuffer> : null;
  return new Response(body, { status: answer.status, headers });
}
