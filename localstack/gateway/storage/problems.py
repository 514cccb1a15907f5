"""Storage's errors. As hosted, the answer is 400 for all but a few; the real code is in the body."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from localstack.gateway.errors import ApiError


def problem(status: int, code: str, message: str, error: str | None = None) -> ApiError:
    """To raise. supabase-py reads `error` and `statusCode`, supabase-js `code`."""
    body = {"statusCode": str(status), "error": error or code, "message": message, "code": code}
    return ApiError(status if status >= 500 else 400, dict[str, object](body))


def no_such_bucket() -> ApiError:
    return problem(404, "NoSuchBucket", "Bucket not found", "Bucket not found")


def no_such_key() -> ApiError:
    return problem(404, "NoSuchKey", "Object not found", "not_found")


def denied(message: str) -> ApiError:
    return problem(403, "AccessDenied", message, "Unauthorized")


def invalid(message: str) -> ApiError:
    return problem(400, "InvalidRequest", message)


def too_large() -> ApiError:
    return problem(413, "EntityTooLarge", "The object exceeded the maximum allowed size", "Payload too large")


@contextmanager
def told_as_storage_does() -> Iterator[None]:
    """Turns what Postgres refuses into Storage's errors."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise denied(error.diag.message_primary or "Access denied") from error
    except errors.UniqueViolation as error:
        raise problem(409, "ResourceAlreadyExists", "The resource already exists", "Duplicate") from error
    except errors.ForeignKeyViolation as error:
        raise no_such_bucket() from error
    except errors.QueryCanceled as error:
        raise problem(544, "DatabaseTimeout", "The connection to the database timed out") from error
    except psycopg.OperationalError:
        raise  # the gateway says that the database is away
    except psycopg.Error as error:
        raise problem(500, "DatabaseError", error.diag.message_primary or str(error)) from error
