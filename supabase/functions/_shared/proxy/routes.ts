// Generated from the worker's routes (worker/api) by scripts/types; don't edit.
// Which calls of the worker's API a signed-in person may make through the proxy, and in which role. The worker
// checks the role again. A route that is for servers only is not here.

export type Role = "member" | "admin";
export type Method = "GET" | "PATCH" | "POST";

export interface Route {
  /** Segments; one in braces stands for any one segment. */
  path: string;
  methods: Partial<Record<Method, Role>>;
  /** A media type that the worker may answer with beside JSON. */
  alsoAnswers?: string;
}

export const METHODS: readonly Method[] = ["GET", "PATCH", "POST"];

export const ROUTES: readonly Route[] = [
  { path: "/api/auth/connect", methods: { POST: "admin" } },
  { path: "/api/auth/disconnect", methods: { POST: "admin" } },
  { path: "/api/auth/logout", methods: { POST: "admin" } },
  { path: "/api/auth/qr", methods: { GET: "admin" }, alsoAnswers: "image/png" },
  { path: "/api/auth/reconnect", methods: { POST: "admin" } },
  { path: "/api/auth/status", methods: { GET: "member" } },
  { path: "/api/commands/{id}", methods: { GET: "admin" } },
  { path: "/api/groups", methods: { GET: "member", POST: "admin" } },
  { path: "/api/groups/{jid}", methods: { GET: "member", PATCH: "admin" } },
  { path: "/api/groups/{jid}/contacts/sync", methods: { POST: "admin" } },
  { path: "/api/groups/{jid}/invite", methods: { GET: "admin", POST: "admin" } },
  { path: "/api/groups/{jid}/members", methods: { POST: "admin" } },
  { path: "/api/messages", methods: { GET: "member" } },
  { path: "/api/messages/{id}", methods: { GET: "member" } },
  { path: "/api/messages/{id}/cancel", methods: { POST: "admin" } },
  { path: "/api/messages/{id}/retry", methods: { POST: "admin" } },
  { path: "/api/send", methods: { POST: "admin" } },
  { path: "/api/send-bulk", methods: { POST: "admin" } },
  { path: "/api/send-template", methods: { POST: "admin" } },
  { path: "/api/stats", methods: { GET: "member" } },
];
