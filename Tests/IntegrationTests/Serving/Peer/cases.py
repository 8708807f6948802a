"""What compare.py asks: cases of one or more steps, of which later ones may use what earlier ones were answered.

In a path, a header or a body, {ann.token} and {ann.id} stand for that user's token and id on the side that is asked,
{host} and {origin} for its own address, {1.json.access}, {2.cookie.sessionid} and {1.form.csrfmiddlewaretoken} for
parts of this case's earlier answers, and {craft.NAME} for what the step's callable NAME makes of that side, such as a
JSON Web Token signed with the side's own key.

No case depends on another one, nor on being the first: each takes fresh credentials from the server.
"""
import base64
import hashlib
import hmac
import json
import secrets
import string
import time
from urllib.parse import quote, urlencode

from questions import PASSWORDS, basic, questions

PHRASE = PASSWORDS["ann"]
FORM = "application/x-www-form-urlencoded"
EVERY_METHOD = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "FOO"]


class Step:
    def __init__(self, method, path, headers=(), body="", expect=None, **crafts):
        self.method, self.path, self.headers, self.body = method, path, list(headers), body
        self.expect, self.crafts = expect, crafts

    def with_craft(self, make):
        self.crafts["it"] = make
        return self


class Case:
    def __init__(self, name, *steps):
        self.name, self.steps = name, steps


def short(text):
    """A text as it appears in a case's name."""
    return repr(text) if len(text) <= 50 else f"{text[:20]!r}… ({len(text)} letters)"


def get(path, *headers, method="GET", **more):
    return Step(method, path, headers, **more)


def post_json(path, value, *headers, method="POST", **more):
    """A value is sent as JSON, a text as it is."""
    body = value if isinstance(value, (str, bytes)) else json.dumps(value)
    return Step(method, path, [("Content-Type", "application/json"), *headers], body, **more)


def post_form(path, fields, *headers, method="POST", **more):
    """Placeholders in the fields are left for later: what they stand for needs no quoting."""
    body = fields if isinstance(fields, str) else urlencode(fields, safe="{}")
    return Step(method, path, [("Content-Type", FORM), *headers], body, **more)


def authorization(value):
    return ("Authorization", value)


def bearer(value):
    return authorization("Bearer " + value)


def cookies(**values):
    return ("Cookie", "; ".join(f"{name}={value}" for name, value in values.items()))


def expected(status, body, challenge=None):
    return {"status": status, "body": body, "www-authenticate": challenge, "content-type": "application/json"}


REALM = 'Bearer realm="api"'
NO_ACCOUNT = expected(401, '{"detail":"No active account found for the given token."}', REALM)
NOT_FOUND = expected(401, '{"detail":"User not found","code":"user_not_found"}', REALM)
NO_ID = expected(401, '{"detail":"Token has no id","code":"token_not_valid"}', REALM)
INVALID = expected(401, '{"detail":"Token is invalid","code":"token_not_valid"}', REALM)
INVALID_ACCESS = expected(401, '{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":'
                          '[{"token_class":"AccessToken","token_type":"access","message":"Token is invalid"}]}', REALM)
UNAUTHORIZED = {"status": 401, "www-authenticate": REALM}
REFUSED = {"status": "4xx"}
NO_CRASH = {"status": "2xx or 4xx"}


# JSON Web Tokens

DROP = object()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(value):
    text = value if isinstance(value, (str, bytes)) else json.dumps(value, separators=(",", ":"))
    return base64url(text.encode() if isinstance(text, str) else text)


def signed(side, header, payload, key=None, digest="sha256"):
    """A token of any two texts. It is put together by hand, because libraries refuse to sign nonsense."""
    start = f"{encoded(header)}.{encoded(payload)}"
    return start + "." + base64url(hmac.digest(key if key is not None else side.secret, start.encode(), digest))


def header_of(side, **changes):
    header = {"alg": "HS256", "typ": "JWT", **({} if side.kid is None else {"kid": side.kid}), **changes}
    return {name: value for name, value in header.items() if value is not DROP}


def claims_of(side, kind, **changes):
    """Claims as simplejwt writes them. A callable is given the side, and DROP leaves a claim out."""
    now = int(time.time())
    life = 300 if kind == "access" else 86400
    claims = {"token_type": kind, "exp": now + life, "iat": now, "jti": secrets.token_hex(16),
              "user_id": str(side.users["ann"]["id"]), **changes}
    claims = {name: value(side) if callable(value) else value for name, value in claims.items()}
    return {name: value for name, value in claims.items() if value is not DROP}


def claims(**changes):
    return lambda kind: lambda side: signed(side, header_of(side), claims_of(side, kind, **changes))


def payload(make):
    """The claims' text is the callable's affair: it is given the ordinary claims and returns text or bytes."""
    return lambda kind: lambda side: signed(side, header_of(side), make(claims_of(side, kind)))


def header(digest="sha256", key=None, **changes):
    return lambda kind: lambda side: signed(
        side, header_of(side, **changes), claims_of(side, kind), key(side) if callable(key) else key, digest)


def header_text(text):
    return lambda kind: lambda side: signed(side, text, claims_of(side, kind))


def changed(change):
    """A good token, whose text is then changed."""
    return lambda kind: lambda side: change(signed(side, header_of(side), claims_of(side, kind)))


def text(value):
    return lambda kind: lambda side: value


def now(seconds):
    return lambda side: int(time.time()) + seconds


def user_id(change=lambda value: value, name="ann"):
    return lambda side: change(side.users[name]["id"])


def signature(change):
    def whole(token):
        start, end = token.rsplit(".", 1)
        return start + "." + change(end)
    return changed(whole)


def flipped(text):
    """Changes the first character's value, not only unused bits of the last one."""
    return ("B" if text[0] == "A" else "A") + text[1:]


def other_spelling(text):
    """Same bytes: the last of 43 characters carries two bits that no decoder needs."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


def standard_alphabet(kind):
    def make(side):
        # Only a signature that has both letters shows whether they are taken.
        while True:
            start, end = signed(side, header_of(side), claims_of(side, kind)).rsplit(".", 1)
            if "-" in end and "_" in end:
                return start + "." + end.replace("-", "+").replace("_", "/")
    return make


def doubled(claims):
    return json.dumps(claims)[:-1] + ',"token_type":"access","token_type":"' + claims["token_type"] + '"}'


def literal(name, text):
    """Puts a claim's JSON text in as it stands, for numbers that json does not write."""
    return payload(lambda claims: json.dumps({**claims, name: 0}).replace(f'"{name}": 0', f'"{name}": {text}'))


