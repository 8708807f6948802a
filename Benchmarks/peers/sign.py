"""Signs access tokens that differ in their id alone.

    sign.py KEY.jwk CLAIMS COUNT PATH    CLAIMS is JSON; writes "Bearer TOKEN" lines to PATH
"""

import base64
import hmac
import json
import pathlib
import secrets
import sys

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256


def main(key, claims, count, path):
    key, claims = json.loads(pathlib.Path(key).read_text()), json.loads(claims)
    sign = signer(key)
    head = encode(compact({"alg": key["alg"], "kid": key["kid"], "typ": "JWT"}))
    with open(path, "wb") as lines:
        for _ in range(int(count)):
            text = head + b"." + encode(compact(claims | {"jti": secrets.token_hex(16)}))
            lines.write(b"Bearer " + text + b"." + encode(sign(text)) + b"\n")


def signer(key):
    secret = decode(key["k"] if key["kty"] == "oct" else key["d"])
    if key["alg"] == "HS256":
        return lambda text: hmac.digest(secret, text, "sha256")
    if key["alg"] == "EdDSA":
        return ed25519.Ed25519PrivateKey.from_private_bytes(secret).sign
    private = ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1())

    def sign(text):
        r, s = utils.decode_dss_signature(private.sign(text, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    return sign


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


main(*sys.argv[1:])
