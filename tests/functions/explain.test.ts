// What people read of an error of supabase-js: from its own words, or from ours where it has none.

import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { type DatabaseError, explain, type Explanation } from "../../supabase/functions/_shared/explain.ts";
import { ARABIC } from "../../supabase/functions/_shared/explain_arabic.ts";

const refused: DatabaseError = {
  code: "23514",
  message: "The priority is out of range.",
  details: "herald:priority-out-of-range",
  hint: "Choose a number from 1 to 10; 10 goes first.",
};
const NUMBER = "+491701234567";

Deno.test("a refusal of Herald's carries its words", () => {
  const { message, hint } = refused as Explanation;
  deepEqual(explain(refused), { code: "herald:priority-out-of-range", message, hint });
});

Deno.test("a refusal of Herald's is told in Arabic by its code", () => {
  const told = explain(refused, "ar");
  deepEqual([told.message, told.hint], ARABIC["herald:priority-out-of-range"]);
  const missing = { code: "23502", message: '"name" is missing.', details: "herald:value-missing", hint: "" };
  match(explain(missing, "ar").message, /«name»/);
});

Deno.test("a code that is newer than the words is told as it came", () => {
  const newer = { ...refused, details: "herald:newer-than-this" };
  deepEqual(explain(newer, "ar"), {
    code: "herald:newer-than-this",
    message: refused.message,
    hint: refused.hint,
  });
});

// As PostgREST 12 and Postgres 17 answer.
const CASES: [string, DatabaseError, string][] = [
  [
    "a column that Herald writes",
    { code: "42501", message: "permission denied for table whatsapp_groups" },
    "not-allowed",
  ],
  [
    "another organisation's row",
    { code: "42501", message: 'new row violates row-level security policy for table "whatsapp_contacts"' },
    "row-not-yours",
  ],
  ["no id", { code: "22P02", message: `invalid input syntax for type uuid: "${NUMBER}"` }, "id-unreadable"],
  [
    "no number",
    { code: "22P02", message: `invalid input syntax for type integer: "${NUMBER}"` },
    "number-unreadable",
  ],
  [
    "no time",
    { code: "22007", message: `invalid input syntax for type timestamp: "${NUMBER}"` },
    "time-unreadable",
  ],
  ["the 31st of February", { code: "22008", message: "date/time field value out of range" }, "time-unreadable"],
  [
    "a number too large",
    { code: "22003", message: 'value "99999" is out of range for type smallint' },
    "number-too-large",
  ],
  ["a race for a key", { code: "23505", details: `Key (phone)=(${NUMBER}) already exists.` }, "exists-already"],
  ["too slow", { code: "57014", message: "canceling statement due to statement timeout" }, "too-slow"],
  [
    "no such column",
    { code: "PGRST204", message: "Could not find the 'txt' column of 'whatsapp_contacts'" },
    "column-unknown",
  ],
  ["no such table", { code: "PGRST205", message: "Could not find the table 'public.contacts'" }, "table-unknown"],
  [
    "no such function",
    { code: "PGRST202", message: "Could not find the function public.send" },
    "function-unknown",
  ],
  ["single() without a row", { code: "PGRST116", message: "JSON object requested" }, "not-one-row"],
  ["a filter that can't be parsed", { code: "PGRST100", message: '"failed to parse filter"' }, "request-wrong"],
  ["an expired token", { code: "PGRST303", message: "JWT expired" }, "sign-in-again"],
  ["no database", { code: "PGRST000", message: "Could not connect", status: 503 }, "database-away"],
  ["a gateway's page", { message: "<html>", status: 502 }, "database-away"],
  ["no network", { code: "", message: "TypeError: Failed to fetch" }, "offline"],
  ["nothing known", {}, "unknown"],
];

for (const [name, error, kind] of CASES) {
  Deno.test(`${name} has words in both languages, and none of what was typed`, () => {
    const english = explain(error);
    const arabic = explain(error, "ar");
    deepEqual([english.code, arabic.code], [`herald:${kind}`, `herald:${kind}`]);
    notEqual(english.message, error.message);
    match(arabic.message, /[\u0600-\u06ff]/);
    match(arabic.hint, /[\u0600-\u06ff]/);
    for (const text of [english.message, english.hint, arabic.message, arabic.hint]) {
      equal(text.includes(NUMBER) || text.includes("{0}") || text === "", false);
    }
  });
}

Deno.test("a column is named where the error names one", () => {
  match(explain({ code: "PGRST204", message: "Could not find the 'txt' column of 'a'" }).message, /"txt"/);
  equal(explain({ code: "42703", message: "column a.b does not exist" }).message, "The table has no column.");
});

Deno.test("every Arabic text is Arabic, a sentence and a remedy", () => {
  for (const [code, texts] of Object.entries(ARABIC)) {
    for (const text of texts) {
      match(text, /[\u0600-\u06ff].*[.}؟]$/s, code);
    }
  }
});