LONG = "a" * 1000
TOKENS = {
    "good": claims(),
    "without iat": claims(iat=DROP), "no exp": claims(exp=DROP), "no jti": claims(jti=DROP),
    "no token_type": claims(token_type=DROP), "no user_id": claims(user_id=DROP),
    "no claims but exp": lambda kind: lambda side: signed(side, header_of(side), {"exp": now(60)(side)}),
    "no claims but jti": lambda kind: lambda side: signed(side, header_of(side), {"jti": secrets.token_hex(16)}),
    "no claims at all": payload(lambda claims: "{}"),
    "more claims": claims(x_role="admin", x_list=[1, {"a": "ü"}]),
    # Names that Postern's own claims have, or had.
    "epoch in milliseconds": claims(epoch=now(10**12)), "epoch 0": claims(epoch=0), "epoch word": claims(epoch="1"),
    "family name": claims(family="smith", x_family="smith"), "family empty": claims(family=""), "family number": claims(family=1),
    "auth_time long past": claims(auth_time=1), "auth_time word": claims(auth_time="noon"),
    "epoch, family and auth_time": claims(epoch=1, family="smith", auth_time=1),
    "claims of Postern's": claims(**{"postern:epoch": 0, "postern:family": "smith", "postern:login": 1}),
    "a claim of Postern's": claims(**{"postern:family": "smith"}),

    "exp null": claims(exp=None), "exp word": claims(exp="soon"), "exp empty": claims(exp=""),
    "exp digits in a string": claims(exp=lambda side: str(now(60)(side))), "exp list": claims(exp=[1]),
    "exp object": claims(exp={}), "exp true": claims(exp=True), "exp false": claims(exp=False), "exp 0": claims(exp=0),
    "exp negative": claims(exp=-1), "exp past": claims(exp=now(-1)), "exp long past": claims(exp=now(-10**9)),
    "exp fractional": claims(exp=lambda side: time.time() + 60.5),
    "exp fractional past": claims(exp=lambda side: time.time() - 60.5), "exp huge": claims(exp=10**12),
    "exp beyond 64 bits": claims(exp=10**30), "exp Infinity": literal("exp", "Infinity"),
    "exp NaN": literal("exp", "NaN"), "exp 1e400": literal("exp", "1e400"), "exp 4e9": literal("exp", "4e9"),
    "exp year 2100": claims(exp=4102444800), "exp past and wrong type": claims(exp=now(-60), token_type="x"),
    "exp past and no jti": claims(exp=now(-60), jti=DROP), "exp past and iat ahead": claims(exp=now(-60), iat=now(60)),

    "nbf past": claims(nbf=now(-60)), "nbf ahead": claims(nbf=now(60)), "nbf null": claims(nbf=None),
    "nbf word": claims(nbf="x"), "nbf string": claims(nbf="1"), "nbf fractional": claims(nbf=1.5),
    "nbf list": claims(nbf=[]), "nbf true": claims(nbf=True),
    "iat ahead": claims(iat=now(60)), "iat past": claims(iat=now(-10**8)), "iat null": claims(iat=None),
    "iat word": claims(iat="x"), "iat string": claims(iat="1"), "iat fractional": claims(iat=1.5),
    "iat list": claims(iat=[1]), "iat object": claims(iat={}), "iat true": claims(iat=True), "iat negative": claims(iat=-5),

    "jti null": claims(jti=None), "jti number": claims(jti=1), "jti list": claims(jti=["a"]),
    "jti object": claims(jti={}), "jti true": claims(jti=True),
    "jti odd": claims(jti=lambda side: "a b/ü" + secrets.token_hex(8)),
    "jti long": claims(jti=lambda side: secrets.token_hex(100)),

    "type null": claims(token_type=None), "type empty": claims(token_type=""), "type upper case": claims(token_type="ACCESS"),
    "type number": claims(token_type=1), "type list": claims(token_type=["access"]), "type sliding": claims(token_type="sliding"),
    "type access": claims(token_type="access"), "type refresh": claims(token_type="refresh"),

    "sub string": claims(sub="ann"), "sub empty": claims(sub=""), "sub number": claims(sub=1), "sub null": claims(sub=None),
    "sub list": claims(sub=["ann"]), "sub true": claims(sub=True), "aud string": claims(aud="x"), "aud list": claims(aud=["x", "y"]),
    "aud number": claims(aud=1), "aud null": claims(aud=None), "iss string": claims(iss="x"), "iss number": claims(iss=1),
    "iss null": claims(iss=None),

    "user_id number": claims(user_id=user_id()), "user_id with a zero": claims(user_id=user_id(lambda value: f"0{value}")),
    "user_id with spaces": claims(user_id=user_id(lambda value: f" {value} ")),
    "user_id with a plus": claims(user_id=user_id(lambda value: f"+{value}")),
    "user_id negative": claims(user_id=-1), "user_id 0": claims(user_id=0), "user_id unknown number": claims(user_id=999999),
    "user_id unknown": claims(user_id="999999"), "user_id beyond 64 bits": claims(user_id=2**70),
    "user_id beyond 64 bits in a string": claims(user_id=str(2**70)),
    "user_id null": claims(user_id=None), "user_id false": claims(user_id=False), "user_id empty": claims(user_id=""),
    "user_id word": claims(user_id="abc"), "user_id name": claims(user_id="ann"), "user_id list": claims(user_id=[1]),
    "user_id empty list": claims(user_id=[]), "user_id object": claims(user_id={"id": 1}),
    "user_id empty object": claims(user_id={}), "user_id fractional": claims(user_id=user_id(lambda value: value + 0.5)),
    "user_id fraction in a string": claims(user_id="1.0"), "user_id NaN": literal("user_id", "NaN"),
    "user_id Infinity": literal("user_id", "Infinity"),
    "user_id NUL": claims(user_id="\0"), "user_id long": claims(user_id="9" * 5000),
    "user_id of a disabled user": claims(user_id=user_id(str, "ina")),
    "user_id of a disabled user as a number": claims(user_id=user_id(name="ina")),

    "alg none": lambda kind: lambda side: f"{encoded(header_of(side, alg='none'))}.{encoded(claims_of(side, kind))}.",
    "alg none, signed": header(alg="none"),
    "alg None": lambda kind: lambda side: f"{encoded(header_of(side, alg='None'))}.{encoded(claims_of(side, kind))}.",
    "alg NONE, signed": header(alg="NONE"), "alg nOnE": header(alg="nOnE", key=b""), "alg empty": header(alg=""),
    "alg missing": header(alg=DROP), "alg null": header(alg=None), "alg number": header(alg=256), "alg list": header(alg=["HS256"]),
    "alg lower case": header(alg="hs256"), "alg with a space": header(alg="HS256 "), "alg HS384": header("sha384", alg="HS384"),
    "alg HS512": header("sha512", alg="HS512"), "alg RS256": header(alg="RS256"), "alg ES256": header(alg="ES256"),
    "alg EdDSA": header(alg="EdDSA"), "alg HS256, digest of 512 bits": header("sha512"),
    "typ missing": header(typ=DROP), "typ other": header(typ="x"), "typ number": header(typ=1), "typ null": header(typ=None),
    "cty": header(cty="JWT"), "jwk": header(jwk={"kty": "oct", "k": "AAAA"}), "jku": header(jku="http://evil.example/keys"),
    "crit empty": header(crit=[]), "crit unknown": header(crit=["x"], x=1), "crit exp": header(crit=["exp"]),
    "crit no list": header(crit="x"), "crit null": header(crit=None), "b64 false": header(b64=False), "b64 true": header(b64=True),
    "b64 false in crit": header(b64=False, crit=["b64"]),
    "kid number": header(kid=1), "kid null": header(kid=None), "kid list": header(kid=[]),
    "header list": header_text("[]"), "header string": header_text('"HS256"'), "header no JSON": header_text("HS256"),
    "header null": header_text("null"), "header empty": header_text(""), "header not UTF-8": header_text(b'{"alg":"HS256","\xff":1}'),
    "header with spaces": header_text(' { "alg" : "HS256" } '), "header with alg twice": header_text('{"alg":"none","alg":"HS256"}'),
    "payload list": payload(lambda claims: "[]"), "payload string": payload(lambda claims: '"a"'),
    "payload number": payload(lambda claims: "1"), "payload null": payload(lambda claims: "null"),
    "payload empty": payload(lambda claims: ""), "payload no JSON": payload(lambda claims: "claims"),
    "payload not UTF-8": payload(lambda claims: json.dumps(claims)[:-1].encode() + b',"x":"\xff"}'),
    "payload with BOM": payload(lambda claims: "\ufeff" + json.dumps(claims)),
    "payload with spaces": payload(lambda claims: json.dumps(claims, indent=4)),
    "payload with a comma too many": payload(lambda claims: json.dumps(claims)[:-1] + ",}"),
    "payload with a name twice": payload(doubled),
    "payload in UTF-16": payload(lambda claims: json.dumps(claims).encode("utf-16")),
    "payload with a lone surrogate": payload(lambda claims: json.dumps(claims)[:-1] + ',"x":"\\ud800"}'),
    "payload nested 300 times": payload(lambda claims: json.dumps(claims)[:-1] + ',"x":' + "[" * 300 + "]" * 300 + "}"),

    "signed with another key": header(key=b"x" * 32), "signed with no key": header(key=b""),
    "signed with the key's hash": header(key=lambda side: hashlib.sha256(side.secret).digest()),
    "signature missing": signature(lambda text: ""), "signature cut": signature(lambda text: text[:-4]),
    "signature one short": signature(lambda text: text[:-1]), "signature flipped": signature(flipped),
    "signature padded": signature(lambda text: text + "="), "signature padded twice": signature(lambda text: text + "=="),
    "signature longer": signature(lambda text: text + "AAAA"), "signature one longer": signature(lambda text: text + "A"),
    "signature of zeros": signature(lambda text: "A" * 43), "signature spelled otherwise": signature(other_spelling),
    "signature with foreign letters": signature(lambda text: text[:20] + "!!!!" + text[20:]),
    "signature with a dot": signature(lambda text: text + "."), "signature twice": signature(lambda text: f"{text}.{text}"),
    "signature in the standard alphabet": standard_alphabet,
    "payload exchanged": changed(lambda token: ".".join([*token.split(".")[:1], encoded({"user_id": 1}), token.split(".")[2]])),
    "payload padded": changed(lambda token: ".".join([token.split(".")[0], token.split(".")[1] + "=", token.split(".")[2]])),
    "header padded": changed(lambda token: token.replace(".", "=.", 1)),
    "without signature part": changed(lambda token: token.rsplit(".", 1)[0]),
    "with a part before": changed(lambda token: "a." + token),
    "in quotes": changed(lambda token: f"'{token}'"), "in upper case": changed(str.upper),

    "one letter": text("a"), "two parts": text("a.b"), "three letters": text("a.b.c"), "two dots": text(".."), "one dot": text("."),
    "three dots": text("..."), "four dots": text("...."), "empty header": text(".e30."), "foreign letters": text("é.b.c"),
    "percent signs": text("%00.%00.%00"), "brace": text("{}"), "null": text("null"), "undefined": text("undefined"),
    "long": text(LONG), "long with dots": text(f"{LONG}.{LONG}.{LONG}"),
    "DRF's token": lambda kind: lambda side: side.users["ann"]["token"],
    "five parts": text("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA"),
}

# What to answer where the peer has nothing but 500, by place and token.
BAD_IDS = ["user_id word", "user_id name", "user_id list", "user_id empty list", "user_id object", "user_id empty object",
           "user_id NaN", "user_id Infinity", "user_id fraction in a string", "user_id empty", "user_id NUL", "user_id long"]
UNKNOWN_IDS = ["user_id negative", "user_id unknown number", "user_id unknown", "user_id beyond 64 bits",
               "user_id beyond 64 bits in a string"]
CRASHES = {
    **{("jwt", name): NOT_FOUND for name in BAD_IDS},
    **{("refresh", name): NO_ACCOUNT for name in BAD_IDS + UNKNOWN_IDS},
    **{("blacklist", name): NO_CRASH for name in BAD_IDS},
    **{(place, name): NO_ID for place in ["refresh", "blacklist"] for name in ["no jti", "no claims but exp"]},
    **{(place, "no claims at all"): UNAUTHORIZED for place in ["refresh", "blacklist"]},
    **{(place, name): NO_CRASH for place in ["refresh", "blacklist"] for name in ["iss number", "iss null"]},
    ("jwt", "exp digits in a string"): INVALID_ACCESS,
    **{(place, "exp digits in a string"): INVALID for place in ["refresh", "verify", "blacklist"]},
    **{(place, name): NO_CRASH for place in ["jwt", "refresh", "verify", "blacklist"]
       for name in ["exp huge", "exp beyond 64 bits"]},
}


