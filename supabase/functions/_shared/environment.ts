// The operator's settings. Handlers get the environment as an argument, so that they run under Deno and Node.

import { Problem } from "./problem.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** A required setting. Throws a Problem (503) that names the setting, never its value. */
export function required(env: Environment, name: string): string {
  const value = env[name]?.trim();
  if (!value) {
    throw notConfigured(`${name} is not set.`);
  }
  return value;
}

export function notConfigured(detail: string): Problem {
  return new Problem(503, "not-configured", detail, {
    hint: "The operator sets it as a secret of the edge functions: `supabase secrets set NAME=value`.",
  });
}

/** The project's address without a slash at its end. */
export function supabaseUrl(env: Environment): string {
  return required(env, "SUPABASE_URL").replace(/\/+$/, "");
}

/** The project's public API key. The platform sets a dictionary of keys; older projects have one key. */
export function publishableKey(env: Environment): string {
  return keyOf(env, "SUPABASE_PUBLISHABLE_KEYS", ["SUPABASE_PUBLISHABLE_KEY", "SUPABASE_ANON_KEY"]);
}

/** The project's secret key, which bypasses row level security. */
export function secretKey(env: Environment): string {
  return keyOf(env, "SUPABASE_SECRET_KEYS", ["SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY"]);
}

function keyOf(env: Environment, dictionary: string, single: string[]): string {
  const several = env[dictionary];
  if (several) {
    const keys = parsed(several);
    const key = keys["default"] ?? Object.values(keys)[0];
    if (typeof key === "string") {
      return key;
    }
  }
  const name = single.find((candidate) => env[candidate]);
  return required(env, name ?? dictionary);
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
