// Two users through the official JavaScript client: each signs up, the first listens, both write a note.
// Prints what the first one read and heard, as JSON.
import { createClient } from "@supabase/supabase-js";
import WebSocket from "ws"; // Node 20 has none of its own

const { SUPABASE_URL: url, SUPABASE_PUBLISHABLE_KEY: key } = process.env;
const patience = AbortSignal.timeout(10_000);
const within = (promise) =>
  Promise.race([
    promise,
    new Promise((_, reject) => patience.addEventListener("abort", () => reject(new Error("too late")))),
  ]);
const must = ({ data, error }) => {
  if (error) throw error;
  return data;
};

const signedUp = async (email) => {
  const client = createClient(url, key, { realtime: { transport: WebSocket } });
  must(await client.auth.signUp({ email, password: "correct horse" }));
  must(await client.auth.signInWithPassword({ email, password: "correct horse" }));
  return client;
};

const asha = await signedUp("asha@js.test");
const binh = await signedUp("binh@js.test");

const heard = [];
let last;
const lastHeard = new Promise((resolve) => (last = resolve));
await within(
  new Promise((resolve, reject) =>
    asha
      .channel("notes")
      .on("postgres_changes", { event: "*", schema: "public", table: "notes" }, (change) => {
        heard.push([change.eventType, change.new.body]);
        if (change.new.body === "last") last();
      })
      .on("system", {}, ({ status, message }) => (status === "ok" ? resolve() : reject(new Error(message))))
      .subscribe(),
  ),
);

must(await binh.from("notes").insert({ body: "of another" }));
must(await asha.from("notes").insert({ body: "first" }));
must(await asha.from("notes").update({ body: "last" }).eq("body", "first"));
await within(lastHeard);

const read = must(await asha.from("notes").select("body")).map((note) => note.body);
await asha.removeAllChannels();
console.log(JSON.stringify({ read, heard }));
process.exit(0);
