// Two users through the official JavaScript client: the first keeps files in her folder, the other finds none of them.
// Prints what they saw, as JSON.
import { createClient } from "@supabase/supabase-js";
import WebSocket from "ws"; // Node 20 has none of its own

const { SUPABASE_URL: url, SUPABASE_PUBLISHABLE_KEY: key } = process.env;
const must = ({ data, error }) => {
  if (error) throw error;
  return data;
};

const signedUp = async (email) => {
  const client = createClient(url, key, { realtime: { transport: WebSocket } });
  const { user } = must(await client.auth.signUp({ email, password: "correct horse" }));
  return { bucket: client.storage.from("media"), folder: user.id };
};

const asha = await signedUp("asha-files@js.test");
const binh = await signedUp("binh-files@js.test");
const at = (name) => `${asha.folder}/${name}`;

must(await asha.bucket.upload(at("raw.txt"), "raw words"));
must(await asha.bucket.upload(at("blob.html"), new Blob(["of a blob"], { type: "text/html" })));
const { token } = must(await asha.bucket.createSignedUploadUrl(at("gift.txt")));
must(await createClient(url, key, { realtime: { transport: WebSocket } })
  .storage.from("media").uploadToSignedUrl(at("gift.txt"), token, "by a visitor"));

const text = async (path) => must(await asha.bucket.download(at(path))).text();
const { signedUrl } = must(await asha.bucket.createSignedUrl(at("raw.txt"), 60));
const foreign = [
  (await binh.bucket.upload(at("mine.txt"), "of binh")).error.statusCode,
  (await binh.bucket.move(at("raw.txt"), "mine.txt")).error.statusCode,
  (await binh.bucket.createSignedUrl(at("raw.txt"), 60)).error.statusCode,
];
console.log(
  JSON.stringify({
    read: await text("raw.txt"),
    blob: await text("blob.html"),
    type: must(await asha.bucket.download(at("blob.html"))).type,
    signed: await (await fetch(signedUrl)).text(),
    gift: await text("gift.txt"),
    listed: must(await asha.bucket.list(asha.folder)).map((file) => file.name),
    exists: [(await asha.bucket.exists(at("raw.txt"))).data, (await asha.bucket.exists(at("none.txt"))).data],
    foreign,
  }),
);
process.exit(0);
