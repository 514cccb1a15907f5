// Errors as RFC 9457 problem+json: a stable code for programs, words and a hint for people.

export interface Extra {
  hint?: string;
  headers?: Record<string, string>;
}

/** What a caller is told. `detail` and `hint` are for people: never a secret, an address or another's data. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly extra: Extra = {},
  ) {
    super(`${status} ${code}`);
  }

  response(requestId: string): Response {
    const body = {
      type: `urn:herald:problem:${this.code}`,
      title: TITLES[this.status] ?? "Error",
      status: this.status,
      code: this.code,
      detail: this.detail,
      hint: this.extra.hint,
      request_id: requestId,
    };
    return new Response(JSON.stringify(body), {
      status: this.status,
      headers: { ...this.extra.headers, "Content-Type": "application/problem+json", "Cache-Control": "no-store" },
    });
  }
}

const TITLES: Record<number, string> = {
  400: "Bad request",
  401: "Not signed in",
  403: "Not allowed",
  404: "Not found",
  405: "Method not allowed",
  413: "Too large",
  415: "Unsupported media type",
  422: "Invalid request",
  500: "Internal error",
  502: "Bad answer from the WhatsApp server",
  503: "Not available",
  504: "No answer from the WhatsApp server in time",
};
