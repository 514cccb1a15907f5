// A project's keys and database functions, and a worker, as real servers on loopback that answer what a test says.

import { exportJWK, generateKeyPair, SignJWT } from "npm:jose@6.2.18";

export type Answer = (request: Request) => Response | Promise<Response>;

export type Algorithm = "ES256" | "RS256" | "HS256";

export interface World {
  env: Record<string, string>;
  /** What the project's Auth, its database and the worker answer. */
  keys: Answer;
  database: Answer;
  vps: Answer;
  /** What the worker heard, method and path. */
  heard: string[];
  token(claims?: Record<string, unknown>, algorithm?: Algorithm): Promise<string>;
}

export const ORGANIZATION = "7b0d9e4e-5a53-4b3e-9c56-0d5d1f3c0001";
export const ADMIN = { super_admin: false, organizations: [{ id: ORGANIZATION, admin: true }] };

const pairs = {
  ES256: await generateKeyPair("ES256"),
  RS256: await generateKeyPair("RS256"),
};
const LEGACY_SECRET = new TextEncoder().encode("a shared secret of thirty-two bytes");
const JWKS = {
  keys: await Promise.all(
    (["ES256", "RS256"] as const).map(async (alg) => ({
      ...await exportJWK(pairs[alg].publicKey),
      alg,
      kid: alg,
    })),
  ),
};

/** Run a test in a world of its own; its servers end with it. */
export function inWorld(name: string, test: (world: World) => Promise<void>): void {
  Deno.test(name, async () => {
    const quiet = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
    const project = Deno.serve(quiet, (request) => {
      const path = new URL(request.url).pathname;
      return path.includes("/auth/") ? world.keys(request) : world.database(request);
    });
    const vps = Deno.serve(quiet, (request) => {
      world.heard.push(`${request.method} ${new URL(request.url).pathname}`);
      return world.vps(request);
    });
    const url = `http://127.0.0.1:${project.addr.port}`;
    const world: World = {
      env: {
        SUPABASE_URL: url,
        SUPABASE_PUBLISHABLE_KEYS: '{"default": "sb_publishable_1"}',
        SUPABASE_SECRET_KEYS: '{"default": "sb_secret_1"}',
        VPS_URL: `http://127.0.0.1:${vps.addr.port}`,
        VPS_API_KEY: "the worker's key",
      },
      keys: () => Response.json(JWKS),
      database: () => Response.json(ADMIN),
      vps: () => Response.json({ ok: true }),
      heard: [],
      token: (claims = {}, algorithm = "ES256") =>
        new SignJWT({ role: "authenticated", ...claims })
          .setProtectedHeader({ alg: algorithm, kid: algorithm })
          .setSubject("5f1c1a52-0000-4000-8000-000000000001")
          .setIssuer(`${url}/auth/v1`)
          .setAudience("authenticated")
          .setExpirationTime("5 minutes")
          .sign(algorithm === "HS256" ? LEGACY_SECRET : pairs[algorithm].privateKey),
    };
    try {
      await test(world);
    } finally {
      await Promise.all([project.shutdown(), vps.shutdown()]);
    }
  });
}

/** The status and, of a problem, the code. */
export async function told(response: Response): Promise<[number, string | undefined]> {
  return [response.status, (await response.json()).code];
}