def jwt_cases():
    for name, make in TOKENS.items():
        access, refresh = make("access"), make("refresh")
        yield Case(f"jwt: {name}", get("/jwt/", bearer("{craft.it}"), expect=CRASHES.get(("jwt", name)), it=access))
        yield Case(f"refresh: {name}", post_json(
            "/api/token/refresh/", '{"refresh":"{craft.it}"}', expect=CRASHES.get(("refresh", name)), it=refresh))
        yield Case(f"verify: {name}", post_json(
            "/api/token/verify/", '{"token":"{craft.it}"}', expect=CRASHES.get(("verify", name)), it=access))
        yield Case(f"blacklist: {name}", post_json(
            "/api/token/blacklist/", '{"refresh":"{craft.it}"}', expect=CRASHES.get(("blacklist", name)), it=refresh))
    # Only where nothing is written: a second run would find it blacklisted.
    yield Case("jwt: jti empty", get("/jwt/", bearer("{craft.it}"), it=claims(jti="")("access")))
    for name in ["no exp", "no jti", "no token_type", "exp past", "good", "user_id of a disabled user", "user_id unknown"]:
        yield Case(f"verify a refresh token: {name}", post_json(
            "/api/token/verify/", '{"token":"{craft.it}"}', it=TOKENS[name]("refresh")))
    for name in ["good", "exp past", "no jti", "no user_id", "user_id of a disabled user", "signature flipped"]:
        for path in ["/jwt-public/", "/jwt-token/", "/token-jwt/", "/all/"]:
            yield Case(f"{path} with a token: {name}", get(path, bearer("{craft.it}"), it=TOKENS[name]("access")))
    good = TOKENS["good"]("access")
    for method in EVERY_METHOD:
        for path in ["/jwt/", "/jwt-public/", "/token-jwt/"]:
            yield Case(f"{method} {path} with a good token", get(path, bearer("{craft.it}"), method=method, it=good))
            yield Case(f"{method} {path} with a bad token", get(path, bearer("x.y.z"), method=method))
            yield Case(f"{method} {path} with nothing", get(path, method=method))
    for value in ["Bearer  {craft.it}", "Bearer\t{craft.it}", "Bearer {craft.it} ", "bearer {craft.it}", "BEARER {craft.it}",
                  "Bearer {craft.it} x", "Bearer {craft.it},", "Bearer, {craft.it}", "JWT {craft.it}", "Token {craft.it}",
                  "{craft.it}", "Bearer{craft.it}", "Bearer:{craft.it}", "Bearer {craft.it}\u00e9", "Bearer \u00a0{craft.it}"]:
        for path in ["/jwt/", "/jwt-token/", "/token-jwt/"]:
            yield Case(f"{path} with {value!r}", get(path, authorization(value), it=good))
    yield Case("jwt: in other places", *[
        get("/jwt/?access={craft.it}", it=good), get("/jwt/", ("X-Authorization", "Bearer {craft.it}"), it=good),
        get("/jwt/", cookies(access="{craft.it}"), it=good), post_form("/jwt/", {"token": "{craft.it}"}, it=good)])
    yield Case("jwt: 406 before 401", get("/jwt/", bearer("x"), ("Accept", "text/html")))
    yield Case("jwt: 404 before 401", get("/jwt/?format=xml", bearer("x")))
    yield Case("jwt: 401 before 405", get("/jwt/", bearer("x"), method="FOO"))
    yield Case("jwt: a body that is never read", post_json("/jwt/", "{", bearer("{craft.it}"), it=good))
    yield Case("jwt: a body of unknown type", Step(
        "POST", "/jwt/", [bearer("{craft.it}"), ("Content-Type", "text/plain")], "x", it=good))


def header_cases():
    """Every odd header at every view with authenticators."""
    odd = ["", " ", "Token", "Token a b", "Token {ann.token}", "Token {ina.token}", "token {ann.token}", "Token {ann.token} x",
           "Token 0000000000000000000000000000000000000000", "Token \u00ff\u00fe", "Token " + "0" * 64, "Token " + "f" * 4000,
           "Bearer", "Bearer a b", "Bearer a", "Bearer {ann.token}", "Bearer \u00ff", "bearer", "Basic", "Basic a b",
           "Basic @@@@", "Basic YQ==", basic("ann", PHRASE), basic("ann", "wrong"), basic("ina", PHRASE),
           basic("émile", PASSWORDS["émile"]), "Digest x", "Negotiate", "JWT x", "x"]
    paths = ["/jwt/", "/jwt-public/", "/session/", "/session-public/", "/knox/", "/session-token/", "/token-session/",
             "/jwt-token/", "/token-jwt/", "/session-basic/", "/all/"]
    for path in paths:
        for value in odd:
            expect = None
            if "\u00ff\u00fe" in value and path == "/knox/":
                expect = expected(401, '{"detail":"Invalid token header. Token string should not contain invalid '
                                       'characters."}', "Token")
            # A token of DRF's is none of knox's.
            across = "across: " if path == "/knox/" and ".token}" in value else ""
            yield Case(f"{across}{path} with {short(value)}", get(path, authorization(value), expect=expect))
        for method in EVERY_METHOD[1:]:
            yield Case(f"{method} {path} by nobody", get(path, method=method))
            if "token" in path or path == "/all/":
                yield Case(f"{method} {path} with a token", get(path, authorization("Token {ann.token}"), method=method))
        yield Case(f"{path} wants HTML", get(path, ("Accept", "text/html")))
        yield Case(f"{path} as XML", get(path + "?format=xml"))
        yield Case(f"{path} without slash", get(path[:-1]))
    yield Case("TRACE on a view that lets readers in", get("/notes/", method="TRACE"))
    for path in ["/secure", "/api/token", "/api/auth/login", "/api-auth/login", "/secure?a=b&c=%20d"]:
        yield Case(f"without slash: GET {path}", get(path))
        yield Case(f"without slash: HEAD {path}", get(path, method="HEAD"))
        yield Case(f"without slash: POST {path}", get(path, method="POST"))
    for path in ["/https/secure/", "/https/jwt/", "/https/session/", "/https/public/"]:
        yield Case(f"over TLS: {path}", get(path), get(path, authorization("Token {ann.token}")))


# Endpoints

ENDPOINTS = {"/api/token/": ["username", "password"], "/api/token/refresh/": ["refresh"], "/api/token/verify/": ["token"],
             "/api/token/blacklist/": ["refresh"]}
KNOX = ["/api/auth/login/", "/api/auth/logout/", "/api/auth/logoutall/", "/limited-login/", "/endless-login/"]


def multipart(*fields):
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    return "".join(parts) + "--b--\r\n"


def multipart_base64(*fields):
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n{value}\r\n'
             for name, value in fields]
    return "".join(parts) + "--b--\r\n"


