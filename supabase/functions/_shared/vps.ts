// Calls the worker's HTTP API: one request to one fixed address; answers that the API does not give are refused.

import { isJson, readAll, TooLong } from "./body.ts";
import { type Environment, notConfigured, required } from "./environment.ts";
import { Problem } from "./problem.ts";

export interface VpsRequest {
  method: string;
  /** With a leading slash, and the query. */
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** Seconds to wait on top of the usual timeout. */
  extraSeconds?: number;
  /** A media type that is accepted besides JSON. */
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

/** Throws a Problem (502, 503, 504) that says what to do, without the address or the key. */
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

/** http:// only to this machine: over a network it would show the key and the user's JWT. */
function vpsUrl(env: Environment): string {
  const text = required(env, "VPS_URL");
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw notConfigured("VPS_URL is not a URL.");
  }
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (
    url.username || url.search || url.hash || !(url.protocol === "https:" || (url.protocol === "http:" && local))
  ) {
    throw notConfigured("VPS_URL must be https://HOST, without a user, a query or a fragment.");
  }
  return url.href.replace(/\/+$/, "");
}

function check(answer: VpsAnswer, key: string, alsoAccepts?: string): void {
  if (answer.status >= 300 && answer.status < 400 && answer.status !== 304) {
    throw badAnswer("The WhatsApp server answered with a redirect.");
  }
  const json = isJson(answer.contentType);
  // A reverse proxy in front of a worker that is down answers in HTML or with nothing.
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

/** The worker's codes for a missing or wrong X-API-Key, which the operator has to correct, not the user. */
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
      hint: "The call may still take effect: look before you try again.",
    });
  }
  return unreachable();
}

function unreachable(): Problem {
  return new Problem(502, "vps-unreachable", "The WhatsApp server can't be reached at the moment.", {
    hint: "Queued messages wait and go out when it is back. If it stays away, tell the operator.",
    headers: { "Retry-After": "10" },
  });
}

function badAnswer(detail: string): Problem {
  return new Problem(502, "vps-bad-answer", detail, {
    hint: "The operator checks that VPS_URL is the worker's address and that nothing else answers there.",
  });
}
