// Finds the route of a path, and rebuilds the path from its segments.

import { type Route, ROUTES } from "./routes.ts";

export interface Match extends Route {
  /** Rebuilt from its segments, so that no odd encoding of the caller's reaches the worker. */
  path: string;
}

/** What a placeholder stands for: ids, JIDs and phone numbers. */
const SEGMENT = /^[A-Za-z0-9@._:+-]{1,200}$/;

/** The route of a path as it stands in a URL; undefined if no route has it. */
export function routeOf(path: string): Match | undefined {
  const parts = decoded(path);
  const route = parts && ROUTES.find((candidate) => matches(candidate.path.split("/"), parts));
  return route && { ...route, path: parts.map(encodeURIComponent).join("/") };
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
