// The CRM's "queue these recipients". Secret: ALLOWED_ORIGINS.

import { queueRecipients } from "../_shared/queue_recipients.ts";

export default { fetch: (request: Request) => queueRecipients(request, Deno.env.toObject()) };
