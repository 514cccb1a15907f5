// A scheduler proves who it is by CRON_SECRET, which pg_cron reads from the Vault.

import { type Environment, notConfigured, required } from "./environment.ts";
import { Problem } from "./problem.ts";

const SHORTEST_SECRET = 32; // characters

/** Throws a Problem (401, 503) unless X-Cron-Secret is CRON_SECRET. */
export async function fromScheduler(request: Request, env: Environment): Promise<void> {
  const secret = required(env, "CRON_SECRET");
  if (secret.length < SHORTEST_SECRET) {
    throw notConfigured(`CRON_SECRET must have at least ${SHORTEST_SECRET} characters.`);
  }
  if (!await same(request.headers.get("X-Cron-Secret") ?? "", secret)) {
    throw new Problem(401, "cron-secret-wrong", "X-Cron-Secret is not this function's CRON_SECRET.", {
      hint: "Set CRON_SECRET to the Vault's herald_cron_secret.",
    });
  }
}

/** Compares digests in constant time, so that the time reveals neither the secret nor its length. */
async function same(given: string, secret: string): Promise<boolean> {
  const [a, b] = await Promise.all([given, secret].map(digest));
  let difference = 0;
  for (let place = 0; place < a!.length; place++) {
    difference |= a![place]! ^ b![place]!;
  }
  return difference === 0;
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}
