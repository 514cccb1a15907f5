// Which calls of the worker's API a person may make through the proxy, and as what. The worker checks again.

export type Role = "member" | "admin";

interface Route {
  /** Segments; one in braces stands for anything of one segment. */
  path: string;
  methods: Partial<Record<Method, Role>>;
}

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** Members read what the organisation sees; what changes anything, and the QR code (a key to the account), is for admins. */
export const ROUTES: readonly Route[] = [
  { path: "/api/auth/connect", methods: { POST: "admin" } },
  { path: "/api/auth/qr", methods: { GET: "admin" } },
  { path: "/api/auth/status", methods: { GET: "member" } },
  { path: "/api/auth/disconnect", methods: { POST: "admin" } },
  { path: "/api/auth/reconnect", methods: { POST: "admin" } },
  { path: "/api/auth/logout", methods: { POST: "admin" } },
  { path: "/api/groups", methods: { GET: "member", POST: "admin" } },
  { path: "/api/groups/{jid}", methods: { GET: "member", PATCH: "admin" } },
  { path: "/api/groups/{jid}/invite", methods: { GET: "admin", POST: "admin" } },
  { path: "/api/groups/{jid}/members", methods: { POST: "admin" } },
  { path: "/api/groups/{jid}/contacts/sync", methods: { POST: "admin" } },
  { path: "/api/commands/{id}", methods: { GET: "admin" } },
  { path: "/api/contacts", methods: { GET: "member" } },
  { path: "/api/conversations", methods: { GET: "member" } },
  { path: "/api/conversations/{id}/messages", methods: { GET: "member" } },
  { path: "/api/send", methods: { POST: "admin" } },
  { path: "/api/send-template", methods: { POST: "admin" } },
  { path: "/api/send-bulk", methods: { POST: "admin" } },
  { path: "/api/messages", methods: { GET: "member" } },
  { path: "/api/messages/{id}", methods: { GET: "member" } },
  { path: "/api/messages/{id}/retry", methods: { POST: "admin" } },
  { path: "/api/messages/{id}/cancel", methods: { POST: "admin" } },
  { path: "/api/stats", methods: { GET: "member" } },
];

export const METHODS: readonly Method[] = ["GET", "POST", "PATCH", "DELETE"];

export interface Match {
  /** Written anew from its parts, so that nothing odd in the caller's spelling reaches the worker. */
  path: string;
  methods: Partial<Record<Method, Role>>;
}

/** What may stand for a segment: ids, JIDs and phone numbers. */
const SEGMENT = /^[A-Za-z0-9@._:+-]{1,200}$/;

/** The route of a path as it stands in a URL; undefined if it is none. */
export function routeOf(path: string): Match | undefined {
  const parts = decoded(path);
  const route = parts && ROUTES.find((candidate) => matches(candidate.path.split("/"), parts));
  return route && { path: parts.map(encodeURIComponent).join("/"), methods: route.methods };
}

function decoded(path: string): string[] | undefined {
  try {
    return path.split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function matches(pattern: string[], parts: string[]): boolean {
  return pattern.length === parts.length && pattern.every((wanted, place) => {
    const part = parts[place]!;
    return wanted.startsWith("{") ? SEGMENT.test(part) && !/^\.+$/.test(part) : wanted === part;
  });
}
