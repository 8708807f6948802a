#!/usr/bin/env python3
"""Log in to a running site with real clients and check what each of them sees.

Usage: clients.py BASE_URL [CLIENT ...]

The clients are requests, httpx, curl and chromium; all four when none is named.
One line is printed for each check. The first failure ends the run with status 1.

The site needs an active user with the name and password given below as
USERNAME and PASSWORD. With SCREENSHOT=FILE in the environment the login page,
as Chromium shows it on a phone after a wrong password, is saved as a PNG file.

Needed: Python 3.11, the packages requests, httpx and selenium, the program
curl, and for Chromium /usr/bin/chromium and /usr/bin/chromedriver.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import requests
from selenium import webdriver
from selenium.common.exceptions import SessionNotCreatedException, TimeoutException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.ui import WebDriverWait
from urllib3.exceptions import HTTPError as DriverHTTPError

USERNAME = "ann"
PASSWORD = "correct horse battery staple"
WRONG_PASSWORD = "incorrect horse"
WRONG_PASSWORD_MESSAGE = (
    "Please enter a correct username and password. "
    "Note that both fields may be case-sensitive."
)

LOGIN = "/api-auth/login/"
LOGOUT = "/api-auth/logout/"
WHOAMI = "/whoami/"
SESSION = "/session/"
TOKEN = "/api-token-auth/"
JWT = "/api/token/"
JWT_REFRESH = "/api/token/refresh/"
JWT_BLACKLIST = "/api/token/blacklist/"

SESSION_COOKIE = "sessionid"
CSRF_COOKIE = "csrftoken"
CSRF_FIELD = "csrfmiddlewaretoken"
CSRF_HEADER = "X-CSRFToken"
WHOAMI_KEYS = {"id", "username", "is_staff", "is_superuser", "scheme"}

TIMEOUT = 30  # seconds, for one request or one condition in the browser
CHROMIUM = "/usr/bin/chromium"
CHROMEDRIVER = "/usr/bin/chromedriver"
SUBMIT_BUTTON = (
    "//input[@name='password']/ancestor::form"
    "//*[self::button[not(@type) or @type='submit'] or self::input[@type='submit']]"
)
PHONE = {"width": 390, "height": 844, "pixelRatio": 2.0, "mobile": True}


class Failure(Exception):
    """A check that did not hold."""


class Checks:
    """Prints and counts the checks of one client."""

    passed = 0

    def __init__(self, client_name):
        self.client_name = client_name

    def __call__(self, what, holds, seen=""):
        """Print one check that holds; raise Failure for one that does not."""
        what = f"{self.client_name}: {what}"
        if not holds:
            raise Failure(f"{what}\n     seen: {seen}" if seen != "" else what)
        print(f"ok   {what}", flush=True)
        Checks.passed += 1

    def note(self, text):
        """Print something worth knowing that is neither right nor wrong."""
        print(f"note {self.client_name}: {text}", flush=True)


# -- HTTP clients -------------------------------------------------------------


@dataclass
class Reply:
    """What a client got back, in one form for all clients."""

    status: int
    url: str
    content_type: str
    location: str
    set_cookie: list[str]
    text: str

    def __str__(self):
        target = f" -> {self.location}" if self.location else ""
        body = " ".join(self.text.split())[:300]
        return f"{self.status}{target} {self.content_type}: {body}"

    @property
    def is_html(self):
        return self.content_type.startswith("text/html")

    @property
    def data(self):
        """The decoded JSON body, or None when the body is not JSON."""
        if not self.content_type.startswith("application/json"):
            return None
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    def value(self, key):
        """One value of a JSON object, or None."""
        return self.data.get(key) if isinstance(self.data, dict) else None

    @property
    def cookies(self) -> dict[str, Morsel]:
        """The cookies that this reply sets, with their attributes."""
        cookies = {}
        for line in self.set_cookie:
            cookies.update(SimpleCookie(line))
        return cookies


class Client:
    """A client with its own cookies; the subclasses do the sending."""

    name = ""

    def __init__(self, base):
        self.base = base

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def get(self, path, accept="application/json", **headers):
        return self.send("GET", path, {"Accept": accept, **headers})

    def post_json(self, path, data, **headers):
        """POST a JSON document and ask for JSON."""
        headers = {"Accept": "application/json", "Referer": self.url(LOGIN), **headers}
        return self.send("POST", path, headers, data=data)

    def post_form(self, path, fields, follow=False):
        """POST a form as a browser does, following redirects only if asked to."""
        headers = {"Accept": "text/html", "Referer": self.url(LOGIN)}
        return self.send("POST", path, headers, fields=fields, follow=follow)

    def csrf_header(self):
        return {CSRF_HEADER: self.cookie(CSRF_COOKIE) or ""}

    def url(self, path):
        return urljoin(self.base, path)

    def send(self, method, path, headers, data=None, fields=None, follow=False) -> Reply:
        raise NotImplementedError

    def cookie(self, name) -> str | None:
        raise NotImplementedError

    def close(self):
        pass


class RequestsClient(Client):
    """requests.Session."""

    name = "requests"

    def __init__(self, base):
        super().__init__(base)
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy and no .netrc

    def send(self, method, path, headers, data=None, fields=None, follow=False):
        response = self.session.request(
            method,
            self.url(path),
            headers=headers,
            json=data,
            data=fields,
            allow_redirects=follow,
            timeout=TIMEOUT,
        )
        return Reply(
            status=response.status_code,
            url=response.url,
            content_type=response.headers.get("Content-Type", ""),
            location=response.headers.get("Location", ""),
            set_cookie=response.raw.headers.getlist("Set-Cookie"),
            text=response.text,
        )

    def cookie(self, name):
        return self.session.cookies.get(name)

    def close(self):
        self.session.close()


class HttpxClient(Client):
    """httpx.Client."""

    name = "httpx"

    def __init__(self, base):
        super().__init__(base)
        self.client = httpx.Client(trust_env=False, timeout=TIMEOUT)

    def send(self, method, path, headers, data=None, fields=None, follow=False):
        response = self.client.request(
            method,
            self.url(path),
            headers=headers,
            json=data,
            data=fields,
            follow_redirects=follow,
        )
        return Reply(
            status=response.status_code,
            url=str(response.url),
            content_type=response.headers.get("Content-Type", ""),
            location=response.headers.get("Location", ""),
            set_cookie=response.headers.get_list("Set-Cookie"),
            text=response.text,
        )

    def cookie(self, name):
        return self.client.cookies.get(name)

    def close(self):
        self.client.close()


class CurlClient(Client):
    """The program curl with a cookie jar."""

    name = "curl"

    def __init__(self, base):
        super().__init__(base)
        self.folder = tempfile.TemporaryDirectory(prefix="clients-curl-")
        self.jar = Path(self.folder.name, "cookies.txt")
        self.jar.touch()
        self.head = Path(self.folder.name, "head")
        self.body = Path(self.folder.name, "body")

    def send(self, method, path, headers, data=None, fields=None, follow=False):
        command = ["curl", "--disable", "--silent", "--show-error"]
        command += ["--noproxy", "*", "--max-time", str(TIMEOUT)]
        command += ["--cookie", self.jar, "--cookie-jar", self.jar]
        command += ["--dump-header", self.head, "--output", self.body]
        command += ["--write-out", "%{http_code} %{url_effective}"]
        stdin = ""
        if data is not None:
            headers = {"Content-Type": "application/json", **headers}
            command += ["--data-binary", "@-"]
            stdin = json.dumps(data)
        for name, value in (fields or {}).items():
            command += ["--data-urlencode", f"{name}={value}"]
        for name, value in headers.items():
            command += ["--header", f"{name}: {value}"]
        if follow:
            command += ["--location"]
        # Data makes it a POST, and a redirect is then followed by a GET.
        command += [self.url(path)]
        self.body.write_bytes(b"")
        done = subprocess.run(command, input=stdin, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"curl: {done.stderr.strip() or done.returncode}")
        status, url = done.stdout.split(" ", 1)
        head = self.last_head()
        return Reply(
            status=int(status),
            url=url,
            content_type="".join(head.get("content-type", [])[:1]),
            location="".join(head.get("location", [])[:1]),
            set_cookie=head.get("set-cookie", []),
            text=self.body.read_text(encoding="utf-8", errors="replace"),
        )

    def last_head(self):
        """The header fields of the last answer, by name in lower case."""
        blocks = self.head.read_text(encoding="latin-1").strip().split("\n\n")
        head = {}
        for line in blocks[-1].splitlines()[1:]:
            name, _, value = line.partition(":")
            head.setdefault(name.strip().lower(), []).append(value.strip())
        return head

    def cookie(self, name):
        """A cookie from the jar, which is in Netscape's format."""
        for line in self.jar.read_text().splitlines():
            columns = line.removeprefix("#HttpOnly_").split("\t")
            if len(columns) == 7 and columns[5] == name:
                return columns[6]
        return None

    def close(self):
        self.folder.cleanup()


