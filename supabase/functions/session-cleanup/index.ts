// Removes stale QR codes and old records, for schedulers other than pg_cron. Secret: CRON_SECRET.

import { sessionCleanup } from "../_shared/session_cleanup.ts";

export default { fetch: (request: Request) => sessionCleanup(request, Deno.env.toObject()) };