def body_cases(path, fields):
    first, last = fields[0], fields[-1]

    def all_of(value):
        return json.dumps({name: value for name in fields})

    texts = {
        "empty": "", "empty object": "{}", "list": "[]", "list of objects": "[{}]", "string": '"x"', "number": "1", "float": "1.5",
        "true": "true", "null": "null", "null fields": all_of(None), "blank fields": all_of(""), "white space": all_of(" \t\u00a0"),
        "numbers": all_of(1), "floats": all_of(1.5), "true fields": all_of(True), "lists": all_of([1]), "empty lists": all_of([]),
        "objects": all_of({"a": 1}), "NUL": all_of("a\0"), "lone surrogate": '{"%s":"a\\ud800"}' % first, "words": all_of("x"),
        "only the first": '{"%s":"x"}' % first, "only the last": '{"%s":"x"}' % last, "other names": '{"x":1}',
        "name in upper case": '{"%s":"x"}' % first.upper(), "doubled name": '{"%s":"x","%s":null}' % (first, first),
        "long": all_of("x" * 5000), "not UTF-8": '{"%s":"\udcff"}' % first, "open brace": "{", "trailing comma": '{"%s":"x",}' % first,
        "extra data": "{} x", "single quotes": "{'a':1}", "BOM": "\ufeff{}", "white space only": "  ", "NaN": '{"%s":NaN}' % first,
        "large number": '{"%s":1e400}' % first, "nested 100 times": "[" * 100 + "]" * 100,
        "nested 100 times in a field": '{"%s":%s1%s}' % (first, "[" * 100, "]" * 100), "form": f"{first}=x&{last}=x",
        "line separators": all_of("\u2028\u2029"), "name with an escape": '{"\\u0%03x%s":"x"}' % (ord(first[0]), first[1:])}
    for name, body in texts.items():
        yield Case(f"{path} JSON: {name}", post_json(path, body))
    forms = {
        "nothing": "x", "empty": "", "blank": f"{first}=&{last}=", "words": f"{first}=x&{last}=x", "white space": f"{first}=+%20&{last}=+",
        "NUL": f"{first}=%00&{last}=x", "last wins": f"{first}=x&{first}=&{last}=x", "not UTF-8": f"{first}=%ff&{last}=%ff",
        "bad percent": f"{first}=%zz&{last}=%", "JSON": all_of("x"), "semicolon": f"{first}=x;{last}=x", "list": f"{first}[]=x"}
    for name, body in forms.items():
        yield Case(f"{path} form: {name}", post_form(path, body))
    parts = {"nothing": multipart(), "words": multipart(*[(name, "x") for name in fields]), "blank": multipart((first, "")),
             "file": multipart((first + '"; filename="x', "x")), "base64": multipart_base64((first, "eA==")),
             "blank in base64": multipart_base64((first, "IA==")), "no base64": multipart_base64((first, "eA")), "JSON": all_of("x"), "cut": multipart((first, "x"))[:-9]}
    for name, body in parts.items():
        yield Case(f"{path} multipart: {name}", Step("POST", path, [("Content-Type", "multipart/form-data; boundary=b")], body))
    yield Case(f"{path} multipart without boundary", Step("POST", path, [("Content-Type", "multipart/form-data")], multipart()))
    for value in ["text/plain", "", "application/vnd.api+json", "text/plain; charset=utf-8", "application/xml", "json",
                  "application/json; charset=utf-8", "application/json; charset=latin-1", "APPLICATION/JSON", "*/*",
                  "application/*", "application/json;", "application/json, text/plain", "text/\u00e4"]:
        yield Case(f"{path} Content-Type {value!r}", Step("POST", path, [("Content-Type", value)], "{}"))
    # In other encodings: the same text is another one, or none.
    both = "".join('%s"%s":"\u00e9x"' % ("," if name != first else "{", name) for name in fields) + "}"
    for charset in ["latin-1", "ISO-8859-1", "iso8859_1", "l1", "utf-8", "UTF8", "utf-8-sig", "us-ascii", "utf-16", "utf-16-le", "UTF-16BE",
                    "no-such", "", '"latin-1"']:
        for encoding in ["utf-8", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"]:
            yield Case(f"{path} JSON in {encoding} said to be {charset!r}", Step(
                "POST", path, [("Content-Type", f"application/json; charset={charset}")], both.encode(encoding)))
        if charset in ("latin-1", "ISO-8859-1", "l1", "utf-8", "UTF8", "no-such", ""):
            for value in ["%E9", "%C3%A9", "a+b"]:
                yield Case(f"{path} form {value} said to be {charset!r}", Step(
                    "POST", path, [("Content-Type", f"{FORM}; charset={charset}")], f"{first}={value}&{last}={value}"))
    yield Case(f"{path} body without type", Step("POST", path, (), "{}"))
    yield Case(f"{path} no body, unknown type", Step("POST", path, [("Content-Type", "text/plain")]))
    yield Case(f"{path} no body, no type", Step("POST", path))


def endpoint_cases():
    for path, fields in ENDPOINTS.items():
        yield from body_cases(path, fields)
    # DRF's parser does not catch json's RecursionError, so the peer answers 500.
    for path in [*ENDPOINTS, "/api-token-auth/"]:
        yield Case(f"{path} JSON: nested 100000 times", post_json(path, "[" * 100000, expect=REFUSED))
    for path in [*ENDPOINTS, *KNOX, "/session-token-auth/"]:
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "FOO"]:
            yield Case(f"{method} {path}", get(path, method=method))
            yield Case(f"{method} {path} with bad credentials", get(path, authorization("Token x"), method=method))
        for value in ["", "Token", "Token x", "Token a b", "Bearer", "Bearer x", "Bearer a b", "Basic x", "Basic a b", "Basic",
                      basic("ann", "wrong"), basic("ina", PHRASE), "Digest x", "Token \u00ff", "Bearer \u00ff"]:
            crash = path in ("/api/auth/login/", "/api/auth/logout/", "/api/auth/logoutall/") and value == "Token \u00ff"
            expect = expected(401, '{"detail":"Invalid token header. Token string should not contain invalid characters."}',
                              "Token") if crash else None
            yield Case(f"{path} under {value!r}", post_json(path, "{}", authorization(value), expect=expect))
        yield Case(f"{path} wants HTML", post_json(path, "{}", ("Accept", "text/html")))
        yield Case(f"{path} wants HTML and sends text", Step(
            "POST", path, [("Accept", "text/html"), ("Content-Type", "text/plain")], "x"))
        yield Case(f"{path} indented", post_json(path, "{}", ("Accept", "application/json; indent=4")))
        yield Case(f"{path} as XML", post_json(path + "?format=xml", "{}"))
        yield Case(f"{path} over TLS", post_json("/https" + path, "{}"))
    for path in KNOX:
        yield Case(f"{path} with a session's cookie", post_json(path, "{}", cookies(sessionid="x" * 32)))
    for name, body in {
            "unknown user": '{"username":"nobody","password":"x"}', "wrong password": '{"username":"ann","password":"x"}',
            "disabled user": json.dumps({"username": "ina", "password": PHRASE}),
            "disabled user, wrong password": '{"username":"ina","password":"x"}',
            "other case": json.dumps({"username": "ANN", "password": PHRASE})}.items():
        for path in ["/api/token/", "/session-token-auth/"]:
            yield Case(f"{path} {name}", post_json(path, body))
    good = {"username": "bob", "password": PHRASE}
    for path in ["/api/token/", "/api-token-auth/"]:
        for name, changes in {
                "as it is": {}, "spaces around the name": {"username": " bob\t"}, "spaces around the password": {"password": f" {PHRASE} "},
                "non-breaking space": {"username": "bob\u00a0"}, "more fields": {"x": 1, "next": "/"},
                "letters beyond ASCII": {"username": "émile", "password": PASSWORDS["émile"]},
                "a letter and its accent": {"username": "e\u0301mile", "password": PASSWORDS["émile"]},
                "colons": {"username": "stella", "password": PASSWORDS["stella"]}}.items():
            yield Case(f"{path} good: {name}", post_json(path, {**good, **changes}))
        yield Case(f"{path} good: as a form", post_form(path, good))
        yield Case(f"{path} good: as multipart", Step(
            "POST", path, [("Content-Type", "multipart/form-data; boundary=b")], multipart(*good.items())))
        yield Case(f"{path} good: as multipart in base64", Step(
            "POST", path, [("Content-Type", "multipart/form-data; boundary=b")],
            multipart_base64(*[(name, base64.b64encode(value.encode()).decode()) for name, value in good.items()])))
        yield Case(f"{path} good: last name wins", post_json(path, '{"username":"x",' + json.dumps(good)[1:]))
        yield Case(f"{path} good: indented", post_json(path, good, ("Accept", "application/json; indent=2")))
        yield Case(f"{path} good: as a query", post_json(f"{path}?{urlencode(good)}", "{}"))
        yield Case(f"{path} good: over TLS", post_json("/https" + path, good))
    yield Case("/api/token/ good, under a bad header", *[
        post_json("/api/token/", good, authorization(value)) for value in ["Token x", "Bearer x", "Basic x", "Bearer"]])
    yield Case("/session-token-auth/ good", post_json("/session-token-auth/", good))
    yield Case("/session-token-auth/ good, under a bad header", post_json("/session-token-auth/", good, authorization("Basic x")))


# JSON Web Tokens in several steps

def obtain(user="dora", prefix=""):
    return post_json(prefix + "/api/token/", {"username": user, "password": PHRASE})


def refresh(value, prefix=""):
    return post_json(prefix + "/api/token/refresh/", {"refresh": value})


def verify(value):
    return post_json("/api/token/verify/", {"token": value})


def blacklist(value):
    return post_json("/api/token/blacklist/", {"refresh": value})


def use(value, path="/jwt/", method="GET"):
    return get(path, bearer(value), method=method)


