"""What Django REST Framework itself answers, in this process, to cases that stand on standard input as JSON.

{"permissions": {"expressions": [...], "methods": [...]}, "throttles": [{"rates": [[scope, rate], ...], "permission": ...,
"steps": [[persona, method], ...]}, ...]} gives {"permissions": {expression: {method: {persona: answer}}}, "throttles":
[[answer, ...], ...]}, where an answer is {"status", "challenge", "allow", "retry_after", "body"}.
"""

import json
import sys

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "rest_framework.authtoken"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    ROOT_URLCONF=[],
    SECRET_KEY="not secret, and long enough for whoever measures it",
    REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
)
django.setup()

from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.management import call_command
from django.db import models
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.permissions import (
    SAFE_METHODS,
    AllowAny,
    BasePermission,
    DjangoModelPermissions,
    DjangoModelPermissionsOrAnonReadOnly,
    IsAdminUser,
    IsAuthenticated,
    IsAuthenticatedOrReadOnly,
)
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle
from rest_framework.views import APIView


class Thing(models.Model):
    class Meta:
        app_label = "shop"


def permission(allows):
    """A class of one's own, as DRF's documentation makes them."""
    return type("Own", (BasePermission,), {"has_permission": lambda self, request, view: bool(allows(request))})


# The names that Postern's expressions use, whose signs are Python's.
NAMES = {
    "AllowAny": AllowAny,
    "IsAuthenticated": IsAuthenticated,
    "IsAdminUser": IsAdminUser,
    "IsAuthenticatedOrReadOnly": IsAuthenticatedOrReadOnly,
    "ModelPermissions": DjangoModelPermissions,
    "ModelPermissionsOrAnonReadOnly": DjangoModelPermissionsOrAnonReadOnly,
    "IsSuperuser": permission(lambda request: request.user.is_superuser),
    "ReadOnly": permission(lambda request: request.method in SAFE_METHODS),
    "DenyAll": permission(lambda request: False),
    "InGroup": lambda name: permission(lambda request: request.user.groups.filter(name=name).exists()),
    "HasPermission": lambda name: permission(lambda request: request.user.has_perm(name)),
}


def people():
    """Tokens by persona: the same people that the tests make in Postern."""
    content_type = ContentType.objects.create(app_label="shop", model="thing")
    permissions = {
        action: Permission.objects.create(codename=f"{action}_thing", name=action, content_type=content_type)
        for action in ["add", "change", "delete"]
    }
    group = Group.objects.create(name="ops")
    group.permissions.set([permissions["add"], permissions["change"]])
    users = {
        "inactive": User.objects.create(username="inactive", is_active=False),
        "user": User.objects.create(username="user"),
        "staff": User.objects.create(username="staff", is_staff=True),
        "superuser": User.objects.create(username="superuser", is_superuser=True),
        "member": User.objects.create(username="member"),
        "direct": User.objects.create(username="direct"),
    }
    users["member"].groups.add(group)
    users["direct"].user_permissions.add(permissions["delete"])
    tokens = {name: Token.objects.create(user=user).key for name, user in users.items()}
    # DRF's tokens have no scopes.
    return {**tokens, "scoped": tokens["user"], "nobody": None}


def view(permission_text, rates=()):
    throttles = [
        type("Throttle", (AnonRateThrottle if scope == "anon" else UserRateThrottle,), {"rate": rate, "scope": scope})
        for scope, rate in rates
    ]

    class View(APIView):
        authentication_classes = [TokenAuthentication]
        permission_classes = [eval(permission_text, dict(NAMES))]
        throttle_classes = throttles
        queryset = Thing.objects.none()

        def get(self, request):
            return Response({"message": "x"})

        post = put = patch = delete = get

    return View.as_view()


def ask(view, method, token, address="192.0.2.1"):
    headers = {"HTTP_AUTHORIZATION": f"Token {token}"} if token else {}
    response = view(APIRequestFactory().generic(method, "/", REMOTE_ADDR=address, **headers))
    response.render()
    return {
        "status": response.status_code,
        "challenge": response.get("WWW-Authenticate"),
        "allow": response.get("Allow"),
        "retry_after": response.get("Retry-After"),
        # What OPTIONS says of a view is the view's own.
        "body": "" if method == "HEAD" or method == "OPTIONS" and response.status_code == 200 else response.content.decode(),
    }


def main():
    call_command("migrate", verbosity=0)
    tokens = people()
    cases = json.load(sys.stdin)
    table = cases["permissions"]
    permissions = {
        text: {method: {name: ask(view(text), method, token) for name, token in tokens.items()} for method in table["methods"]}
        for text in table["expressions"]
    }
    throttles = []
    for case in cases["throttles"]:
        cache.clear()
        throttled = view(case["permission"], case["rates"])
        throttles.append([ask(throttled, method, tokens[name]) for name, method in case["steps"]])
    json.dump({"permissions": permissions, "throttles": throttles}, sys.stdout)


main()
