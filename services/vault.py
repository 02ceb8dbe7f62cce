"""The vault: what the database keeps but must not be able to read, and links nobody can make up."""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF
from Crypto.Random import get_random_bytes

_NAME, _NONCE, _TAG = 4, 12, 16


class KeyMissing(Exception):
    """It was encrypted with a key that is not among the settings (any more)."""


@dataclass(frozen=True, slots=True)
class Vault:
    """AES-256-GCM and HMAC-SHA256 with keys derived from ENCRYPTION_KEY: the first is used, all of them are tried."""

    secrets: Sequence[str]

    def encrypt(self, text: str, *, context: str) -> bytes:
        """`context` says what it belongs to ("withdrawal-method:7"): elsewhere it cannot be decrypted."""
        key = self._keys(b"encrypt")[0]
        nonce = get_random_bytes(_NONCE)
        cipher = AES.new(key, AES.MODE_GCM, nonce=nonce)
        cipher.update(context.encode())
        sealed, tag = cipher.encrypt_and_digest(text.encode())
        return _name(key) + nonce + tag + sealed

    def decrypt(self, sealed: bytes, *, context: str) -> str:
        """Raises KeyMissing, and ValueError when it was changed or belongs elsewhere."""
        name, rest = sealed[:_NAME], sealed[_NAME:]
        nonce, tag, text = rest[:_NONCE], rest[_NONCE : _NONCE + _TAG], rest[_NONCE + _TAG :]
        for key in self._keys(b"encrypt"):
            if _name(key) == name:
                cipher = AES.new(key, AES.MODE_GCM, nonce=nonce)
                cipher.update(context.encode())
                return cipher.decrypt_and_verify(text, tag).decode()
        raise KeyMissing

    def fingerprints(self, text: str) -> list[bytes]:
        """The same for the same text, and nothing without a key; the first is today's, the others of older keys."""
        return [hmac.digest(key, text.encode(), "sha256") for key in self._keys(b"fingerprint")]

    def sign(self, data: bytes) -> bytes:
        return hmac.digest(self._keys(b"sign")[0], data, "sha256")

    def signed(self, data: bytes, signature: bytes) -> bool:
        """Whether sign() made this signature, with any of the keys."""
        return any(hmac.compare_digest(hmac.digest(key, data, "sha256"), signature) for key in self._keys(b"sign"))

    def _keys(self, purpose: bytes) -> list[bytes]:
        return list(_derive(self.secrets, purpose))


def _derive(secrets: Iterable[str], purpose: bytes) -> Iterable[bytes]:
    for secret in secrets:
        yield bytes(HKDF(secret.encode(), 32, b"looseline", SHA256, context=purpose))


def _name(key: bytes) -> bytes:
    """Tells which of several keys it was, and nothing about it."""
    return bytes(SHA256.new(b"name" + key).digest()[:_NAME])
