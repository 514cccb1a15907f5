// Wakes a worker when the database says that due messages are not being claimed, and reports what prevented it.

import { callAsHerald } from "./database.ts";
import { type Call, endpoint, expectPost, json } from "./endpoint.ts";
import { Problem } from "./problem.ts";
import { fromScheduler } from "./scheduler.ts";
import { callVps } from "./vps.ts";

interface Due {
  accounts: number;
  due_since: string | null;
}

export const processQueue = endpoint(["POST"], async ({ request, env, requestId }: Call) => {
  expectPost(request);
  await fromScheduler(request, env);
  const due = await callAsHerald(env, "whatsapp_fallback_due") as Due;
  if (due.accounts === 0) {
    return json({ ...due, woken: false });
  }
  try {
    const headers = { "X-Request-Id": requestId, "Content-Type": "application/json" };
    const answer = await callVps(env, { method: "POST", path: "/api/queue/drain", headers, body: "{}" });
    if (answer.status >= 300) {
      throw new Problem(502, "vps-refused", `The WhatsApp server answered ${answer.status}.`, {
        hint: "The operator sets VPS_API_KEY to a key of the worker's API_KEY that is bound to no organisation.",
      });
    }
  } catch (error) {
    await callAsHerald(env, "whatsapp_fallback_report", {
      p_problem: error instanceof Problem ? error.code : "internal",
    });
    throw error;
  }
  await callAsHerald(env, "whatsapp_fallback_report", { p_problem: null });
  return json({ ...due, woken: true });
});
