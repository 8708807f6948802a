"""Asks a live Django project and Postern the same questions and prints where their answers differ.

    compare.py --peer http://127.0.0.1:9101 --peer-state peer.json
               --postern http://127.0.0.1:8080 --postern-state postern.json
               [--also http://127.0.0.1:8081] [--only SUBSTRING] [--more] [--show]
    compare.py --peer http://127.0.0.1:9101 --peer-state peer.json --answers

Needs nothing but Python. Both servers must run already: see peer.py. A state file holds the users with their ids and
tokens, the key of the JSON Web Tokens and, for Postern, the key's id. --also names the same Postern behind another
web server. --more compares Vary, Cache-Control and the security headers as well; --show prints the known differences,
too; --answers prints what the peer answers and compares nothing. Ends with status 1 if anything differs that is not
in KNOWN.
"""
import argparse
import base64
import json
import math
import re
import socket
import sys
import time
from datetime import datetime
from urllib.parse import urlsplit

from cases import cases

# Differences on purpose: a regular expression for "CASE #STEP FIELD", and the reason.
KNOWN = {
    r"^refresh: (no user_id|user_id (null|false|0)) #": "a refresh token without a user is honoured by simplejwt, and refused by Postern",
    r"^across: ": "Postern has one store for all tokens, so every token is good wherever Token is",
    r"^TRACE ": "web servers answer TRACE themselves",
    r"with 'Bearer \{ann\.token\}'": "a Postern token is understood after Bearer, too",
    r"^(jwt|refresh|verify|blacklist): (exp|nbf|iat) (true|false|string)": "a time has to be a number (RFC 7519, section 2)",
    r"^(jwt|refresh|verify|blacklist): user_id (with|fractional)": "a user_id is an id as it was written, or nobody's",
    r"^(jwt|refresh|verify|blacklist): user_id (NaN|Infinity)": "NaN and Infinity are no JSON (RFC 8259, section 6)",
    r"^verify: (no token_type|type (null|empty|upper case|number|list|sliding)|no user_id|user_id (?!number #))":
        "a token that opens nothing is not said to be good",
    r"^(jwt|refresh|verify|blacklist): (typ|jwk|b64)": "a header that asks for anything else than a signature by our key is refused (RFC 8725)",
    r"^(jwt|refresh|verify|blacklist): (header with alg twice|payload (with|in|nested)|signature padded)": "a token is read strictly (RFC 7515, sections 2 and 4)",
    r"^verify a refresh token: (no token_type|user_id (of a disabled user|unknown))": "a token that opens nothing is not said to be good",
    r"^session: (login as JSON|login page for those who want JSON)": "an API client can log in by JSON",
    r"^session: (login page|logout) under every method": "Django's views take PUT as POST, and look at CSRF before the method",
    r"^session( over TLS)?: log(in|out) with next (own|relative|space #|query|fragment|line break|upper case)": "next is a path of this site, or /",
    r"^jwt flow: old refresh token (at once|after)": "within seconds, the same caller is given the same successor once more",
}
# The same for Postern behind another web server alone.
KNOWN_ALSO = {
    r"without slash": "lighttpd adds no slash, where nginx does by itself",
    r"^(drf: Accept ''|csrf: header: empty|csrf: Origin empty|csrf over TLS: Referer empty)": "lighttpd hands on no empty field",
}
JSON_ERROR = b'{"detail":"JSON parse error - '

HTML_SENTENCES = [
    "Please enter a correct username and password. Note that both fields may be case-sensitive.",
    "This field is required.", "CSRF verification failed. Request aborted.", "csrfmiddlewaretoken",
]
HEADERS = ["www-authenticate", "allow", "content-type", "retry-after", "location"]
MORE_HEADERS = ["vary", "cache-control", "x-content-type-options", "referrer-policy", "cross-origin-opener-policy",
                "x-frame-options"]
CLAIMS = ["token_type", "exp", "iat", "jti", "user_id", "sub"]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def cookie(self):
        return {name: value for name, value, _ in map(read_cookie, self.all("set-cookie"))}

    def json(self):
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def form(self):
        """The names and values of the inputs of an HTML form."""
        fields = {}
        for tag in re.findall(r"<input[^>]*>", self.body.decode("utf-8", "replace")):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            fields[attributes.get("name")] = attributes.get("value")
        return fields


