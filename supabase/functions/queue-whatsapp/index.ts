// Queues a message for each recipient of a list, for the CRM. Secret: ALLOWED_ORIGINS.

import { queueRecipients } from "../_shared/queue_recipients.ts";

export default { fetch: (request: Request) => queueRecipients(request, Deno.env.toObject()) };
