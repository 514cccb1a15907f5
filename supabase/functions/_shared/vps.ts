// The worker's HTTP API, as the edge sees it: one request to one fixed address, and only answers that make sense.

import { isJson, readAll, TooLong } from "./body.ts";
import { type Environment, notConfigured, required } from "./environment.ts";
import { Problem } from "./problem.ts";

export interface VpsRequest {
  method: string;
  /** With a leading slash, and the query. */
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** Seconds until it is given up, above the usual patience. */
  extraSeconds?: number;
  /** A media type that may come beside JSON. */
  alsoAccepts?: string;
}

export interface VpsAnswer {
  status: number;
  contentType: string | null;
  body: Uint8Array;
  retryAfter: string | null;
}

const USUAL_PATIENCE = 20; // seconds
const LARGEST_ANSWER = 8 * 2 ** 20; // bytes
const NO_BODY = [204, 205, 304];

/** Throws a Problem (502, 503, 504) that tells what to do, and neither the address nor the key. */
export async function callVps(env: Environment, request: VpsRequest): Promise<VpsAnswer> {
  const base = vpsUrl(env);
  const key = required(env, "VPS_API_KEY");
  const patience = (Number(env["VPS_TIMEOUT_SECONDS"]) || USUAL_PATIENCE) + (request.extraSeconds ?? 0);
  try {
    const response = await fetch(base + request.path, {
      method: request.method,
      headers: { ...request.headers, "X-API-Key": key },
      body: request.body,
      redirect: "manual",
      signal: AbortSignal.timeout(patience * 1000),
    });
    const answer = {
      status: response.status,
      contentType: response.headers.get("Content-Type"),
      body: await readAll(response.body, LARGEST_ANSWER),
      retryAfter: response.headers.get("Retry-After"),
    };
    check(answer, key, request.alsoAccepts);
    return answer;
  } catch (error) {
    throw failure(error);
  }
}

/** http only to this machine: the key and the user's JWT would lie open on the way. */
function vpsUrl(env: Environment): string {
  const text = required(env, "VPS_URL");
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw notConfigured("VPS_URL is not an address.");
  }
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (
    url.username || url.search || url.hash || !(url.protocol === "https:" || (url.protocol === "http:" && local))
  ) {
    throw notConfigured("VPS_URL has to be https://HOST, without a user, a query or a fragment.");
  }
  return url.href.replace(/\/+$/, "");
}

function check(answer: VpsAnswer, key: string, alsoAccepts?: string): void {
  if (answer.status >= 300 && answer.status < 400 && answer.status !== 304) {
    throw badAnswer("The WhatsApp server answered with a redirect.");
  }
  const json = isJson(answer.contentType);
  // A web server in front of a worker that is down says so in HTML or not at all.
  if (!json && [502, 503, 504].includes(answer.status)) {
    throw unreachable();
  }
  if (NO_BODY.includes(answer.status)) {
    return;
  }
  if (!json) {
    const type = (answer.contentType ?? "").split(";")[0]!.trim().toLowerCase();
    if (type !== alsoAccepts || answer.status >= 400) {
      throw badAnswer("The WhatsApp server's answer is not what its API answers.");
    }
    return;
  }
  const text = new TextDecoder().decode(answer.body);
  if (!isValid(text) || text.includes(key)) {
    throw badAnswer("The WhatsApp server's answer is not what its API answers.");
  }
  if (answer.status === 401 && KEY_REFUSED.includes(codeOf(text))) {
    throw new Problem(502, "vps-refused-key", "The WhatsApp server does not accept the proxy's key.", {
      hint: "The operator sets VPS_API_KEY to one of the worker's API_KEY.",
    });
  }
}

/** What the worker's API says of a missing or wrong X-API-Key: that is the operator's affair, not the user's. */
const KEY_REFUSED: unknown[] = ["key-missing", "key-wrong"];

function codeOf(text: string): unknown {
  const answer = JSON.parse(text);
  return typeof answer === "object" && answer !== null ? answer.code : undefined;
}

function isValid(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function failure(error: unknown): Problem {
  if (error instanceof Problem) {
    return error;
  }
  if (error instanceof TooLong) {
    return badAnswer("The WhatsApp server's answer is too long.");
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new Problem(504, "vps-timeout", "The WhatsApp server did not answer in time.", {
      hint: "What was asked for may still happen: look before you try again.",
    });
  }
  return unreachable();
}

function unreachable(): Problem {
  return new Problem(502, "vps-unreachable", "The WhatsApp server can't be reached at the moment.", {
    hint: "Scheduled messages wait and go out when it is back. If it stays away, tell the operator.",
    headers: { "Retry-After": "10" },
  });
}

function badAnswer(detail: string): Problem {
  return new Problem(502, "vps-bad-answer", detail, {
    hint: "The operator sees that VPS_URL is the worker's address and that nothing else answers there.",
  });
}