def jwt_flows():
    first, access = "{1.json.refresh}", "{1.json.access}"
    yield Case("jwt flow: obtain, use, refresh, use", obtain(), use(access), refresh(first), use("{3.json.access}"))
    yield Case("jwt flow: the old access token after a refresh", obtain(), refresh(first), use(access), use("{2.json.access}"))
    yield Case("jwt flow: old refresh token after the new one's use", obtain(), refresh(first), refresh("{2.json.refresh}"),
               use("{3.json.access}"), refresh(first))
    yield Case("jwt flow: old refresh token after the new access token's use", obtain(), refresh(first), use("{2.json.access}"),
               refresh(first))
    yield Case("jwt flow: old refresh token at once", obtain(), refresh(first), refresh(first))
    yield Case("jwt flow: five generations", obtain(), *[refresh(f"{{{number}.json.refresh}}") for number in range(1, 6)],
               use("{6.json.access}"))
    yield Case("jwt flow: first of three generations", obtain(), refresh(first), refresh("{2.json.refresh}"),
               refresh("{3.json.refresh}"), refresh(first))
    yield Case("jwt flow: verify after a refresh", obtain(), refresh(first), verify("{2.json.refresh}"), verify("{2.json.access}"),
               verify(first))
    yield Case("jwt flow: blacklist what was refreshed", obtain(), refresh(first), blacklist(first))
    yield Case("jwt flow: verify both", obtain(), verify(first), verify(access))
    yield Case("jwt flow: verify does not use it up", obtain(), verify(first), verify(first), refresh(first))
    yield Case("jwt flow: blacklist, refresh", obtain(), blacklist(first), refresh(first))
    yield Case("jwt flow: blacklist twice", obtain(), blacklist(first), blacklist(first))
    yield Case("jwt flow: blacklist, verify", obtain(), blacklist(first), verify(first))
    yield Case("jwt flow: blacklist the successor", obtain(), refresh(first), blacklist("{2.json.refresh}"),
               refresh("{2.json.refresh}"), verify("{2.json.refresh}"))
    yield Case("jwt flow: blacklist the access token", obtain(), blacklist(access), use(access), refresh(first))
    yield Case("jwt flow: refresh with the access token", obtain(), refresh(access), use(access), refresh(first))
    yield Case("jwt flow: use the refresh token", obtain(), use(first), use(first, "/jwt-public/"), use(first, "/token-jwt/"))
    yield Case("jwt flow: two families", obtain(), obtain(), blacklist(first), refresh("{2.json.refresh}"), use("{4.json.access}"))
    yield Case("jwt flow: two families, one reused", obtain(), obtain(), refresh(first), refresh("{3.json.refresh}"), refresh(first),
               use("{2.json.access}"), refresh("{2.json.refresh}"))
    yield Case("jwt flow: two users", obtain("dora"), obtain("bob"), blacklist(first), refresh("{2.json.refresh}"))
    yield Case("jwt flow: wrong, then right", post_json("/api/token/", {"username": "dora", "password": "wrong"}), obtain(),
               use("{2.json.access}"))
    for path in ["/jwt/", "/jwt-public/", "/jwt-token/", "/token-jwt/", "/all/"]:
        yield Case(f"jwt flow: every method at {path}", obtain(), *[use(access, path, method) for method in EVERY_METHOD])
    yield Case("jwt flow: not where JWT is no authenticator", obtain(), *[
        use(access, path) for path in ["/secure/", "/public/", "/bearer/", "/session/", "/knox/", "/session-token/"]])
    yield Case("jwt flow: another scheme's name", obtain(), *[
        get(path, authorization(f"{scheme} {access}")) for path in ["/jwt/", "/token-jwt/", "/jwt-token/"]
        for scheme in ["Token", "JWT", "bearer", "Basic"]])
    yield Case("jwt flow: spaces around the refresh token", obtain(), refresh(f"  {first}\t"))
    yield Case("jwt flow: line break after the refresh token", obtain(), verify(first + "\n"), refresh(first + "\n"))
    yield Case("jwt flow: spaces around the verified token", obtain(), verify(f" {access} "))
    yield Case("jwt flow: spaces around the blacklisted token", obtain(), blacklist(f" {first} "), refresh(first))
    yield Case("jwt flow: as forms", post_form("/api/token/", {"username": "dora", "password": PHRASE}),
               post_form("/api/token/verify/", {"token": access}), post_form("/api/token/refresh/", {"refresh": first}),
               post_form("/api/token/blacklist/", {"refresh": "{3.json.refresh}"}),
               post_form("/api/token/refresh/", {"refresh": "{3.json.refresh}"}))
    kind = [("Content-Type", "multipart/form-data; boundary=b")]
    yield Case("jwt flow: as multipart", obtain(), Step("POST", "/api/token/verify/", kind, multipart(("token", access))),
               Step("POST", "/api/token/refresh/", kind, multipart(("refresh", first))))
    yield Case("jwt flow: more fields than asked for", obtain(), post_json(
        "/api/token/refresh/", {"refresh": first, "access": "x", "token": 1}))
    yield Case("jwt flow: the token under the wrong name", obtain(), post_json("/api/token/refresh/", {"token": first}),
               post_json("/api/token/verify/", {"refresh": first}), post_json("/api/token/blacklist/", {"token": first}),
               refresh(first))
    yield Case("jwt flow: a bad header changes nothing", obtain(), *[
        post_json("/api/token/verify/", {"token": first}, authorization(value)) for value in ["Bearer x", "Token x", "Basic x"]],
        post_json("/api/token/refresh/", {"refresh": first}, bearer("x")))
    yield Case("jwt flow: over TLS", obtain(prefix="/https"), use(access, "/https/jwt/"), refresh(first, "/https"),
               use("{3.json.access}"))
    yield Case("jwt flow: the last letter changed", obtain(), *[
        use("{craft.it}", path).with_craft(lambda side: flipped(side.get("1.json.access"))) for path in ["/jwt/", "/all/"]])
    yield Case("jwt flow: claims of one, signature of the other", obtain("dora"), obtain("bob"), use("{craft.it}").with_craft(
        lambda side: side.get("1.json.access").rsplit(".", 1)[0] + "." + side.get("2.json.access").rsplit(".", 1)[-1]))
    yield Case("jwt flow: claims of a crafted refresh token are passed on", post_json(
        "/api/token/refresh/", '{"refresh":"{craft.it}"}', it=TOKENS["more claims"]("refresh")), use(access), refresh(first))
    yield Case("jwt flow: a refresh token with a number for user_id", post_json(
        "/api/token/refresh/", '{"refresh":"{craft.it}"}', it=TOKENS["user_id number"]("refresh")), use(access), refresh(first))
    yield Case("jwt flow: a crafted refresh token, blacklisted", post_json(
        "/api/token/refresh/", '{"refresh":"{craft.it}"}', it=TOKENS["good"]("refresh")), blacklist(first), refresh(first))
    yield Case("jwt flow: HEAD and OPTIONS with the token", obtain(), use(access, method="HEAD"), use(access, method="OPTIONS"))
    yield Case("jwt flow: refresh twice in one body", obtain(), post_json(
        "/api/token/refresh/", f'{{"refresh":"x","refresh":"{first}"}}'))
    yield Case("jwt flow: refresh in a list", obtain(), post_json("/api/token/refresh/", [{"refresh": first}]), refresh(first))
    yield Case("jwt flow: refresh by GET", obtain(), get(f"/api/token/refresh/?refresh={first}"), refresh(first))
    yield Case("jwt flow: refresh by PUT", obtain(), post_json("/api/token/refresh/", {"refresh": first}, method="PUT"),
               refresh(first))


# knox

def knox_login(user="bob", path="/api/auth/login/", body=""):
    return Step("POST", path, [authorization(basic(user, PHRASE))], body)


def knox_use(value, path="/knox/", method="GET"):
    return get(path, authorization("Token " + value), method=method)


def knox_flows():
    token = "{1.json.token}"
    yield Case("knox flow: login, use, logout, use", knox_login(), knox_use(token), knox_use(token, "/api/auth/logout/", "POST"),
               knox_use(token))
    yield Case("knox flow: logout twice", knox_login(), knox_use(token, "/api/auth/logout/", "POST"),
               knox_use(token, "/api/auth/logout/", "POST"))
    yield Case("knox flow: one token's logout leaves the other", knox_login(), knox_login(),
               knox_use(token, "/api/auth/logout/", "POST"), knox_use(token), knox_use("{2.json.token}"))
    yield Case("knox flow: logoutall", knox_login("carl"), knox_login("carl"), knox_use(token, "/api/auth/logoutall/", "POST"),
               knox_use(token), knox_use("{2.json.token}"))
    yield Case("knox flow: logoutall ends nobody else's", knox_login("carl"), knox_login("bob"),
               knox_use(token, "/api/auth/logoutall/", "POST"), knox_use("{2.json.token}"))
    yield Case("knox flow: a token for a token", knox_login(), knox_use(token, "/api/auth/login/", "POST"), knox_use("{2.json.token}"),
               knox_use(token, "/api/auth/logout/", "POST"), knox_use("{2.json.token}"))
    full = "/limited-login/"
    yield Case("knox flow: limit", knox_login("carl"), knox_use(token, "/api/auth/logoutall/", "POST"), knox_login("carl", full),
               knox_login("carl", full), knox_login("carl", full), knox_use("{3.json.token}"),
               knox_use("{3.json.token}", "/api/auth/logout/", "POST"), knox_login("carl", full),
               knox_use("{8.json.token}", "/api/auth/logoutall/", "POST"), knox_login("carl", full))
    yield Case("knox flow: limit counts every login's tokens", knox_login("carl"), knox_use(token, "/api/auth/logoutall/", "POST"),
               knox_login("carl"), knox_login("carl", "/endless-login/"), knox_login("carl", full), knox_login("carl"),
               knox_use("{3.json.token}", "/api/auth/logoutall/", "POST"))
    yield Case("knox flow: endless", knox_login(path="/endless-login/"), knox_use(token), knox_use(token, "/api/auth/logout/", "POST"),
               knox_use(token))
    yield Case("knox flow: every method", knox_login(), *[knox_use(token, method=method) for method in EVERY_METHOD])
    yield Case("knox flow: spellings", knox_login(), *[get("/knox/", authorization(value)) for value in [
        f"tOkEn {token}", f"Token   {token}", f"Token\t{token}", f"Token {token} ", f"Token {token} x", f"Bearer {token}", token,
        f"Token{token}", f"Token {token}0", f'Token "{token}"', f"Token {token},"]])
    changes = {"cut": lambda text: text[:-1], "only the key": lambda text: text[:15], "other digits after the key":
               lambda text: text[:15] + "0" * 49, "upper case": str.upper, "another start": lambda text: "00000" + text[5:]}
    for name, change in changes.items():
        yield Case(f"knox flow: token changed: {name}", knox_login(), knox_use("{craft.it}").with_craft(
            lambda side, change=change: change(side.get("1.json.token"))))
    yield Case("knox flow: logout by GET", knox_login(), knox_use(token, "/api/auth/logout/"), knox_use(token))
    yield Case("knox flow: logout by OPTIONS", knox_login(), knox_use(token, "/api/auth/logout/", "OPTIONS"),
               knox_use(token, "/api/auth/logoutall/", "OPTIONS"), knox_use(token, "/api/auth/login/", "OPTIONS"), knox_use(token))
    yield Case("knox flow: logout by Basic", Step("POST", "/api/auth/logout/", [authorization(basic("bob", PHRASE))]))
    yield Case("across: knox flow: logout with DRF's token", knox_use("{émile.token}x", "/api/auth/logout/", "POST"))
    yield Case("knox flow: login with a body", knox_login(body="{}"), knox_login(body="username=x"), knox_login(body="{"))
    yield Case("knox flow: login by password in the body alone", post_json(
        "/api/auth/login/", {"username": "bob", "password": PHRASE}))
    yield Case("knox flow: logout with a body", knox_login(), post_json(
        "/api/auth/logout/", "{", authorization("Token " + token)), knox_use(token))
    for path in ["/api/auth/login/", "/limited-login/", "/endless-login/"]:
        for user, password in [("bob", "wrong"), ("ina", PHRASE), ("nobody", PHRASE), ("", ""), ("Bob", PHRASE)]:
            yield Case(f"knox flow: {path} by {user!r} with {password[:7]!r}", Step(
                "POST", path, [authorization(basic(user, password))]))
    yield Case("knox flow: login under every method", *[
        Step(method, "/api/auth/login/", [authorization(basic("bob", PHRASE))]) for method in ["GET", "HEAD", "OPTIONS", "PUT", "FOO"]])
    yield Case("knox flow: login wants HTML", Step(
        "POST", "/api/auth/login/", [authorization(basic("bob", PHRASE)), ("Accept", "text/html")]))
    yield Case("knox flow: login indented", Step(
        "POST", "/api/auth/login/", [authorization(basic("bob", PHRASE)), ("Accept", "application/json; indent=4")]))
    yield Case("knox flow: over TLS", knox_login(path="/https/api/auth/login/"), knox_use(token, "/https/knox/"),
               knox_use(token, "/https/api/auth/logout/", "POST"), knox_use(token))
    yield Case("across: knox flow: knox's token where DRF's is asked for", knox_login(), *[
        knox_use(token, path) for path in ["/secure/", "/all/", "/token-jwt/", "/session-token/"]])
    yield Case("knox flow: knox's token where no Token is", knox_login(), knox_use(token, "/jwt/"), knox_use(token, "/session/"))
    yield Case("jwt and knox flow: a Bearer token does not log in", obtain("bob"), get(
        "/api/auth/login/", bearer("{1.json.access}"), method="POST"))


