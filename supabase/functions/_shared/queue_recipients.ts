// Queues a message for each recipient of a list. Shapes are checked here; the database decides the rest, as the user.

import { readJson } from "./body.ts";
import { callAs, Refused } from "./database.ts";
import { type Call, endpoint, expectPost, json } from "./endpoint.ts";
import { signedIn } from "./identity.ts";
import { Problem } from "./problem.ts";

const LARGEST_BODY = 2 ** 20; // bytes
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** A date and time with a zone: without the zone the moment is unknown. */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)$/;
const KEY = /^[\x21-\x7e]{1,200}$/;

interface Body {
  eventId: string;
  recipients: unknown[];
  templateName: string;
  variables?: Record<string, unknown>;
  scheduledFor?: string;
}

export const queueRecipients = endpoint(["POST"], async ({ request, env, requestId }: Call) => {
  expectPost(request);
  const user = await signedIn(request, env);
  const key = request.headers.get("Idempotency-Key");
  if (key !== null && !KEY.test(key)) {
    throw invalid("Idempotency-Key has 1 to 200 visible characters.");
  }
  const body = checked((await readJson(request, LARGEST_BODY)).value);
  try {
    const answer = await callAs(user, env, "whatsapp_queue_recipients", {
      p_event: body.eventId,
      p_recipients: body.recipients,
      p_template: body.templateName,
      p_variables: body.variables ?? {},
      p_scheduled_for: body.scheduledFor ?? null,
      p_key: key,
    }, requestId);
    return json(answer);
  } catch (error) {
    throw error instanceof Refused ? refused(error) : error;
  }
});

function checked(value: unknown): Body {
  if (!isObject(value)) {
    throw invalid("The body is an object with eventId, recipients and templateName.");
  }
  const known = ["eventId", "recipients", "templateName", "variables", "scheduledFor"];
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  const { eventId, recipients, templateName, variables = {}, scheduledFor } = value;
  const wrong = [
    [unknown !== undefined, "There is a field that is not known."],
    [typeof eventId !== "string" || !UUID.test(eventId), "eventId is the id of the event (a UUID)."],
    [
      !Array.isArray(recipients),
      "recipients is a list of phones like +491701234567, or of objects with phone or contactId.",
    ],
    [typeof templateName !== "string" || templateName === "", "templateName is the name of a template."],
    [!isObject(variables), "variables is an object of values for the template's placeholders."],
    [
      scheduledFor !== undefined && scheduledFor !== null && !isInstant(scheduledFor),
      "scheduledFor is a time with its zone, like 2027-01-31T18:00:00Z.",
    ],
  ].find(([is]) => is);
  if (wrong) {
    throw invalid(String(wrong[1]), `Known are ${known.join(", ")}.`);
  }
  return { ...value, scheduledFor: scheduledFor ?? undefined } as unknown as Body;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isInstant(value: unknown): boolean {
  return typeof value === "string" && INSTANT.test(value) && !Number.isNaN(Date.parse(value));
}

function invalid(detail: string, hint?: string): Problem {
  return new Problem(422, "invalid-request", detail, { hint });
}

function refused({ refusal }: Refused): Problem {
  if (refusal.status === 401) {
    return new Problem(401, "token-invalid", "The database does not accept this session.", {
      hint: "Sign in again.",
    });
  }
  if (refusal.code === "42501") {
    return new Problem(403, "not-allowed", "There is no such event of an organisation that you administer.", {
      hint: "Owners and admins of the event's organisation may queue messages about it.",
    });
  }
  if (refusal.code === "22023") {
    return invalid(refusal.message, refusal.hint);
  }
  return new Problem(503, "database-not-ready", "The database can't take this call.", {
    hint: "The operator pushes Herald's migrations and checks the functions' keys.",
  });
}
