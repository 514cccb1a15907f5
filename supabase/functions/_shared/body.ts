// Reads bodies up to a limit, whatever length they claim to have.

import { Problem } from "./problem.ts";

/** Thrown when a body is longer than the limit. */
export class TooLong extends Error {}

/** All of a stream, at most `limit` bytes. Throws TooLong; the rest is not read then. */
export async function readAll(stream: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  if (stream) {
    const reader = stream.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      length += read.value.length;
      if (length > limit) {
        await reader.cancel();
        throw new TooLong(`more than ${limit} bytes`);
      }
      pieces.push(read.value);
    }
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** A request's JSON body, as sent and parsed; empty if there is none. Throws a Problem (400, 413, 415). */
export async function readJson(request: Request, limit: number): Promise<{ text: string; value: unknown }> {
  let bytes: Uint8Array;
  try {
    bytes = await readAll(request.body, limit);
  } catch (error) {
    if (error instanceof TooLong) {
      throw new Problem(413, "too-large", `The body is longer than ${limit} bytes.`, {
        hint: "Send it in several requests.",
      });
    }
    throw new Problem(400, "body-cut-off", "The body ended early.");
  }
  if (bytes.length === 0) {
    return { text: "", value: undefined };
  }
  if (!isJson(request.headers.get("Content-Type"))) {
    throw new Problem(415, "wrong-content-type", "The body must be JSON.", {
      hint: "Send Content-Type: application/json.",
    });
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch {
    throw new Problem(400, "bad-json", "The body is not valid JSON in UTF-8.");
  }
}

export function isJson(contentType: string | null): boolean {
  return /^application\/(json|problem\+json)\s*(;|$)/i.test(contentType ?? "");
}
