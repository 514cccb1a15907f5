// Passes the CRM's calls on to the worker's API. Secrets: VPS_URL, VPS_API_KEY, ALLOWED_ORIGINS.

import { proxy } from "../_shared/proxy/handler.ts";

export default { fetch: (request: Request) => proxy(request, Deno.env.toObject()) };
