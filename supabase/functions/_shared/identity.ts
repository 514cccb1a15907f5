// Who the user is: their Supabase JWT, verified against the project's published keys.

import { createRemoteJWKSet, errors, jwtVerify } from "npm:jose@6.2.18";
import { type Environment, supabaseUrl } from "./environment.ts";
import { Problem } from "./problem.ts";

export interface User {
  id: string;
  token: string;
}

const JWKS_TIMEOUT = 5_000; // milliseconds
/** Asymmetric keys only: a shared secret would let whoever verifies also sign. */
const ALGORITHMS = ["ES256", "RS256"];

/** One key set a project, so that keys are fetched once in ten minutes and at most every half minute. */
const keySets = new Map<string, ReturnType<typeof createRemoteJWKSet>>();

/** The user who signed in. Throws a Problem: 401 if the token is none of ours, 503 if the keys can't be had. */
export async function signedIn(request: Request, env: Environment): Promise<User> {
  const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.headers.get("Authorization") ?? "")?.[1];
  if (!token) {
    throw unauthorized("token-missing", "This call needs the JWT of a signed-in user.");
  }
  const project = supabaseUrl(env);
  try {
    const { payload } = await jwtVerify(token, keySet(`${project}/auth/v1/.well-known/jwks.json`), {
      algorithms: ALGORITHMS,
      audience: "authenticated",
      issuer: env["JWT_ISSUER"] || `${project}/auth/v1`,
      requiredClaims: ["exp", "sub", "role"],
    });
    if (payload["role"] !== "authenticated") {
      throw unauthorized("token-invalid", "This token is not that of a person.");
    }
    return { id: String(payload.sub), token };
  } catch (error) {
    throw refusal(error);
  }
}

function keySet(url: string): ReturnType<typeof createRemoteJWKSet> {
  const known = keySets.get(url) ??
    createRemoteJWKSet(new URL(url), { timeoutDuration: JWKS_TIMEOUT, cacheMaxAge: 600_000 });
  keySets.set(url, known);
  return known;
}

/** Everything that is wrong with a token is 401; that its keys could not be had is nobody's token's fault. */
function refusal(error: unknown): Problem {
  if (error instanceof Problem) {
    return error;
  }
  if (error instanceof errors.JWTExpired) {
    return unauthorized("token-expired", "The session has expired.");
  }
  const keysAway = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid ||
    !(error instanceof errors.JOSEError) || error.code === "ERR_JOSE_GENERIC";
  if (keysAway) {
    return new Problem(503, "auth-away", "Supabase Auth's keys can't be fetched at the moment.", {
      hint: "Try again in a moment.",
      headers: { "Retry-After": "5" },
    });
  }
  return unauthorized("token-invalid", "This token is not a valid one of this project.");
}

function unauthorized(code: string, detail: string): Problem {
  return new Problem(401, code, detail, { hint: "Sign in again.", headers: { "WWW-Authenticate": "Bearer" } });
}
