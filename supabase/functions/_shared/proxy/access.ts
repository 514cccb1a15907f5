// What the caller may do, as the database says.

import { callAs, Refused } from "../database.ts";
import type { Environment } from "../environment.ts";
import type { User } from "../identity.ts";
import { Problem } from "../problem.ts";
import type { Role } from "./routes.ts";

interface Access {
  super_admin: boolean;
  organizations: { id: string; admin: boolean }[];
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Throws a Problem (400, 403) unless the user has this role in the organisation that X-Org-Id names. Without one, a role in
 * any of theirs suffices here: the worker chooses the organisation and looks again.
 */
export async function mayAct(
  user: User,
  needed: Role,
  organization: string | null,
  env: Environment,
): Promise<void> {
  if (organization !== null && !UUID.test(organization)) {
    throw new Problem(400, "bad-request", "X-Org-Id is not the id of an organisation.");
  }
  const access = await accessOf(user, env);
  if (access.super_admin) {
    return;
  }
  const concerned = access.organizations.filter(({ id }) =>
    organization === null || id === organization.toLowerCase()
  );
  if (concerned.length === 0) {
    throw new Problem(403, "not-your-organization", "You do not belong to this organisation.", {
      hint: "Choose one of your own in X-Org-Id, or have an admin add you.",
    });
  }
  if (needed === "admin" && !concerned.some(({ admin }) => admin)) {
    throw new Problem(403, "not-allowed", "Owners and admins of the organisation may do this.", {
      hint: "Ask one of them.",
    });
  }
}

async function accessOf(user: User, env: Environment): Promise<Access> {
  try {
    return await callAs(user, env, "whatsapp_api_caller") as Access;
  } catch (error) {
    if (error instanceof Refused && error.refusal.status === 401) {
      throw new Problem(401, "token-invalid", "The database does not accept this session.", {
        hint: "Sign in again.",
      });
    }
    if (error instanceof Refused) {
      throw new Problem(503, "database-not-ready", "The database can't say what you may do.", {
        hint: "The operator pushes Herald's migrations and checks the functions' keys.",
      });
    }
    throw error;
  }
}
