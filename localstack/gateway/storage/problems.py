"""Storage's errors, and the keys that it allows. As hosted, most answers are 400; the body has the status."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from localstack.gateway.errors import ApiError

_KEY = re.compile(r"[\w/!\-.*'() &$@=;:+,?]{1,1024}", re.ASCII)


def object_key(key: object) -> str:
    """Raises ApiError (400) for a key that could leave its bucket if a program took it for a path."""
    if not isinstance(key, str) or not _KEY.fullmatch(key) or {"", ".", ".."} & set(key.split("/")):
        raise problem(400, "InvalidKey", f"Invalid key: {key}")
    return key


def problem(status: int, code: str, message: str, error: str | None = None) -> ApiError:
    """An error to raise. supabase-py reads `error` and `statusCode`, supabase-js `code`."""
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
def in_storages_words() -> Iterator[None]:
    """Turn what Postgres refuses into Storage's errors."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise denied(error.diag.message_primary or "Access denied") from error
    except errors.UniqueViolation as error:
        raise problem(409, "ResourceAlreadyExists", "The resource already exists", "Duplicate") from error
    except errors.ForeignKeyViolation as error:
        raise no_such_bucket() from error
    except psycopg.OperationalError:
        raise  # the gateway answers that the database can't be reached
    except psycopg.Error as error:
        raise problem(500, "DatabaseError", error.diag.message_primary or str(error)) from error