# -- checks of the HTTP clients -----------------------------------------------


class LoginForm(HTMLParser):
    """The form with a password field in an HTML page."""

    def __init__(self, page: Reply):
        super().__init__()
        self.method = self.action = None
        self.fields = {}
        self.types = {}
        self._form = None
        self.feed(page.text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self._form = (attrs, {}, {})
        elif tag == "input" and self._form and attrs.get("name"):
            form, fields, types = self._form
            fields[attrs["name"]] = attrs.get("value") or ""
            types[attrs["name"]] = (attrs.get("type") or "text").lower()

    def handle_endtag(self, tag):
        if tag == "form" and self._form:
            form, fields, types = self._form
            if "password" in types.values():
                self.method = (form.get("method") or "get").lower()
                self.action = form.get("action") or ""
                self.fields, self.types = fields, types
            self._form = None

    def filled(self, password=PASSWORD, **others):
        """The fields to send."""
        return {**self.fields, "username": USERNAME, "password": password, **others}


def open_form(client, query=""):
    """Load the login page with the given query string and find its form."""
    return LoginForm(client.get(LOGIN + query, accept="text/html"))


def is_nobody(reply):
    return reply.status == 200 and reply.data == dict.fromkeys(WHOAMI_KEYS)


def is_user(reply, scheme):
    return (
        reply.status == 200
        and isinstance(reply.data, dict)
        and set(reply.data) == WHOAMI_KEYS
        and reply.data["username"] == USERNAME
        and reply.data["id"] is not None
        and reply.data["is_staff"] in (True, False)
        and reply.data["is_superuser"] in (True, False)
        and reply.data["scheme"] == scheme
    )


def check_nobody(check, what, reply):
    check(f"{what}: whoami shows nobody", is_nobody(reply), reply)


def check_user(check, what, reply, scheme):
    check(f"{what}: whoami shows {USERNAME} by {scheme}", is_user(reply, scheme), reply)


def check_session_cookie(check, what, reply):
    """The session cookie of a login is out of reach of scripts and other sites."""
    cookie = reply.cookies.get(SESSION_COOKIE)
    check(
        f"{what}: sets {SESSION_COOKIE} with HttpOnly, SameSite=Lax, Path=/",
        cookie is not None
        and cookie.value
        and cookie["httponly"]
        and cookie["samesite"].lower() == "lax"
        and cookie["path"] == "/",
        reply.set_cookie,
    )


def check_form_login(check, client):
    """The form: refusals first, then a login that leaves the client logged in."""
    check_nobody(check, "at first", client.get(WHOAMI))

    page = client.get(LOGIN, accept="text/html")
    check("login page: 200 HTML", page.status == 200 and page.is_html, page)
    check(f"login page: sets {CSRF_COOKIE}", client.cookie(CSRF_COOKIE), page.set_cookie)
    form = LoginForm(page)
    types = {"username": "text", "password": "password", CSRF_FIELD: "hidden", "next": "hidden"}
    check(
        "login page: has the form with its fields",
        types.items() <= form.types.items() and form.fields[CSRF_FIELD],
        form.types,
    )
    check(
        "login page: the form posts to the page itself",
        form.method == "post" and urlsplit(urljoin(page.url, form.action)).path == LOGIN,
        f"method {form.method}, action {form.action!r}",
    )

    refused = client.post_form(LOGIN, form.filled(WRONG_PASSWORD))
    check(
        "form, wrong password: 200 HTML with the message",
        refused.status == 200 and refused.is_html and WRONG_PASSWORD_MESSAGE in refused.text,
        refused,
    )
    check("form, wrong password: no session", not client.cookie(SESSION_COOKIE), refused.set_cookie)

    fields = form.filled()
    del fields[CSRF_FIELD]
    refused = client.post_form(LOGIN, fields)
    check("form without CSRF token: 403", refused.status == 403, refused)
    check("form without CSRF token: no session", not client.cookie(SESSION_COOKIE))

    old_token = client.cookie(CSRF_COOKIE)
    reply = client.post_form(LOGIN, open_form(client).filled())
    check(
        'form, right password: 302 to "/"',
        reply.status == 302 and urljoin(client.base, reply.location) == client.url("/"),
        reply,
    )
    check_session_cookie(check, "form, right password", reply)
    check(
        f"form, right password: sets a new {CSRF_COOKIE}",
        CSRF_COOKIE in reply.cookies and client.cookie(CSRF_COOKIE) not in (None, "", old_token),
        reply.set_cookie,
    )
    check_user(check, "form, right password", client.get(WHOAMI), "Session")


def check_csrf_in_session(check, client):
    """Unsafe methods of a logged-in client need the CSRF header."""
    reply = client.get(SESSION)
    check("session page: GET 200", reply.status == 200, reply)
    reply = client.post_json(SESSION, {})
    check(
        "session page: POST without CSRF header 403",
        reply.status == 403 and reply.data == {"detail": "CSRF Failed: CSRF token missing."},
        reply,
    )
    reply = client.post_json(SESSION, {}, **{CSRF_HEADER: "x" * 32})
    check("session page: POST with a wrong CSRF header 403", reply.status == 403, reply)
    reply = client.post_json(SESSION, {}, **client.csrf_header())
    check("session page: POST with CSRF header 200", reply.status == 200, reply)


def check_form_logout(check, client):
    """Logging out ends the session on the server too."""
    reply = client.post_form(LOGOUT, {"any": "thing"})
    check("logout without CSRF token: 403", reply.status == 403, reply)
    check_user(check, "logout without CSRF token", client.get(WHOAMI), "Session")

    old_session = client.cookie(SESSION_COOKIE)
    reply = client.post_form(LOGOUT, {CSRF_FIELD: client.cookie(CSRF_COOKIE)})
    check("logout by form: 302 or 200", reply.status in (302, 200), reply)
    check(f"logout by form: removes {SESSION_COOKIE}", not client.cookie(SESSION_COOKIE))
    check_nobody(check, "logout by form", client.get(WHOAMI))
    reply = client.get(SESSION)
    check("logout by form: session page refuses", reply.status in (401, 403), reply)
    with type(client)(client.base) as other:
        reply = other.get(WHOAMI, Cookie=f"{SESSION_COOKIE}={old_session}")
        check_nobody(check, "logout by form, old cookie replayed", reply)


def check_next(check, client):
    """After the form the client lands on `next`, but never on another site."""
    form = open_form(client, f"?next={WHOAMI}")
    reply = client.post_form(LOGIN, form.filled(), follow=True)
    check(f"form with next={WHOAMI}: lands there", reply.url == client.url(WHOAMI), reply.url)

    elsewhere = "https://elsewhere.example/"
    with type(client)(client.base) as other:
        form = open_form(other)
        reply = other.post_form(LOGIN, form.filled(next=elsewhere))
        check(
            "form with next on another site: does not lead there",
            reply.status < 500 and not reply.location.startswith(elsewhere),
            reply,
        )


def check_json_login(check, client):
    """Login and logout of a client that speaks JSON."""
    good = {"username": USERNAME, "password": PASSWORD}
    bad = {"username": USERNAME, "password": WRONG_PASSWORD}

    with type(client)(client.base) as other:
        reply = other.post_json(LOGIN, good)
        check.note(f"JSON login without CSRF token: {reply.status}")

    client.get(LOGIN, accept="text/html")  # for the CSRF cookie
    reply = client.post_json(LOGIN, bad, **client.csrf_header())
    check("JSON, wrong password: 400 JSON", reply.status == 400 and reply.data, reply)
    check("JSON, wrong password: no session", not client.cookie(SESSION_COOKIE))

    reply = client.post_json(LOGIN, good, **client.csrf_header())
    check("JSON, right password: 200 JSON", reply.status == 200 and reply.data is not None, reply)
    check_session_cookie(check, "JSON, right password", reply)
    check(f"JSON, right password: sets {CSRF_COOKIE}", CSRF_COOKIE in reply.cookies)
    check_user(check, "JSON, right password", client.get(WHOAMI), "Session")
    reply = client.post_json(SESSION, {}, **client.csrf_header())
    check("JSON, right password: POST to session page 200", reply.status == 200, reply)

    reply = client.post_json(LOGOUT, {}, **client.csrf_header())
    check("JSON logout: 204", reply.status == 204 and not reply.text, reply)
    check_nobody(check, "JSON logout", client.get(WHOAMI))


def check_token(check, client):
    """Login by a token that does not end."""
    reply = client.post_json(TOKEN, {"username": USERNAME, "password": WRONG_PASSWORD})
    check("token, wrong password: 400", reply.status == 400, reply)
    reply = client.post_json(TOKEN, {"username": USERNAME, "password": PASSWORD})
    token = reply.value("token")
    check("token, right password: a token", reply.status == 200 and token, reply)
    header = {"Authorization": f"Token {token}"}
    check_user(check, "token", client.get(WHOAMI, **header), "Token")
    check_header_only(check, "token", client, header)


def check_jwt(check, client):
    """Login by a pair of JSON web tokens, with refresh and blacklist."""
    reply = client.post_json(JWT, {"username": USERNAME, "password": WRONG_PASSWORD})
    check("JWT, wrong password: 401", reply.status == 401, reply)
    reply = client.post_json(JWT, {"username": USERNAME, "password": PASSWORD})
    access, refresh = reply.value("access"), reply.value("refresh")
    check("JWT, right password: a pair", reply.status == 200 and access and refresh, reply)
    header = {"Authorization": f"Bearer {access}"}
    check_user(check, "JWT", client.get(WHOAMI, **header), "JWT")
    check_header_only(check, "JWT", client, header)

    reply = client.post_json(JWT_REFRESH, {"refresh": refresh})
    access, refresh = reply.value("access"), reply.value("refresh")
    check("JWT refresh: a new pair", reply.status == 200 and access and refresh, reply)
    header = {"Authorization": f"Bearer {access}"}
    check_user(check, "JWT refresh", client.get(WHOAMI, **header), "JWT")

    header = {"Authorization": f"Bearer {refresh}"}
    reply = client.get(WHOAMI, **header)
    check("JWT refresh token as access token: refused", reply.status in (401, 403), reply)

    reply = client.post_json(JWT_BLACKLIST, {"refresh": refresh})
    check("JWT blacklist: 200 {}", reply.status == 200 and reply.data == {}, reply)
    reply = client.post_json(JWT_REFRESH, {"refresh": refresh})
    check("JWT refresh after blacklist: 401", reply.status == 401, reply)


def check_header_only(check, what, client, header):
    """A token counts only in its header, only whole, and not for the session page."""
    spoilt = {"Authorization": header["Authorization"] + "x"}
    reply = client.get(WHOAMI, **spoilt)
    check(f"{what}, spoilt: refused", reply.status in (401, 403), reply)
    reply = client.get(SESSION, **header)
    check(f"{what}: no way to the session page", reply.status in (401, 403), reply)
    check(f"{what}: no session", not client.cookie(SESSION_COOKIE))
    check_nobody(check, f"{what}, next request without it", client.get(WHOAMI))


def run_http_client(make_client, base):
    """All checks of one HTTP client; each flow starts without cookies."""
    check = Checks(make_client.name)
    with make_client(base) as client:
        check_form_login(check, client)
        check_csrf_in_session(check, client)
        check_form_logout(check, client)
        check_next(check, client)
    for flow in (check_json_login, check_token, check_jwt):
        with make_client(base) as client:
            flow(check, client)


# -- Chromium -----------------------------------------------------------------


@contextmanager
def chromium(base, javascript=True):
    """A headless Chromium the size of a phone, with a profile that is removed."""
    with tempfile.TemporaryDirectory(prefix="clients-chromium-") as folder:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        options.add_argument("--headless=new")
        options.add_argument(f"--user-data-dir={folder}/profile")
        options.add_argument("--disable-dev-shm-usage")  # /dev/shm is small in containers
        options.add_argument("--no-first-run")
        options.add_argument("--no-proxy-server")
        options.add_argument("--disable-background-networking")
        options.add_argument("--disable-component-update")
        host = urlsplit(base).hostname
        options.add_argument(f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {host}")
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": PHONE})
        preferences = {
            "credentials_enable_service": False,
            "profile.password_manager_leak_detection": False,
        }
        if not javascript:
            preferences["profile.managed_default_content_settings.javascript"] = 2
        options.add_experimental_option("prefs", preferences)
        # Whatever the browser writes outside its profile goes to the folder too.
        homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR"), folder)
        driver = None
        try:
            driver, service = start(options, {**os.environ, **homes})
            driver.command_executor.client_config.timeout = 2 * TIMEOUT
            driver.set_page_load_timeout(TIMEOUT)
            driver.set_script_timeout(TIMEOUT)
            yield driver
        finally:
            if driver:
                stop(driver, service)


def start(options, environment, attempts=3):
    """A driver and its service. On a machine that is very busy a browser may end while it starts."""
    for attempt in range(1, attempts + 1):
        service = webdriver.ChromeService(CHROMEDRIVER, env=environment, popen_kw={"start_new_session": True})
        try:
            return webdriver.Chrome(options=options, service=service), service
        except SessionNotCreatedException:
            stop(None, service)
            if attempt == attempts:
                raise


def stop(driver, service):
    """Close the browser; one that no longer answers is killed with its driver."""
    try:
        if driver:
            driver.command_executor.client_config.timeout = 5
            driver.quit()
    except (WebDriverException, DriverHTTPError):
        service.stop()
    finally:
        if service.process:
            with suppress(ProcessLookupError):
                os.killpg(service.process.pid, signal.SIGKILL)


class Browser:
    """What a person does with the site in a browser."""

    def __init__(self, driver, base):
        self.driver = driver
        self.base = base

    def wait(self, condition, what):
        """Wait for a condition; what was waited for is named if it never comes.

        An element of a page that is being left makes chromedriver fail in one way or
        another: the condition is looked at again then.
        """
        wait = WebDriverWait(self.driver, TIMEOUT, ignored_exceptions=[WebDriverException])
        return wait.until(condition, what)

    def open(self, path):
        self.driver.get(urljoin(self.base, path))

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def password_field(self):
        locator = (By.NAME, "password")
        return self.wait(expected.visibility_of_element_located(locator), "the password field")

    def log_in(self, password, click=True):
        """Fill in the open form and send it; returns when the page has gone."""
        field = self.password_field()
        username = self.driver.find_element(By.NAME, "username")
        username.clear()
        username.send_keys(USERNAME)
        field.send_keys(password)
        old_page = self.driver.find_element(By.TAG_NAME, "html")
        if click:
            locator = (By.XPATH, SUBMIT_BUTTON)
            self.wait(expected.element_to_be_clickable(locator), "the submit button").click()
        else:
            field.send_keys(Keys.ENTER)
        self.wait(expected.staleness_of(old_page), "the page after the form")

    def wait_for_user(self):
        """Wait for the whoami page after a login and return its text."""
        self.wait(expected.url_to_be(urljoin(self.base, WHOAMI)), f"the address {WHOAMI}")
        self.wait(lambda driver: "username" in self.text(), "the text of the whoami page")
        return self.text()

    def post(self, path, with_csrf_header):
        """POST by fetch() in the open page; returns the status."""
        script = """
            const [path, header, done] = arguments;
            const headers = {Accept: "application/json"};
            if (header) {
                headers[header] = document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)[1];
            }
            fetch(path, {method: "POST", headers, credentials: "same-origin"})
                .then(response => done(response.status), error => done(String(error)));
        """
        header = CSRF_HEADER if with_csrf_header else None
        return self.driver.execute_async_script(script, path, header)


def shows_user(text):
    return re.search(rf'"username"\s*:\s*"{USERNAME}"', text)


def shows_nobody(text):
    return re.search(r'"username"\s*:\s*null', text)


def runs_javascript(driver):
    """Whether a page's own script runs."""
    driver.get("data:text/html,<title>off</title><script>document.title='on'</script>")
    WebDriverWait(driver, TIMEOUT).until(lambda driver: driver.title in ("on", "off"))
    return driver.title == "on"


def check_phone(check, driver, base):
    """The form on a phone, from a wrong password to the logout."""
    browser = Browser(driver, base)
    check("page scripts run", runs_javascript(driver))
    browser.open(f"{LOGIN}?next={WHOAMI}")
    check_fits(check, "login form", browser)

    browser.log_in(WRONG_PASSWORD)
    field = browser.password_field()
    check("wrong password: the message", WRONG_PASSWORD_MESSAGE in browser.text(), browser.text())
    check("wrong password: the password field is empty", field.get_property("value") == "")
    check_fits(check, "login form with the message", browser)
    screenshot = os.environ.get("SCREENSHOT")
    if screenshot:
        if not driver.save_screenshot(screenshot):
            raise Failure(f"chromium: the screenshot {screenshot} cannot be written")
        check.note(f"screenshot: {screenshot}")

    browser.log_in(PASSWORD)
    text = browser.wait_for_user()
    check(f"right password: {WHOAMI} shows {USERNAME}", shows_user(text), text)
    cookies = driver.execute_script("return document.cookie")
    check(
        f"right password: scripts see {CSRF_COOKIE}, not {SESSION_COOKIE}",
        CSRF_COOKIE in cookies and SESSION_COOKIE not in cookies,
        cookies,
    )
    check(f"right password: there is a {SESSION_COOKIE}", driver.get_cookie(SESSION_COOKIE))

    status = browser.post(SESSION, with_csrf_header=False)
    check("session page: fetch POST without CSRF header 403", status == 403, status)
    status = browser.post(SESSION, with_csrf_header=True)
    check("session page: fetch POST with CSRF header 200", status == 200, status)

    status = browser.post(LOGOUT, with_csrf_header=True)
    check("logout by fetch: 204", status == 204, status)
    browser.open(WHOAMI)
    text = browser.text()
    check(f"logout by fetch: {WHOAMI} shows nobody", shows_nobody(text), text)
    check(f"logout by fetch: removes {SESSION_COOKIE}", not driver.get_cookie(SESSION_COOKIE))


def check_fits(check, what, browser):
    """The page is laid out for the phone's width and is not wider than that.

    Without a viewport meta tag, or with contents that are too wide, a phone
    makes innerWidth itself larger; so that is compared with the phone too.
    """
    browser.password_field()
    inner, scroll = browser.driver.execute_script(
        "return [window.innerWidth, document.documentElement.scrollWidth]"
    )
    check(
        f"{what}: fits into {PHONE['width']} pixels",
        scroll <= inner == PHONE["width"],
        f"innerWidth {inner}, scrollWidth {scroll}; no viewport meta tag, or contents too wide?",
    )


def check_without_javascript(check, driver, base):
    """The form needs no scripts."""
    browser = Browser(driver, base)
    check("JavaScript off: page scripts do not run", not runs_javascript(driver))
    browser.open(f"{LOGIN}?next={WHOAMI}")
    # A click by chromedriver never returns when scripts are off; the Enter key works.
    browser.log_in(PASSWORD, click=False)
    text = browser.wait_for_user()
    check(f"JavaScript off, right password: {WHOAMI} shows {USERNAME}", shows_user(text), text)


def run_chromium(base):
    """All checks of the browser."""
    check = Checks("chromium")
    for program in (CHROMIUM, CHROMEDRIVER):
        if not os.access(program, os.X_OK):
            raise Failure(f"chromium: there is no {program}")
    with chromium(base) as driver:
        check_phone(check, driver, base)
    with chromium(base, javascript=False) as driver:
        check_without_javascript(check, driver, base)


# -- the run ------------------------------------------------------------------

RUNS = {
    "requests": lambda base: run_http_client(RequestsClient, base),
    "httpx": lambda base: run_http_client(HttpxClient, base),
    "curl": lambda base: run_http_client(CurlClient, base),
    "chromium": run_chromium,
}

CLIENT_ERRORS = (
    requests.RequestException,
    httpx.HTTPError,
    WebDriverException,
    DriverHTTPError,  # chromedriver does not answer
    OSError,
)


def main():
    """Run the clients named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Check a site's login with real clients.")
    parser.add_argument("base", metavar="BASE_URL", help="such as http://127.0.0.1:8000")
    parser.add_argument("clients", metavar="CLIENT", nargs="*", help=", ".join(RUNS))
    arguments = parser.parse_args()
    for name in arguments.clients:
        if name not in RUNS:
            parser.error(f"no such client: {name}")
    base = arguments.base.rstrip("/") + "/"
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname:
        parser.error(f"not the address of a site: {arguments.base}")

    # Ended from outside, still close the browser and remove its profile.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for name in arguments.clients or RUNS:
        try:
            RUNS[name](base)
        except Failure as failure:
            print(f"FAIL {failure}")
            return 1
        except TimeoutException as error:
            print(f"FAIL {name}: did not come in {TIMEOUT} seconds: {error.msg}")
            return 1
        except CLIENT_ERRORS as error:
            # A WebDriverException as text also has chromedriver's stack.
            text = getattr(error, "msg", None) or error
            print(f"FAIL {name}: {type(error).__name__}: {text}")
            return 1
    print(f"{Checks.passed} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
