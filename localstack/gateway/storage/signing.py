"""Tokens in signed URLs. Each opens one object for a limited time. Their key signs nothing else."""

import hashlib
import time
from typing import Any

import jwt

from localstack.credentials import Credentials
from localstack.gateway.storage.problems import invalid, problem

DOWNLOAD, UPLOAD = "download", "upload"  #: what a token allows
UPLOAD_LIFE = 7200  #: seconds, as hosted


class Signing:
    def __init__(self, credentials: Credentials) -> None:
        self._key = hashlib.sha256(b"storage " + credentials.signing_key.encode()).digest()

    def sign(self, purpose: str, url: str, life: int, **claims: object) -> str:
        """A token for url (`bucket/key`) that is good for `life` seconds."""
        now = int(time.time())
        return jwt.encode(
            {"aud": purpose, "url": url, "iat": now, "exp": now + life, **claims}, self._key, algorithm="HS256"
        )

    def claims(self, token: str | None, purpose: str, url: str) -> dict[str, Any]:
        """What was signed. Raises ApiError (400) if the token is missing, expired, forged or for another URL."""
        if not token:
            raise invalid("querystring must have required property 'token'")
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