class Side:
    """One of the servers, with what a step may need to know of it."""

    def __init__(self, name, url, state):
        self.name, self.host = name, urlsplit(url).netloc
        self.origin = f"http://{self.host}"
        with open(state, encoding="utf-8") as file:
            values = json.load(file)
        self.users, self.kid = values["users"], values.get("kid")
        encoded = values["jwt_secret"]
        self.secret = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        self.answers, self.silences = [], 0

    def get(self, name):
        """The value of a placeholder; what an earlier answer lacked is named in the text, so that it shows."""
        parts = name.split(".")
        if name == "host":
            return self.host
        if name == "origin":
            return self.origin
        if not parts[0].isdigit():
            return str(self.users[parts[0]][parts[1]])
        answer, kind, key = self.answers[int(parts[0]) - 1], parts[1], parts[2]
        value = getattr(answer, kind)().get(key)
        return str(value) if value is not None else f"no-{name}"

    PLACEHOLDER = re.compile(r"\{(host|origin|\d+\.(?:json|cookie|form)\.\w+|craft\.\w+|[^\W\d_]\w*\.(?:token|id))\}")

    def fill(self, text, crafted):
        def value(match):
            name = match[1]
            return crafted[name[6:]] if name.startswith("craft.") else self.get(name)
        return self.PLACEHOLDER.sub(value, text)

    def run(self, case):
        self.answers = []
        for step in case.steps:
            self.answers.append(self.ask(step))

    def ask(self, step):
        """Sends the step's request as it stands, byte by byte."""
        crafted = {name: make(self) for name, make in step.crafts.items()}
        body = step.body
        if isinstance(body, str):
            body = self.fill(body, crafted).encode("utf-8", "surrogateescape")
        path = self.fill(step.path, crafted)
        lines = [f"{step.method} {path} HTTP/1.1", f"Host: {self.host}", "Connection: close"]
        lines += [f"{name}: {self.fill(value, crafted)}" for name, value in step.headers]
        if body or step.method in ["POST", "PUT", "PATCH"]:
            # lighttpd wants a length even where there is nothing.
            lines.append(f"Content-Length: {len(body)}")
        try:
            return exchange(self.host, "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        except (OSError, ValueError, IndexError) as error:
            self.silences += 1
            return Answer(0, [], f"no answer: {error}".encode())


def exchange(host, message):
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port or 80)), timeout=10) as connection:
        connection.sendall(message)
        data = b""
        while part := connection.recv(65536):
            data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = [line.partition(":") for line in lines[1:]]
    headers = [(name.lower(), value.strip()) for name, _, value in fields]
    if ("transfer-encoding", "chunked") in headers:
        body = unchunked(body)
    return Answer(int(lines[0].split()[1]), headers, body)


def unchunked(data):
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        count = int(size.split(b";")[0] or b"0", 16)
        if count == 0:
            break
        body, data = body + data[:count], data[count + 2:]
    return body


def read_cookie(text):
    """Name, value and attributes of a Set-Cookie."""
    pair, *attributes = [part.strip() for part in text.split(";")]
    name, _, value = pair.partition("=")
    return name, value.strip('"'), attributes


def reduced_cookie(text):
    name, value, attributes = read_cookie(text)
    if name == "csrftoken":
        value = f"<{len(value)}>"
    elif name == "sessionid":
        value = "<session>" if re.fullmatch("[a-z0-9]{32}|pss_[A-Za-z0-9]{43}", value) else repr(value)
    kept = []
    for attribute in attributes:
        key, equals, content = attribute.partition("=")
        if key.lower() == "expires":
            content = "<never>" if "1970" in content else "<time>"
        kept.append(key.lower() + equals + content)
    return "; ".join([f"{name}={value}", *sorted(kept)])


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def reduced_jwt(match):
    """What a token promises; claims with a name like x_any were put there by a case and must come back."""
    try:
        header, claims = (decoded(part) for part in match[0].split(".")[:2])
    except ValueError:
        return "<not a jwt>"
    words = ["jwt", str(header.get("alg"))]
    for name in CLAIMS:
        if name in claims:
            words.append(name + ":" + type(claims[name]).__name__)
    words.append("type=" + str(claims.get("token_type")))
    if all(isinstance(claims.get(name), (int, float)) for name in ("exp", "iat")):
        # simplejwt reads the clock twice, so the two may be a second apart.
        words.append(f"life={round((claims['exp'] - claims['iat']) / 10) * 10}")
    if isinstance(claims.get("jti"), str):
        words.append(f"jti={len(claims['jti'])}")
    words += [f"{name}={claims[name]}" for name in sorted(claims) if name.startswith("x_")]
    return "<" + " ".join(words) + ">"


def reduced_time(match):
    """Shape of a time, and how many hours it is ahead."""
    seconds = datetime.fromisoformat(match[0]).timestamp() - time.time()
    return f"<time {len(match[1] or '.') - 1} digits, {match[2]}, {round(seconds / 3600)} hours ahead>"


def near(match):
    """A number of seconds to wait: what is lost between two requests does not count."""
    return f"<about {math.ceil(int(match[0]) / 10) * 10}>"


