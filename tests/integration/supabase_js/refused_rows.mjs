// An admin of a CRM inserts two bad rows through the official JavaScript client. Prints the errors as the client gives them.
import { createClient } from "@supabase/supabase-js";
import WebSocket from "ws"; // Node 20 has none of its own

const { SUPABASE_URL: url, SUPABASE_PUBLISHABLE_KEY: key, TOKEN: token, ORGANIZATION: organization_id } = process.env;
const supabase = createClient(url, key, { accessToken: async () => token, realtime: { transport: WebSocket } });

const told = async (row) => {
  const { error } = await supabase.from("scheduled_whatsapp_messages").insert({ organization_id, ...row });
  return { code: error.code, message: error.message, details: error.details, hint: error.hint };
};

const phone = await told({ recipient_phone: "0170 1234567", message_content: "The kiln is hot" });
const nobody = await told({ message_content: "The kiln is hot" });
console.log(JSON.stringify({ phone, nobody }));
process.exit(0);
