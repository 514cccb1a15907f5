// pg_cron calls this when due messages are not being claimed. Secrets: CRON_SECRET, VPS_URL, VPS_API_KEY.

import { processQueue } from "../_shared/process_queue.ts";

export default { fetch: (request: Request) => processQueue(request, Deno.env.toObject()) };