def reduced_text(text, side):
    text = text.replace(side.host, "{host}")
    text = re.sub(r"eyJ[\w-]*\.[\w-]*\.[\w-]*", reduced_jwt, text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", reduced_time, text)
    text = re.sub(r'(?<=")(pst_\w+|[0-9a-f]{64}|[0-9a-f]{40})(?=")', "<token>", text)
    return re.sub(r"(?<=available in )\d+(?= seconds)", near, text)


def reduced(answer, step, side, more):
    """An answer's comparable fields."""
    fields = {"status": str(answer.status)}
    for name in HEADERS + (MORE_HEADERS if more else []):
        fields[name] = " | ".join(answer.all(name)) or None
    html = (fields["content-type"] or "").startswith("text/html")
    if html:
        fields["content-type"] = "text/html"
    if fields["retry-after"]:
        fields["retry-after"] = re.sub(r"\d+", near, fields["retry-after"])
    if fields["location"]:
        fields["location"] = re.sub(rf"^http://{re.escape(side.host)}(?=/)", "", fields["location"])
        fields["location"] = fields["location"].replace(side.host, "{host}")
    fields["set-cookie"] = " | ".join(sorted(map(reduced_cookie, answer.all("set-cookie")))) or None
    if fields["set-cookie"] and step.path.startswith("/https/"):
        # The peer's settings are Django's defaults; Postern's cookies are for TLS alone where they came over TLS.
        fields["set-cookie"] = fields["set-cookie"].replace("; secure", "")
    text = answer.body.decode("utf-8", "replace")
    if step.method == "HEAD":
        fields["body"] = None
    elif html:
        fields["body"] = "; ".join(sentence for sentence in HTML_SENTENCES if sentence in text)
    else:
        fields["body"] = reduced_text(text, side)
    return fields


def differences(step, left, right, left_side, right_side, more):
    """Triples of field, the peer's value and Postern's."""
    theirs, ours = reduced(left, step, left_side, more), reduced(right, step, right_side, more)
    if step.expect is not None:
        theirs = {name: None if value is None else str(value) for name, value in step.expect.items()}
        if f"{ours['status'][0]}xx" in theirs["status"]:
            ours["status"] = theirs["status"]
    elif left.status >= 500:
        # A crash that no case expects tells only that it should not happen.
        theirs = {"status": theirs["status"] if right.status >= 500 else ours["status"]}
    for name, value in theirs.items():
        other = ours[name]
        if value != other:
            yield name, value, other


def reason(key, name, left, right, is_first):
    if name == "body" and all(answer.body.startswith(JSON_ERROR) for answer in (left, right)):
        return "the parser's own words"
    if right.status == 501:
        return "the web server knows no such method, and does not ask Postern"
    if name == "set-cookie":
        theirs, ours = ([reduced_cookie(text) for text in answer.all(name)] for answer in (left, right))
        if not ours and all(text.startswith(("sessionid='';", "csrftoken=<32>;")) for text in theirs) and (
                "without session" in key or "csrftoken" not in "".join(theirs)):
            return "cookies that never were Postern's may be another application's, and stay"
    known = KNOWN if is_first else {**KNOWN, **KNOWN_ALSO}
    return next((text for pattern, text in known.items() if re.search(pattern, key)), None)


def clipped(value):
    text = repr(value)
    return text if len(text) < 300 else text[:140] + " … " + text[-140:]


def print_answers(peer, chosen, more):
    for case in chosen:
        peer.run(case)
        for number, step in enumerate(case.steps, 1):
            fields = reduced(peer.answers[number - 1], step, peer, more)
            words = [f"{name}={value!r}" for name, value in fields.items() if value is not None]
            print(f"{case.name} #{number} {step.method} {step.path[:60]}:", *words)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ["peer", "peer-state"]:
        arguments.add_argument("--" + name, required=True)
    for name in ["postern", "postern-state", "only"]:
        arguments.add_argument("--" + name, default="")
    arguments.add_argument("--also", action="append", default=[])
    for name in ["more", "show", "answers"]:
        arguments.add_argument("--" + name, action="store_true")
    options = arguments.parse_args()
    peer = Side("peer", options.peer, options.peer_state)
    chosen = [case for case in cases() if options.only in case.name]
    if options.answers:
        print_answers(peer, chosen, options.more)
        return
    if not options.postern or not options.postern_state:
        arguments.error("--postern and --postern-state are needed")
    others = [Side("postern", options.postern, options.postern_state)]
    others += [Side(url, url, options.postern_state) for url in options.also]

    steps = found = known = 0
    for case in chosen:
        for side in [peer, *others]:
            side.run(case)
        if sum(side.silences for side in [peer, *others]) >= 10:
            sys.exit(f"{case.name}: too many requests without an answer: " + side.answers[-1].body.decode())
        steps += len(case.steps)
        for number, step in enumerate(case.steps, 1):
            left = peer.answers[number - 1]
            for side in others:
                right = side.answers[number - 1]
                for name, theirs, ours in differences(step, left, right, peer, side, options.more):
                    key = f"{case.name} #{number} {name}"
                    why = reason(key, name, left, right, side is others[0])
                    known, found = (known + 1, found) if why else (known, found + 1)
                    if not why or options.show:
                        place = "" if side is others[0] else f" [{side.name}]"
                        wanted = "expected" if step.expect is not None else "peer"
                        note = f" (known: {why})" if why else ""
                        print(f"{key}{place}: {wanted} {clipped(theirs)}, postern {clipped(ours)}{note}")
    print(f"{len(chosen)} cases, {steps} steps, {found} differences, {known} known")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
