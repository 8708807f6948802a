"""Tokens of PyJWT and joserfc that Postern takes, and Postern's that they take, for every algorithm.

    interop.py BASE-URL STORE POSTERN-BINARY USER-ID

The server at BASE-URL runs on STORE, whose user USER-ID is ann. Prints a line a check; ends with status 1 at the first
that fails.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwk as joserfc_keys
from joserfc import jwt as joserfc_jwt

base, store, binary, user_id = sys.argv[1:]
PASSWORD = "correct horse battery staple"


def check(what, is_right, seen=""):
    print("ok" if is_right else "FAIL", what, seen if not is_right else "")
    if not is_right:
        sys.exit(1)


def postern(*arguments, text=""):
    environment = {**os.environ, "POSTERN_STORE": store}
    return subprocess.run([binary, *arguments], input=text, capture_output=True, text=True, env=environment)


def fetch(path, data=None, headers={}):
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(base + path, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def claims():
    now = int(time.time())
    return {"token_type": "access", "exp": now + 60, "iat": now, "jti": os.urandom(16).hex(), "user_id": user_id}


def number(value):
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


def signed_by_others(key):
    """The same claims, signed by each of the libraries with a private JWK."""
    algorithm, header = key["alg"], {"kid": key["kid"]}
    plain = {name: value for name, value in key.items() if name not in ("iat", "nbf")}
    yield "PyJWT", jwt.encode(claims(), jwt.PyJWK(plain, algorithm).key, algorithm, header)
    ours = joserfc_keys.import_key(plain)
    yield "joserfc", joserfc_jwt.encode({"alg": algorithm, **header}, claims(), ours, algorithms=[algorithm])


def read_by_others(token, key):
    """The claims of a token as each of the libraries reads them, with a JWK."""
    algorithm = key["alg"]
    plain = {name: value for name, value in key.items() if name not in ("iat", "nbf")}
    yield "PyJWT", jwt.decode(token, jwt.PyJWK(plain, algorithm).key, [algorithm])
    yield "joserfc", joserfc_jwt.decode(token, joserfc_keys.import_key(plain), algorithms=[algorithm]).claims


def key_files():
    folder = os.path.join(store, "keys")
    keys = [json.load(open(os.path.join(folder, name))) for name in os.listdir(folder)]
    return {key["kid"]: key for key in keys}


def main():
    for algorithm in ["HS256", "EdDSA", "ES256"]:
        made = postern("key", "generate", "--algorithm", algorithm)
        kid = made.stdout.strip()
        check(f"{algorithm}: a key is made", made.returncode == 0, made.stderr)
        key = key_files()[kid]

        for library, token in signed_by_others(key):
            status, answer = fetch("/whoami/", headers={"Authorization": "Bearer " + token})
            check(f"{algorithm}: a token of {library} is taken", (status, answer.get("username")) == (200, "ann"), answer)
            verified = postern("jwt", "verify", "--keys", os.path.join(store, "keys"), text=token)
            check(f"{algorithm}: the command takes it, too", verified.returncode == 0, verified.stderr)
            check(f"{algorithm}: and prints its claims", json.loads(verified.stdout)["user_id"] == user_id)
            spoilt = token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]
            status, answer = fetch("/whoami/", headers={"Authorization": "Bearer " + spoilt})
            check(f"{algorithm}: not when it is spoilt", status == 401, answer)
            refused = postern("jwt", "verify", "--keys", os.path.join(store, "keys"), text=spoilt)
            check(f"{algorithm}: nor does the command take it", refused.returncode == 65 and not refused.stdout, refused.stderr)

        status, pair = fetch("/api/token/", {"username": "ann", "password": PASSWORD})
        check(f"{algorithm}: a login", status == 200, pair)
        if algorithm != "HS256":
            status, published = fetch("/.well-known/jwks.json")
            key = {each["kid"]: each for each in published["keys"]}[kid]
            check(f"{algorithm}: what is published has no private part", not {"d", "k"} & key.keys(), key)
        for name, token in pair.items():
            check(f"{algorithm}: {name} names its key", jwt.get_unverified_header(token) == {"alg": algorithm, "kid": kid, "typ": "JWT"})
            for library, read in read_by_others(token, key):
                check(f"{algorithm}: {library} reads our {name} token", read["user_id"] == user_id and read["token_type"] == name, read)

    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key().public_numbers()
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "theirs.jwk"), "w") as file:
            json.dump({"kty": "RSA", "kid": "theirs", "alg": "RS256", "n": number(public.n), "e": number(public.e)}, file)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        theirs = joserfc_keys.import_key(pem, "RSA")
        for library, token in [
                ("PyJWT", jwt.encode(claims(), pem, "RS256", {"kid": "theirs"})),
                ("joserfc", joserfc_jwt.encode({"alg": "RS256", "kid": "theirs"}, claims(), theirs, algorithms=["RS256"]))]:
            verified = postern("jwt", "verify", "--keys", folder, text=token)
            check(f"RS256: the command takes a token of {library}", verified.returncode == 0, verified.stderr)
        for algorithm in ["RS384", "PS256"]:
            refused = postern("jwt", "verify", "--keys", folder, text=jwt.encode(claims(), pem, algorithm, {"kid": "theirs"}))
            check(f"{algorithm}: refused", refused.returncode == 65, refused.stdout)
        expired = jwt.encode({**claims(), "exp": 1}, pem, "RS256", {"kid": "theirs"})
        refused = postern("jwt", "verify", "--keys", folder, text=expired)
        check("an expired token: refused, and why", (refused.returncode, refused.stderr) == (65, "postern: Token is expired.\n"), refused.stderr)


main()
