// The proxy for an edge runtime that calls fetch(request, env), or for `deno serve`.

import type { Environment } from "../supabase/functions/_shared/environment.ts";
import { proxy } from "../supabase/functions/_shared/proxy/handler.ts";

export default {
  fetch: (request: Request, env?: Environment): Promise<Response> =>
    proxy(request, env && "VPS_URL" in env ? env : Deno.env.toObject()),
};
