// pg_cron's call of each minute in which messages wait in vain. Secrets: CRON_SECRET, VPS_URL, VPS_API_KEY.

import { processQueue } from "../_shared/process_queue.ts";

export default { fetch: (request: Request) => processQueue(request, Deno.env.toObject()) };