# Words before a credential, and claims of one's own

def setting_cases():
    token = "{1.json.token}"
    for path in ["/token-or-knox/", "/knox-or-token/"]:
        yield Case(f"words: {path}", knox_login(), *[get(path, authorization(value)) for value in [
            "Token {ann.token}", "tOKEN {ann.token}", f"Knox {token}", f"kNOX\t{token}", "Token x", "Knox x", "Token", "Knox",
            "Token a b", "Knox a b", "Token {ina.token}", "Bearer x", "Key x", ""]], get(path), get(path, method="POST"))
        yield Case(f"across: words: {path}", knox_login(), *[get(path, authorization(value)) for value in [
            "Knox {ann.token}", f"Token {token}"]])
    good = TOKENS["good"]("access")
    for value in ["JWT {craft.it}", "Bearer {craft.it}", "jwt {craft.it}", "bearer {craft.it}", "Token {craft.it}", "JWT  {craft.it}",
                  "JWT", "Bearer", "JWT a b", "JWT x", "Bearer x", "JWT {ann.token}", "{craft.it}", ""]:
        yield Case(f"words: /jwt-words/ with {value!r}", get("/jwt-words/", authorization(value), it=good))

    subjects = {
        "good": claims(sub=user_id(str), user_id=DROP), "beside user_id": claims(sub=user_id(str), user_id=user_id(str, "stella")),
        "beside user_id of nobody": claims(sub=user_id(str), user_id="x"), "none": claims(), "number": claims(sub=user_id()),
        "null": claims(sub=None), "unknown": claims(sub="999999"), "empty": claims(sub=""), "word": claims(sub="ann"),
        "of a disabled user": claims(sub=user_id(str, "ina"))}
    for name, make in subjects.items():
        crash = name in ("empty", "word")
        yield Case(f"sub: jwt: {name}", get(
            "/jwt-sub/", bearer("{craft.it}"), expect=NOT_FOUND if crash else None, it=make("access")))
        if name != "none":
            yield Case(f"sub: refresh: {name}", post_json(
                "/sub/api/token/refresh/", '{"refresh":"{craft.it}"}',
                expect=NO_ACCOUNT if crash or name == "unknown" else None, it=make("refresh")))
    access = "{1.json.access}"
    yield Case("sub: obtain, use, refresh, use", obtain(prefix="/sub"), use(access, "/jwt-sub/"), use(access),
               refresh("{1.json.refresh}", "/sub"), use("{4.json.access}", "/jwt-sub/"), use("{4.json.access}"))
    yield Case("sub: not where another claim is meant", obtain(), use(access, "/jwt-sub/"))


# Sessions

CHARACTERS = string.ascii_letters + string.digits
SESSION, CSRF = "{2.cookie.sessionid}", "{2.cookie.csrftoken}"
OWN = cookies(sessionid=SESSION, csrftoken=CSRF)


def masked(name):
    """Django's masked form of a secret: 32 random letters, then the secret's letters moved on by them."""
    def make(side):
        secret = side.get(name)
        if not set(secret) <= set(CHARACTERS) or len(secret) not in (32, 64):
            return secret
        if len(secret) == 64:
            secret = "".join(CHARACTERS[(CHARACTERS.index(b) - CHARACTERS.index(a)) % 62] for a, b in zip(secret, secret[32:]))
        mask = [secrets.choice(CHARACTERS) for _ in secret]
        return "".join(mask) + "".join(
            CHARACTERS[(CHARACTERS.index(a) + CHARACTERS.index(b)) % 62] for a, b in zip(secret, mask))
    return make


def login_fields(user="dora", number=1, **more):
    return {"csrfmiddlewaretoken": f"{{{number}.form.csrfmiddlewaretoken}}", "username": user, "password": PHRASE, **more}


def login(user="dora", prefix="", number=1):
    """Two steps: the form, and the form filled in."""
    headers = [cookies(csrftoken=f"{{{number}.cookie.csrftoken}}")]
    if prefix:
        headers.append(("Referer", "https://{host}/api-auth/login/"))
    return [get(prefix + "/api-auth/login/"), post_form(prefix + "/api-auth/login/", login_fields(user, number), *headers)]


def with_csrf(*more, path="/session/", method="POST", token=CSRF, **rest):
    return get(path, OWN, ("X-CSRFToken", token), *more, method=method, **rest)


