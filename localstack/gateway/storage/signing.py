"""Tokens in signed addresses. They open one object for a time, and nothing else: their key signs nothing else."""

import hashlib
import time
from typing import Any

import jwt

from localstack.credentials import Credentials
from localstack.gateway.storage.problems import problem

UPLOAD_LIFE = 7200  #: seconds, as hosted


class Signing:
    def __init__(self, credentials: Credentials) -> None:
        self._key = hashlib.sha256(b"storage " + credentials.signing_key.encode()).digest()

    def sign(self, purpose: str, url: str, life: int, **claims: object) -> str:
        """url: `bucket/key`."""
        now = int(time.time())
        return jwt.encode(
            {"aud": purpose, "url": url, "iat": now, "exp": now + life, **claims}, self._key, algorithm="HS256"
        )

    def claims(self, token: str | None, purpose: str, url: str) -> dict[str, Any]:
        """What was signed for this object. Raises an answer if the token is none, too old or another's."""
        if not token:
            raise problem(400, "InvalidRequest", "querystring must have required property 'token'", "Error")
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key, algorithms=["HS256"], audience=purpose, options={"require": ["exp", "url"]}
            )
        except jwt.ExpiredSignatureError as error:
            raise problem(400, "InvalidJWT", '"exp" claim timestamp check failed') from error
        except jwt.InvalidTokenError as error:
            raise problem(400, "InvalidJWT", str(error)) from error
        if claims["url"] != url:
            raise problem(400, "InvalidSignature", "The url do not match the signature")
        return claims
