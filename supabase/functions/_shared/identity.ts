// Who the user is: their Supabase JWT, verified against the project's published keys.

import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from "npm:jose@6.2.18";
import { type Environment, supabaseUrl } from "./environment.ts";
import { Problem } from "./problem.ts";

export interface User {
  id: string;
  token: string;
}

type KeySet = ReturnType<typeof createRemoteJWKSet>;

const JWKS_TIMEOUT = 5_000; // milliseconds
const KEYS_KEPT = 600_000; // milliseconds until keys are fetched again
/** Asymmetric only: with a shared secret, whoever verifies could also sign. */
const ALGORITHMS = ["ES256", "RS256"];

/** One key set per project, so that keys are fetched once in ten minutes, and at most every half minute. */
const keySets = new Map<string, KeySet>();

/** The signed-in user. Throws a Problem: 401 if the token is not valid here, 503 if the keys can't be fetched. */
export async function signedIn(request: Request, env: Environment): Promise<User> {
  const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.headers.get("Authorization") ?? "")?.[1];
  if (!token) {
    throw unauthorized("token-missing", "This call needs the JWT of a signed-in user.");
  }
  const project = supabaseUrl(env);
  const keys = keySet(`${project}/auth/v1/.well-known/jwks.json`);
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      audience: "authenticated",
      issuer: env["JWT_ISSUER"] || `${project}/auth/v1`,
      requiredClaims: ["exp", "sub", "role"],
    });
    if (payload["role"] !== "authenticated") {
      throw unauthorized("token-invalid", "This token does not belong to a person.");
    }
    return { id: String(payload.sub), token };
  } catch (error) {
    throw refusal(await legacyKey(token, keys, error) ?? error);
  }
}

function keySet(url: string): KeySet {
  const known = keySets.get(url) ??
    createRemoteJWKSet(new URL(url), { timeoutDuration: JWKS_TIMEOUT, cacheMaxAge: KEYS_KEPT });
  keySets.set(url, known);
  return known;
}

/** Whether the token was refused because the whole project still signs with a shared secret. */
async function legacyKey(token: string, keys: KeySet, refused: unknown): Promise<unknown> {
  if (!(refused instanceof errors.JOSEAlgNotAllowed) || decodeProtectedHeader(token).alg !== "HS256") {
    return undefined;
  }
  try {
    if (!keys.fresh) {
      await keys.reload();
    }
  } catch (error) {
    return error;
  }
  if (keys.jwks()?.keys.some(({ kty }) => kty === "EC" || kty === "RSA")) {
    return undefined;
  }
  return unauthorized(
    "token-invalid",
    "This project signs with a legacy key: its tokens can't be verified here.",
    {
      hint: "The operator changes to ES256 in the Supabase dashboard: Settings, JWT keys: migrate, then rotate.",
    },
  );
}

/** A token that is not valid is a 401; keys that can't be fetched are not the token's fault. */
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
    return new Problem(503, "auth-away", "Supabase Auth's signing keys can't be fetched at the moment.", {
      hint: "Try again in a moment.",
      headers: { "Retry-After": "5" },
    });
  }
  return unauthorized("token-invalid", "This token is not valid in this project.");
}

function unauthorized(code: string, detail: string, { hint = "Sign in again." } = {}): Problem {
  return new Problem(401, code, detail, { hint, headers: { "WWW-Authenticate": "Bearer" } });
}
