"""The API keys, database passwords and signing key of one stack, in the shapes Supabase gives them."""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from localstack.layout import write_private

AUDIENCE = "authenticated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything secret about a stack. It lies in `credentials.json`, mode 0600."""

    publishable_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    key_id: str
    signing_key: str = field(repr=False)  #: PEM, P-256
    passwords: Mapping[str, str] = field(repr=False)  #: by database role

    @classmethod
    def generate(cls) -> "Credentials":
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(
            publishable_key=f"sb_publishable_{_random(22)}_{_random(8)}",
            secret_key=f"sb_secret_{_random(22)}_{_random(8)}",
            key_id=secrets.token_hex(16),
            signing_key=pem.decode(),
            passwords={role: secrets.token_hex(16) for role in ("supabase_admin", "postgres", "authenticator")},
        )

    @classmethod
    def load(cls, path: Path) -> "Credentials":
        """Read an existing stack's credentials. Raises FileNotFoundError."""
        return cls(**json.loads(path.read_text()))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that only this stack may know."""
        return (self.secret_key, self.signing_key, *self.passwords.values())

    @classmethod
    def load_or_generate(cls, path: Path) -> "Credentials":
        """Read the stack's credentials, or create them. They stay the same until `down`."""
        try:
            return cls.load(path)
        except FileNotFoundError:
            credentials = cls.generate()
            write_private(path, json.dumps(asdict(credentials)))
            return credentials

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public half, as `/auth/v1/.well-known/jwks.json` shows it."""
        private = serialization.load_pem_private_key(self.signing_key.encode(), password=None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        key: dict[str, Any] = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        return {"keys": [{**key, "alg": "ES256", "use": "sig", "kid": self.key_id, "key_ops": ["verify"]}]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT that the stack accepts; add `exp` yourself."""
        return jwt.encode(
            {"iat": int(time.time()), **claims},
            self.signing_key,
            algorithm="ES256",
            headers={"kid": self.key_id},
        )

    def role_of_key(self, key: str) -> str | None:
        """The database role that an `sb_…` key stands for; None if the key isn't ours."""
        if secrets.compare_digest(key.encode(), self.publishable_key.encode()):
            return "anon"
        if secrets.compare_digest(key.encode(), self.secret_key.encode()):
            return "service_role"
        return None

    def dsn(self, role: str, port: int) -> str:
        return f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{port}/postgres"


def _random(length: int) -> str:
    """URL-safe and without `_` and `-`, so that a double click selects the whole key."""
    return secrets.token_hex(length)[:length]
