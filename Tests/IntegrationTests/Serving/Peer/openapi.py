"""Hooks of schemathesis, which asks a running site whatever its OpenAPI document allows, and more: see
OpenAPIServerTests.swift. A schemathesis.toml says what is asked; this, in whose name.

POSTERN_SITE                  the site
POSTERN_TOKEN, _TOKEN_ID      a superuser's token, and its id
POSTERN_KEPT                  ids of users whom no request may change: the superuser, and one who logs in and out
"""
import os

import requests
import schemathesis

SITE, TOKEN = os.environ["POSTERN_SITE"], os.environ["POSTERN_TOKEN"]
TOKEN_ID = os.environ["POSTERN_TOKEN_ID"]
KEPT = os.environ["POSTERN_KEPT"].split()
PASSWORD = "correct horse battery staple"
# They end the credential with which they are asked.
ENDING = ["/api/auth/logout/", "/api/auth/logoutall/"]


@schemathesis.auth(refresh_interval=None).apply_to(path=ENDING)
class OneWhoLogsOut:
    def get(self, case, context):
        answer = requests.post(SITE + "/api/auth/login/", auth=("spare", PASSWORD), timeout=20)
        answer.raise_for_status()
        return answer.json()["token"]

    def set(self, case, data, context):
        case.headers["Authorization"] = "Token " + data


@schemathesis.auth().skip_for(path=ENDING)
class Superuser:
    def get(self, case, context):
        return TOKEN

    def set(self, case, data, context):
        case.headers["Authorization"] = "Token " + data


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what would end the run, TRACE, which nginx answers by itself, and wrong types in forms: a form has no
    types, so a single 0.5 is a list of one text there."""
    if case.method == "TRACE":
        return False
    is_form = case.media_type not in (None, "application/json")
    if is_form and case.meta and case.meta.generation.mode.is_negative:
        return False
    number = str((case.path_parameters or {}).get("id"))
    if case.path.startswith("/api/users/") and case.method != "GET":
        return number not in KEPT
    return not (case.path.startswith("/api/tokens/") and case.method == "DELETE" and number == TOKEN_ID)
