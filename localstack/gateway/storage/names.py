"""What a bucket and an object may be called. Names never become paths on disk; these are the hosted rules."""

import re

from localstack.gateway.storage.problems import problem

_BUCKET = re.compile(r"(?! )[\w !\-.*'()&$@=;:+,?]{1,100}(?<! )", re.ASCII)
_KEY = re.compile(r"[\w/!\-.*'() &$@=;:+,?]{1,1024}", re.ASCII)


def bucket_name(name: object) -> str:
    if not isinstance(name, str) or not _BUCKET.fullmatch(name) or name in (".", ".."):
        raise problem(400, "InvalidBucketName", "Bucket name invalid", "Invalid Input")
    return name


def object_key(key: object) -> str:
    """Refuses what could climb out of a bucket wherever somebody takes a key for a path."""
    if not isinstance(key, str) or not _KEY.fullmatch(key) or {"", ".", ".."} & set(key.split("/")):
        raise problem(400, "InvalidKey", f"Invalid key: {key}")
    return key
