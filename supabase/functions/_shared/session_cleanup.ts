// Has the database clean up sessions and old records, for a scheduler that is not pg_cron.

import { callAsHerald } from "./database.ts";
import { type Call, endpoint, expectPost, json } from "./endpoint.ts";
import { fromScheduler } from "./scheduler.ts";

export const sessionCleanup = endpoint(["POST"], async ({ request, env }: Call) => {
  expectPost(request);
  await fromScheduler(request, env);
  const sessions = await callAsHerald(env, "whatsapp_session_cleanup");
  const housekeeping = await callAsHerald(env, "whatsapp_housekeeping");
  return json({ sessions, housekeeping });
});
