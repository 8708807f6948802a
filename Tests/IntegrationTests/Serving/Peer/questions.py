"""Single questions about DRF's own authenticators, negotiation and parsers; `{ann}` stands for that user's token."""
import base64
import json

PASSWORDS = {"ann": "correct horse battery staple", "stella": "correct:horse:battery:staple",
             "émile": "motdepassé très long", "ina": "correct horse battery staple"}


def basic(user, password, encoding="utf-8"):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode()


def questions():
    def ask(name, method, path, headers=(), body=""):
        headers = [list(header) for header in headers]
        return {"name": name, "method": method, "path": path, "headers": headers, "body": body}

    def authorization(value):
        return [("Authorization", value)]

    credentials = [
        ("nobody", []), ("ann", authorization("Token {ann}")), ("stella", authorization("Token {stella}")),
        ("a disabled user", authorization("Token {ina}")),
        ("an unknown token", authorization("Token 0000000000000000000000000000000000000000")),
        ("ann by Basic", authorization(basic("ann", PASSWORDS["ann"]))),
    ]
    for path in ["/secure/", "/admin-only/", "/notes/", "/public/", "/staff/", "/users/"]:
        for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "FOO"]:
            for name, headers in credentials[:-1] if method != "GET" else credentials:
                yield ask(f"{method} {path} by {name}", method, path, headers)

    odd = ["", "Token", "Token ", "token", "Token a b", "Token a, Token b", "Token {ann} x", "Token a, Basic b",
           "tOkEn {ann}", "Token   {ann}", "Token\t{ann}", "Token {ann}\t", "Token\u00ff \u00ff", "Token \u00ff\u00fe",
           "Token {ann}\u00e9", "Token " + "a" * 4000, "Tokenx {ann}", "{ann}", "Bearer", "Bearer x", "Bearer x y",
           "JWT x", "Digest x", "Negotiate", "Basic", "Basic ", "basic", "Basic a b", "Basic @@@@", "Basic YQ==", "Basic YQ",
           "Basic YW5u", "Basic Og==", "Basic ====", "Basic =", "Basic YTpi====x", "Basic /w==", "Basic /zr/", "Basic YTpi\u00ff",
           basic("ann", "wrong password"), basic("nobody", "wrong password"), basic("ann", ""), basic("", "x"),
           basic("ina", PASSWORDS["ina"]), basic("stella", PASSWORDS["stella"]), basic("émile", PASSWORDS["émile"]),
           basic("émile", PASSWORDS["émile"], "latin-1"), basic("émile", "motdepasse tres long"),
           basic("ann", PASSWORDS["ann"]).replace("Basic ", "bAsIc   "), basic("ann", PASSWORDS["ann"] + " "),
           basic("Ann", PASSWORDS["ann"]), basic(" ann", PASSWORDS["ann"]), basic("ann\0", PASSWORDS["ann"])]
    for value in odd:
        for path in ["/secure/", "/public/", "/basic-first/", "/bearer/", "/nobody/"]:
            yield ask(f"{path} with {value[:40]!r}", "GET", path, authorization(value))
    yield ask("Bearer as keyword", "GET", "/bearer/", authorization("Bearer {ann}"))
    yield ask("Token where Bearer is the keyword", "GET", "/bearer/", authorization("Token {ann}"))

    accepts = ["*/*", "application/json", "application/*", "application/json; indent=4", "application/json; indent=20",
               "application/json; indent=0", "application/json;indent=-1", "application/json; indent=x", "text/html",
               "text/html, */*;q=0.1", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/*", "", ",",
               "application/xml", "APPLICATION/JSON", "application/json;q=0", "*/json", "application", "application/vnd.api+json",
               "*/*; indent=3", "application/json, application/json; indent=2", "application/json; charset=utf-8"]
    for value in accepts:
        yield ask(f"Accept {value!r}", "GET", "/secure/", authorization("Token {ann}") + [("Accept", value)])
    yield ask("406 before 401", "GET", "/secure/", [("Accept", "text/html")])
    for query in ["format=json", "format=xml", "format=", "format=xml&format=json", "format=json&format=api", "Format=xml", "form%61t=xml"]:
        yield ask(f"?{query}", "GET", f"/secure/?{query}", authorization("Token {ann}"))
    yield ask("404 before 401", "GET", "/secure/?format=xml")

    path, json_type = "/api-token-auth/", [("Content-Type", "application/json")]
    form_type = [("Content-Type", "application/x-www-form-urlencoded")]
    for name, body in [
        ("wrong password", '{"username":"ann","password":"wrong"}'), ("unknown user", '{"username":"nobody","password":"wrong"}'),
        ("disabled user", json.dumps({"username": "ina", "password": PASSWORDS["ina"]})), ("empty object", "{}"),
        ("empty strings", '{"username":"","password":""}'), ("white space", '{"username":" \\t\\u00a0","password":"  "}'),
        ("nulls", '{"username":null,"password":null}'), ("booleans", '{"username":true,"password":false}'),
        ("lists", '{"username":[],"password":["a"]}'), ("objects", '{"username":{},"password":{"a":1}}'),
        ("numbers", '{"username":1,"password":1.5}'), ("large number", '{"username":123456789012345678901234567890,"password":1e400}'),
        ("NUL", '{"username":"a\\u0000","password":"\\u0000"}'), ("lone surrogate", '{"username":"a\\ud800","password":"\\udfff"}'),
        ("NUL and surrogate", '{"username":"\\u0000\\udc01","password":"x"}'), ("pair", '{"username":"\\ud83d\\ude00","password":"x"}'),
        ("password only", '{"password":"x"}'), ("username only", '{"username":"x"}'), ("list", "[]"), ("string", '"a"'), ("number", "1"),
        ("float", "1.5"), ("true", "true"), ("null", "null"), ("doubled name", '{"username":"ann","username":"","password":"x"}'),
        ("other names", '{"user":"ann","pass":"x","Username":"ann"}'), ("no JSON", "username=ann"), ("open brace", "{"), ("open string", '{"a'),
        ("trailing comma", '{"username":"a",}'), ("trailing comma in list", "[1,]"), ("extra data", "{} x"), ("two", "1 2"), ("colon", '{"a" 1}'), ("comma", '{"a":1 "b":2}'),
        ("single quotes", "{'a':1}"), ("control character", '{"a":"\n"}'), ("bad escape", '{"a":"\\x"}'), ("short escape", '{"a":"\\u12"}'),
        ("bad unicode", '{"a":"\\u12g4"}'), ("NaN", '{"a":NaN}'), ("Infinity", "[Infinity]"), ("-Infinity", "[-Infinity]"), ("minus", "-"), ("leading zero", "01"), ("plus", "+1"), ("dot", "1."),
        ("second line", '{\n "a": 1,\n  b}'), ("umlaut before", '{"ä": x}'), ("BOM", "\ufeff{}"), ("white space only", "  "), ("deep", "[" * 100 + "]" * 100),
        ("not UTF-8", '{"username":"\udcff"}'), ("cut UTF-8", '{"username":"\udcc3'), ("overlong", '{"a":"\udcc0\udcaf"}'), ("bad continuation", '{"a":"\udce2\udc82x"}')]:
        yield ask(f"JSON: {name}", "POST", path, json_type, body)
    for name, body in [
        ("wrong password", "username=ann&password=wrong"), ("nothing", "x"), ("empty", "username=&password="), ("white space", "username=+%20&password=+"), ("NUL", "username=%00&password=a"),
        ("last wins", "username=ann&username=&password=x"), ("bad percent", "username=%zz&password=%"), ("not UTF-8", "username=%ff&password=x"),
        ("semicolon", "username=ann;password=x"), ("JSON", '{"username":"ann","password":"x"}'), ("ampersands", "&&&&username=&&")]:
        yield ask(f"form: {name}", "POST", path, form_type, body)
    part = lambda name, value: f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    multipart = [("Content-Type", "multipart/form-data; boundary=b")]
    for name, body in [("wrong password", part("username", "ann") + part("password", "wrong") + "--b--\r\n"), ("empty", part("username", "") + "--b--\r\n"),
                       ("nothing", "--b--\r\n"), ("file", '--b\r\nContent-Disposition: form-data; name="username"; filename="x"\r\n\r\nann\r\n--b--\r\n')]:
        yield ask(f"multipart: {name}", "POST", path, multipart, body)
    yield ask("multipart without boundary", "POST", path, [("Content-Type", "multipart/form-data")], "--b--\r\n")
    for value in ["text/plain", "", "application/vnd.api+json", "text/plain; charset=utf-8", "application/xml", "json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/*", "*/*", "text/\u00e4"]:
        yield ask(f"Content-Type {value!r}", "POST", path, [("Content-Type", value)], '{"username":"ann"}')
    yield ask("no body", "POST", path)
    yield ask("no body, odd type", "POST", path, [("Content-Type", "text/plain")])
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "FOO"]:
        yield ask(f"{method} {path}", method, path)
    yield ask("bad token at the login", "POST", path, authorization("Token x") + json_type, "{}")
    yield ask("bad Basic at the login", "POST", path, authorization("Basic x") + json_type, "{")
    yield ask("406 before 415", "POST", path, [("Accept", "text/html"), ("Content-Type", "text/plain")], "x")
    yield ask("401 before 405", "POST", "/secure/")
    yield ask("405 before 415", "POST", "/secure/", authorization("Token {ann}") + [("Content-Type", "text/plain")], "x")