def csrf_cases():
    def case(name, *steps):
        return Case(f"csrf: {name}", *login(), *steps)

    only = cookies(sessionid=SESSION)
    yield case("no cookie", get("/session/", only, method="POST"))
    yield case("no cookie but header", get("/session/", only, ("X-CSRFToken", CSRF), method="POST"))
    yield case("no cookie, other methods", *[get("/session/", only, method=method) for method in EVERY_METHOD])
    yield case("cookie and nothing else", get("/session/", OWN, method="POST"))
    yield case("cookie and nothing else, other methods", *[get("/session/", OWN, method=method) for method in EVERY_METHOD])
    yield case("header, every method", *[with_csrf(method=method) for method in EVERY_METHOD])
    yield case("masked header", with_csrf(token="{craft.it}", it=masked("2.cookie.csrftoken")))
    yield case("masked header, twice", *[with_csrf(token="{craft.it}", it=masked("2.cookie.csrftoken")) for _ in range(2)])
    yield case("masked cookie", get("/session/", cookies(sessionid=SESSION, csrftoken="{craft.it}"), ("X-CSRFToken", CSRF),
                                    method="POST", it=masked("2.cookie.csrftoken")))
    yield case("masked cookie and another masked header", get(
        "/session/", cookies(sessionid=SESSION, csrftoken="{craft.one}"), ("X-CSRFToken", "{craft.two}"), method="PUT",
        one=masked("2.cookie.csrftoken"), two=masked("2.cookie.csrftoken")))
    yield case("form field", post_form("/session/", {"csrfmiddlewaretoken": CSRF}, OWN))
    yield case("form field, masked", post_form("/session/", "csrfmiddlewaretoken={craft.it}", OWN, it=masked("2.cookie.csrftoken")))
    yield case("form field in multipart", Step(
        "POST", "/session/", [OWN, ("Content-Type", "multipart/form-data; boundary=b")], multipart(("csrfmiddlewaretoken", CSRF))))
    yield case("form field under PUT", post_form("/session/", {"csrfmiddlewaretoken": CSRF}, OWN, method="PUT"))
    yield case("form field in JSON", post_json("/session/", {"csrfmiddlewaretoken": CSRF}, OWN))
    yield case("form field in the query", get(f"/session/?csrfmiddlewaretoken={CSRF}", OWN, method="POST"))
    yield case("form field wrong, header right", post_form("/session/", "csrfmiddlewaretoken=" + "a" * 32, OWN, ("X-CSRFToken", CSRF)))
    yield case("form field blank, header right", post_form("/session/", "csrfmiddlewaretoken=", OWN, ("X-CSRFToken", CSRF)))
    yield case("form field right, header wrong", post_form("/session/", {"csrfmiddlewaretoken": CSRF}, OWN, ("X-CSRFToken", "a" * 32)))
    yield case("form field twice", post_form("/session/", f"csrfmiddlewaretoken=x&csrfmiddlewaretoken={CSRF}", OWN))
    yield case("the form's token of another login", *login("bob", number=3), with_csrf(token="{4.cookie.csrftoken}"))
    yield case("the token from before the login", with_csrf(token="{1.cookie.csrftoken}"))
    wrong = {"": "empty", "a": "one letter", "a" * 31: "31 letters", "a" * 33: "33 letters", "a" * 63: "63 letters",
             "a" * 65: "65 letters", "a" * 1000: "1000 letters", "a" * 32: "wrong secret", "a" * 64: "wrong masked secret",
             "-" * 32: "foreign letters", "-" * 64: "64 foreign letters", "a" * 31 + "\u00e9": "letter beyond ASCII",
             "a b" + "c" * 29: "space"}
    for value, name in wrong.items():
        yield case(f"header: {name}", with_csrf(token=value), with_csrf(token=value, method="DELETE"))
        yield case(f"form field: {name}", post_form("/session/", {"csrfmiddlewaretoken": value}, OWN))
    yield case("header: right with a letter more", with_csrf(token=CSRF + "a"))
    yield case("header: right in upper case", with_csrf(token="{craft.it}", it=lambda side: side.get("2.cookie.csrftoken").swapcase()))
    for value, name in wrong.items():
        if "wrong" in name or "ASCII" in name or name == "space":
            # A secret that no server gave belongs to no session, and cookies cannot hold the others.
            continue
        yield case(f"cookie: {name}", *[get(
            "/session/", cookies(sessionid=SESSION, csrftoken=value), ("X-CSRFToken", CSRF), method=method) for method in ["POST", "GET"]])
        yield Case(f"csrf: cookie without session: {name}", *[
            get(path, cookies(csrftoken=value), method=method) for path in ["/session/", "/session-public/", "/public/"]
            for method in ["GET", "POST"]])
    origins = {"right": "{origin}", "https": "https://{host}", "other": "http://evil.example", "null": "null", "empty": "",
               "other port": "http://127.0.0.1:1", "no port": "http://127.0.0.1", "slash": "{origin}/", "path": "{origin}/session/",
               "without scheme": "{host}", "word": "x", "bracket": "http://[", "two": "{origin} {origin}", "user": "http://a@{host}",
               "start alike": "{origin}.evil.example", "upper case": "HTTP://{host}"}
    for name, value in origins.items():
        yield case(f"Origin {name}", with_csrf(("Origin", value)), get("/session/", OWN, ("Origin", value)))
    yield case("Origin wrong comes before the missing token", get("/session/", OWN, ("Origin", "http://evil.example"), method="POST"))
    yield case("Origin right without token", get("/session/", OWN, ("Origin", "{origin}"), method="POST"))
    yield case("Origin wrong, Referer right", with_csrf(("Origin", "http://evil.example"), ("Referer", "{origin}/")))
    yield case("Referer does not matter without TLS", *[
        with_csrf(("Referer", value)) for value in ["http://evil.example/", "x", "", "https://{host}/"]])
    for path in ["/session-public/", "/session-token/", "/token-session/", "/session-basic/", "/all/"]:
        yield case(f"at {path}", get(path, OWN), get(path, OWN, method="POST"), get(path, only, method="POST"), with_csrf(path=path),
                   with_csrf(("Origin", "http://evil.example"), path=path), get(path, OWN, method="OPTIONS"), get(path, method="POST"))
    yield case("406 comes first", get("/session/", OWN, ("Accept", "text/html"), method="POST"))
    yield case("404 comes first", get("/session/?format=xml", OWN, method="POST"))
    yield case("then the method", get("/session/", OWN, method="FOO"), with_csrf(method="FOO"))
    yield case("broken JSON", *[post_json(path, "{", OWN, ("X-CSRFToken", CSRF)) for path in ["/session/", "/session-public/"]])
    yield case("broken JSON without token", post_json("/session/", "{", OWN))
    yield case("broken JSON without cookie", post_json("/session/", "{", only))
    yield case("broken JSON under PUT", post_json("/session/", "{", OWN, ("X-CSRFToken", CSRF), method="PUT"))
    yield case("unknown type", *[Step(method, "/session/", [OWN, ("X-CSRFToken", CSRF), ("Content-Type", "text/plain")], "x")
                                 for method in ["POST", "PUT"]])
    yield case("good JSON", post_json("/session/", {"a": 1}, OWN, ("X-CSRFToken", CSRF)))

    def secure(name, *headers, **more):
        own = cookies(sessionid=SESSION, csrftoken=CSRF)
        return Case(f"csrf over TLS: {name}", *login(prefix="/https"), get(
            "/https/session/", own, ("X-CSRFToken", more.get("token", CSRF)), *headers, method=more.get("method", "POST")))

    referers = {"right": "https://{host}/", "right with path": "https://{host}/a?b=c#d", "right without path": "https://{host}",
                "http": "http://{host}/", "other": "https://evil.example/", "other http": "http://evil.example/", "word": "x",
                "empty": "", "path": "/session/", "no host": "https:///x", "only scheme": "https://", "no scheme": "//{host}/",
                "bracket": "https://[x/", "other port": "https://127.0.0.1:1/", "no port": "https://127.0.0.1/",
                "user": "https://a@{host}/", "subdomain": "https://sub.{host}/", "start alike": "https://{host}.evil.example/",
                "upper case": "HTTPS://{host}/", "about": "about:blank", "data": "data:text/plain,x",
                "other with query": "https://evil.example/a?b=https://{host}/", "space": "https://{host} /",
                "backslash": "https://evil.example\\@{host}/"}
    for name, value in referers.items():
        yield secure(f"Referer {name}", ("Referer", value))
    yield secure("no Referer")
    yield secure("no Referer, wrong token", token="x")
    yield secure("no Referer under GET", method="GET")
    yield secure("no Referer under DELETE", method="DELETE")
    for name, value in {"right": "https://{host}", "http": "{origin}", "null": "null", "other": "https://evil.example"}.items():
        yield secure(f"Origin {name}", ("Origin", value))
        yield secure(f"Origin {name}, Referer right", ("Origin", value), ("Referer", "https://{host}/"))
        yield secure(f"Origin {name}, Referer wrong", ("Origin", value), ("Referer", "https://evil.example/"))
    yield secure("Referer right, wrong token", ("Referer", "https://{host}/"), token="a" * 32)


