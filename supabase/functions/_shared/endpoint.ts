// The frame around every handler: a request id, CORS by an allow-list, problems as answers, one log line per failure.

import type { Environment } from "./environment.ts";
import { Problem } from "./problem.ts";

export interface Call {
  request: Request;
  env: Environment;
  requestId: string;
}

export type Handler = (request: Request, env: Environment) => Promise<Response>;

/** What a browser may send. supabase-js adds the last ones; the proxy passes on only what the worker needs. */
const ALLOWED_HEADERS = "authorization, apikey, content-type, idempotency-key, x-org-id, " +
  "x-client-info, x-region, x-retry-count, x-supabase-api-version";
const EXPOSED_HEADERS = "retry-after, x-request-id";
const PREFLIGHT_SECONDS = "600";

/** A handler for `answer`. Pages of the origins in ALLOWED_ORIGINS (separated by commas) may call it, others may not. */
export function endpoint(methods: readonly string[], answer: (call: Call) => Promise<Response>): Handler {
  return async (request, env) => {
    const requestId = crypto.randomUUID();
    const origin = request.headers.get("Origin");
    const allowed = origin === null || allowedOrigins(env).includes(origin);
    let response: Response;
    if (!allowed) {
      response = new Problem(403, "origin-not-allowed", "Pages of this origin may not call this.", {
        hint: "The operator adds the CRM's origin to ALLOWED_ORIGINS.",
      }).response(requestId);
    } else if (request.method === "OPTIONS") {
      response = new Response(null, { status: 204, headers: preflight(methods) });
    } else {
      response = await answered({ request, env, requestId }, answer);
    }
    if (origin !== null && allowed) {
      response.headers.set("Access-Control-Allow-Origin", origin);
      response.headers.set("Access-Control-Expose-Headers", EXPOSED_HEADERS);
    }
    response.headers.append("Vary", "Origin");
    response.headers.set("X-Request-Id", requestId);
    return response;
  };
}

function allowedOrigins(env: Environment): string[] {
  return (env["ALLOWED_ORIGINS"] ?? "").split(",").map((origin) => origin.trim().replace(/\/$/, "")).filter(
    Boolean,
  );
}

function preflight(methods: readonly string[]): Record<string, string> {
  return {
    "Access-Control-Allow-Methods": methods.join(", "),
    "Access-Control-Allow-Headers": ALLOWED_HEADERS,
    "Access-Control-Max-Age": PREFLIGHT_SECONDS,
  };
}

async function answered(call: Call, answer: (call: Call) => Promise<Response>): Promise<Response> {
  try {
    return await answer(call);
  } catch (error) {
    const problem = error instanceof Problem
      ? error
      : new Problem(500, "internal", "Something went wrong in Herald.", {
        hint: "Try again. If it happens again, give the operator the request_id.",
      });
    if (problem.status >= 500) {
      logFailure(call, problem, error);
    }
    return problem.response(call.requestId);
  }
}

/** One JSON line without the error's own message, which may hold an address or a key. */
function logFailure(call: Call, problem: Problem, error: unknown): void {
  const kind = error instanceof Problem ? undefined : error instanceof Error ? error.name : typeof error;
  const line = { event: "failed", request_id: call.requestId, status: problem.status, code: problem.code, kind };
  // deno-lint-ignore no-console
  console.error(JSON.stringify(line));
}

/** For an endpoint that only takes POST. Throws a Problem (405) for another method. */
export function expectPost(request: Request): void {
  if (request.method !== "POST") {
    throw new Problem(405, "method-not-allowed", "Use POST for this call.", { headers: { Allow: "POST" } });
  }
}

/** The JSON answer of a handler. */
export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/json", "Cache-Control": "no-store" },
  });
}
