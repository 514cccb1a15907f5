// Calls the database's functions over PostgREST, as a user or as Herald itself.

import { readAll } from "./body.ts";
import { type Environment, publishableKey, secretKey, supabaseUrl } from "./environment.ts";
import type { User } from "./identity.ts";
import { Problem } from "./problem.ts";

const TIMEOUT = 10_000; // milliseconds; a user's own statements end after 8 s
const LARGEST_ANSWER = 4 * 2 ** 20; // bytes

/** What PostgREST says of an error. */
export interface Refusal {
  status: number;
  code: string;
  message: string;
  hint?: string;
}

export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.code);
  }
}

/**
 * Call a function of schema public with the user's own rights. Throws Refused, or a Problem (503). requestId: what the
 * audit records if the call changes anything.
 */
export function callAs(
  user: User,
  env: Environment,
  name: string,
  args: object = {},
  requestId?: string,
): Promise<unknown> {
  const traced: Record<string, string> = requestId ? { "X-Request-Id": requestId } : {};
  return call(env, name, args, { ...traced, apikey: publishableKey(env), Authorization: `Bearer ${user.token}` });
}

/** Call a function of schema public that is Herald's own. Throws Refused, or a Problem (503). */
export function callAsHerald(env: Environment, name: string, args: object = {}): Promise<unknown> {
  const key = secretKey(env);
  // A legacy key is a JWT, which PostgREST needs as the bearer token too.
  const bearer: Record<string, string> = key.startsWith("sb_") ? {} : { Authorization: `Bearer ${key}` };
  return call(env, name, args, { apikey: key, ...bearer });
}

async function call(env: Environment, name: string, args: object, who: Record<string, string>): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${supabaseUrl(env)}/rest/v1/rpc/${name}`, {
      method: "POST",
      headers: { ...who, "Content-Type": "application/json" },
      body: JSON.stringify(args),
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT),
    });
    text = new TextDecoder().decode(await readAll(response.body, LARGEST_ANSWER));
  } catch (error) {
    if (error instanceof Problem) {
      throw error;
    }
    throw databaseAway();
  }
  const answer = parsed(text);
  if (response.ok && answer !== undefined) {
    return answer;
  }
  const { code, message, hint } = (answer ?? {}) as Partial<Refusal>;
  // 57014: the statement took too long, which counts as no answer.
  if (response.status >= 500 || typeof message !== "string" || code === "57014") {
    throw databaseAway();
  }
  throw new Refused({ status: response.status, code: code ?? "", message, hint: hint ?? undefined });
}

function parsed(text: string): unknown {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function databaseAway(): Problem {
  return new Problem(503, "database-away", "The database can't be reached at the moment.", {
    hint: "Try again in a moment.",
    headers: { "Retry-After": "5" },
  });
}