def session_cases():
    page, logout = "/api-auth/login/", "/api-auth/logout/"
    first = cookies(csrftoken="{1.cookie.csrftoken}")
    yield Case("session: login, use, logout, use", *login(), get("/session/", OWN),
               post_form(logout, {"csrfmiddlewaretoken": CSRF}, OWN), get("/session/", OWN))
    yield Case("session: use without csrftoken", *login(), get("/session/", cookies(sessionid=SESSION)))
    yield Case("session: use among other cookies", *login(), get(
        "/session/", ("Cookie", f"a=b; c; =d; sessionid={SESSION};e=\"f\"")), get("/session/", ("Cookie", f" sessionid = {SESSION} ")),
        get("/session/", ("Cookie", f'sessionid="{SESSION}"')), get("/session/", ("Cookie", f"SESSIONID={SESSION}")),
        get("/session/", ("Cookie", f"sessionid=x; sessionid={SESSION}")), get("/session/", ("Cookie", f"sessionid={SESSION}; sessionid=x")),
        get("/session/", ("Cookie", f"sessionid={SESSION}, a=b")))
    yield Case("session: views without sessions", *login(), *[
        get(path, OWN) for path in ["/secure/", "/public/", "/jwt/", "/knox/", "/nobody/"]])
    for name, value in {"unknown": "a" * 32, "short": "x", "long": "a" * 300, "empty": "", "upper case": "A" * 32,
                        "foreign letters": "../../etc/passwd", "quote": "'", "letters beyond ASCII": "\u00e9" * 32}.items():
        yield Case(f"session: id {name}", *[get(path, cookies(sessionid=value), method=method) for method in ["GET", "POST"] for path in [
            "/session/", "/session-public/", "/public/", "/session-token/", "/token-session/"]])
    yield Case("session: one letter changed", *login(), get("/session/", cookies(sessionid="{craft.it}"),
               it=lambda side: flipped(side.get("2.cookie.sessionid"))))
    yield Case("session: in upper case", *login(), get("/session/", cookies(sessionid="{craft.it}"),
               it=lambda side: side.get("2.cookie.sessionid").upper()))
    for user, password in [("dora", "wrong"), ("nobody", PHRASE), ("ina", PHRASE), ("", PHRASE), ("dora", ""), ("DORA", PHRASE),
                           (" dora ", PHRASE), ("dora", PHRASE + " "), ("émile", PASSWORDS["émile"]), ("stella", PASSWORDS["stella"]),
                           ("e\u0301mile", PASSWORDS["émile"]), ("\uff44ora", PHRASE), ("\u3000dora\u3000", PHRASE),
                           ("\u0301dora", PHRASE), ("a" * 151, "x"), ("a" * 150, "x"), ("dora\0", PHRASE)]:
        yield Case(f"session: login by {short(user)} with {short(password)}", get(page), post_form(
            page, {**login_fields(user), "password": password}, first))
    yield Case("session: login without user and password", get(page), post_form(
        page, {"csrfmiddlewaretoken": "{1.form.csrfmiddlewaretoken}"}, first))
    yield Case("session: wrong, then right", get(page), post_form(page, {**login_fields(), "password": "x"}, first),
               post_form(page, login_fields(), first))
    yield Case("session: login without csrftoken cookie", get(page), post_form(page, login_fields()))
    yield Case("session: login without csrf field", get(page), post_form(page, {"username": "dora", "password": PHRASE}, first))
    yield Case("session: login with csrf header", get(page), post_form(
        page, {"username": "dora", "password": PHRASE}, first, ("X-CSRFToken", "{1.cookie.csrftoken}")))
    yield Case("session: login with the cookie as field", get(page), post_form(
        page, {**login_fields(), "csrfmiddlewaretoken": "{1.cookie.csrftoken}"}, first))
    yield Case("session: login with a wrong csrf field", get(page), *[
        post_form(page, {**login_fields(), "csrfmiddlewaretoken": value}, first) for value in ["x", "a" * 32, "a" * 64, "-" * 32]])
    yield Case("session: login with nothing at all", post_form(page, ""), get(page, method="POST"))
    for name, value in {"right": "{origin}", "wrong": "http://evil.example", "null": "null", "https": "https://{host}"}.items():
        yield Case(f"session: login with Origin {name}", get(page), post_form(page, login_fields(), first, ("Origin", value)))
    yield Case("session: login as JSON", get(page), post_json(
        page, {"username": "dora", "password": PHRASE}, first, ("X-CSRFToken", "{1.cookie.csrftoken}")))
    yield Case("session: login as multipart", get(page), Step(
        "POST", page, [first, ("Content-Type", "multipart/form-data; boundary=b")], multipart(*login_fields().items())))
    yield Case("session: login twice on one form", get(page), post_form(page, login_fields(), first), post_form(page, login_fields(), first))
    yield Case("session: login page with csrftoken", get(page), get(page, first), get(page, cookies(csrftoken="x")))
    yield Case("session: login page with a session", *login(), get(page, OWN))
    yield Case("session: login page under every method", *[get(page, method=method) for method in EVERY_METHOD])
    yield Case("session: login page under every method with csrf", get(page), *[
        get(page, first, ("X-CSRFToken", "{1.cookie.csrftoken}"), method=method) for method in EVERY_METHOD])
    yield Case("session: login page for those who want JSON", get(page, ("Accept", "application/json")))
    yield Case("session: login page with a format", get(page + "?format=json"))
    yield Case("session: login page with a bad header", get(page, authorization("Token x")), get(page, authorization("Basic x")))
    goals = {"good": "/session/", "good with query": "/session/?a=b&c=d", "root": "/", "own origin": "{origin}/x", "own host with https":
             "https://{host}/x", "own host without scheme": "//{host}/x", "relative": "x", "relative up": "../x", "empty": "", "space":
             " /x", "query only": "?a", "fragment": "#a", "letters beyond ASCII": "/é", "space inside": "/a b", "evil": "http://evil.example/",
             "evil with https": "https://evil.example/", "evil without scheme": "//evil.example/", "three slashes": "///evil.example",
             "backslash": "/\\evil.example", "two backslashes": "\\\\evil.example", "slash and tab": "/\t/evil.example",
             "scheme without slashes": "http:evil.example", "scheme with one slash": "http:/evil.example", "three slashes after the scheme":
             "http:///evil.example", "javascript": "javascript:alert(1)", "data": "data:text/html,x", "ftp": "ftp://{host}/",
             "user": "http://{host}@evil.example/", "start alike": "{origin}.evil.example/", "control letter": "\x08//evil.example",
             "line break": "/x\r\nSet-Cookie: a=b", "bracket": "http://[evil", "leading line break": "\n//evil.example", "long": "/" + "a" * 2000,
             "percent": "/%2F%2Fevil", "at sign": "/@evil.example", "semicolon": "/x;y=z", "two at signs": "http://a@b@{host}/",
             "upper case": "HTTP://{host}/x", "quote": "/\"x'<>"}
    for name, value in goals.items():
        yield Case(f"session: login with next {name}", get(page), post_form(page, login_fields(next=value), first))
    for name in ["good", "evil", "evil without scheme", "empty", "own origin"]:
        value = quote(goals[name], safe="{}")
        yield Case(f"session: login with next {name} in the query", get(f"{page}?next={value}"), post_form(
            f"{page}?next={value}", login_fields(), first))
        yield Case(f"session: logout with next {name}", *login(), post_form(
            logout, {"csrfmiddlewaretoken": CSRF, "next": goals[name]}, OWN), get("/session/", OWN))
        yield Case(f"session: logout with next {name} in the query", *login(), post_form(
            f"{logout}?next={value}", {"csrfmiddlewaretoken": CSRF}, OWN))
    yield Case("session: login with next in both", get(page), post_form(
        page + "?next=/query/", login_fields(next="/field/"), first))
    yield Case("session: login with evil next in the field and a good one in the query", get(page), post_form(
        page + "?next=/query/", login_fields(next="//evil.example"), first))
    yield Case("session: wrong password keeps next", get(page + "?next=/session/"), post_form(
        page + "?next=/session/", {**login_fields(), "password": "x"}, first))
    secure = "/https" + page
    yield Case("session over TLS: login, use, logout", *login(prefix="/https"), get("/https/session/", OWN), post_form(
        "/https" + logout, {"csrfmiddlewaretoken": CSRF}, OWN, ("Referer", "https://{host}/")), get("/https/session/", OWN))
    yield Case("session over TLS: login without Referer", get(secure), post_form(secure, login_fields(), first))
    for name, value in {"http": "{origin}/", "other": "https://evil.example/", "word": "x"}.items():
        yield Case(f"session over TLS: login with Referer {name}", get(secure), post_form(
            secure, login_fields(), first, ("Referer", value)))
    yield Case("session over TLS: login with Origin", get(secure), post_form(secure, login_fields(), first, ("Origin", "https://{host}")))
    for name in ["good", "own origin", "own host with https", "own host without scheme", "evil with https"]:
        yield Case(f"session over TLS: login with next {name}", get(secure), post_form(
            secure, login_fields(next=goals[name]), first, ("Referer", "https://{host}/")))
    yield Case("session: logout by GET", *login(), get(logout, OWN), get("/session/", OWN))
    yield Case("session: logout under every method", *login(), *[
        get(logout, OWN, method=method) for method in EVERY_METHOD], get("/session/", OWN))
    yield Case("session: logout without csrf", *login(), post_form(logout, "", OWN), get("/session/", OWN))
    yield Case("session: logout with csrf header", *login(), post_form(logout, "", OWN, ("X-CSRFToken", CSRF)), get("/session/", OWN))
    yield Case("session: logout with wrong csrf", *login(), post_form(logout, "csrfmiddlewaretoken=x", OWN), get("/session/", OWN))
    yield Case("session: logout from elsewhere", *login(), post_form(
        logout, {"csrfmiddlewaretoken": CSRF}, OWN, ("Origin", "http://evil.example")), get("/session/", OWN))
    yield Case("session: logout by nobody", get(page), post_form(
        logout, {"csrfmiddlewaretoken": "{1.form.csrfmiddlewaretoken}"}, first), post_form(logout, ""))
    yield Case("session: logout twice", *login(), *[post_form(logout, {"csrfmiddlewaretoken": CSRF}, OWN) for _ in range(2)])
    yield Case("session: logout leaves another session", *login(), *login(number=3),
               post_form(logout, {"csrfmiddlewaretoken": CSRF}, OWN), get("/session/", OWN),
               get("/session/", cookies(sessionid="{4.cookie.sessionid}")))
    yield Case("session: another user's login ends the session", *login(), get(page, OWN), post_form(
        page, login_fields("bob", 3), cookies(sessionid=SESSION, csrftoken=CSRF)), get("/session/", OWN),
        get("/session/", cookies(sessionid="{4.cookie.sessionid}")))
    yield Case("session: the same user's second login", *login(), get(page, OWN), post_form(
        page, login_fields("dora", 3), OWN), get("/session/", cookies(sessionid="{4.cookie.sessionid}")))
    yield Case("session: login over a dead session", get(page), post_form(
        page, login_fields(), cookies(sessionid="a" * 32, csrftoken="{1.cookie.csrftoken}")),
        get("/session/", cookies(sessionid=SESSION)))
    token, bad = authorization("Token {ann.token}"), authorization("Token x")
    for path in ["/session-token/", "/token-session/", "/all/", "/session-basic/"]:
        yield Case(f"leftover session at {path}", *login(), *[
            get(path, *headers, method=method) for method in ["GET", "POST"] for headers in [
                [OWN, token], [OWN, bad], [OWN, ("X-CSRFToken", CSRF), token], [OWN, ("X-CSRFToken", CSRF), bad],
                [OWN, authorization("Token {ina.token}")], [OWN, authorization("Basic x")], [OWN, authorization(basic("bob", PHRASE))],
                [OWN, bearer("x")], [cookies(sessionid="a" * 32), token], [cookies(sessionid="a" * 32), bad]]])
    yield Case("leftover session at the token endpoint", *login(), *[
        post_json(path, {"username": "bob", "password": PHRASE}, OWN, *headers)
        for path in ["/session-token-auth/", "/api-token-auth/", "/api/token/"] for headers in [[], [("X-CSRFToken", CSRF)]]])
    yield Case("leftover session at knox's login", *login(), Step(
        "POST", "/api/auth/login/", [OWN, authorization(basic("bob", PHRASE))]))


# Throttles


def record_cases():
    for question in questions():
        headers = []
        for name, value in question["headers"]:
            for user in PASSWORDS:
                value = value.replace("{" + user + "}", "{" + user + ".token}")
            headers.append((name, value))
        yield Case("drf: " + question["name"], Step(question["method"], question["path"], headers, question["body"]))


def cases():
    for part in [record_cases, header_cases, endpoint_cases, jwt_cases, jwt_flows, knox_flows, setting_cases, csrf_cases, session_cases]:
        yield from part()
