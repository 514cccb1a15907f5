"""The worker's HTTP API.

To add a route, write a handler in the module of its subject and register it in the module's table::

    routes = Routes("Groups")

    class GroupPath(Query):                      # from the path; a model of the query string looks the same
        jid: GroupJid

    class Rename(Body):                          # JSON; unknown fields are refused
        name: str = Field(min_length=1, max_length=100, description="as people see it")

    @routes.post("/api/groups/{jid}/rename", access=Access.ADMIN)
    async def rename_group(call: Call, path: GroupPath, body: Rename) -> Group:
        '''Rename a group.

        What else a reader should know.
        '''
        row = await groups.find(call.tenant, path.jid, account=None)     # worker/supabase/tenant/groups.py
        if row is None:
            raise not_found("group")
        ...
        return Group.model_validate(row)         # or Reply(model, status=202, headers={…})

A new module's table joins ``TABLES`` in ``app.py``. Parameters must be called ``path``, ``query`` and ``body``;
the annotations are the checks, OpenAPI and the docs page. The functions of worker/supabase/tenant, given
``call.tenant``, read and write the organisation of the caller only, a user's under their own token;
``call.parts.changes.until`` waits for a row; ``raise Problem(status, code, detail, hint)`` ends a call. A new
route needs its line in ``tests/api/cells.py``, who gets what answer: the matrix names what is missing.
"""

from worker.api.app import Api

__all__ = ["Api"]
