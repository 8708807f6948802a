"""A live Django project with every view that Postern claims to stand in for.

    peer.py PORT STATE.json

Serves on 127.0.0.1:PORT. STATE.json is written once it listens and holds the users with their ids and tokens, and
the key of the JSON Web Tokens, so that a client can sign its own. Everything lives in memory, until SIGTERM.

Every address exists a second time under /https/, where Django is told that the request came over TLS.
"""
import base64
import json
import logging
import os
import secrets
import signal
import sys
from importlib.metadata import version
from socketserver import TCPServer
from unittest import mock
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings

JWT_SECRET = secrets.token_bytes(32)

settings.configure(
    DEBUG=False, SECRET_KEY="not a secret", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True,
    TIME_ZONE="UTC",
    STATIC_URL="/static/", LOGIN_REDIRECT_URL="/", LOGOUT_REDIRECT_URL="/", LOGGING_CONFIG=None,
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "rest_framework",
        "rest_framework.authtoken", "rest_framework_simplejwt.token_blacklist", "knox"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware", "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware"],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request", "django.contrib.auth.context_processors.auth"]}}],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:memory?mode=memory&cache=shared"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework.authentication.TokenAuthentication",
            "rest_framework_simplejwt.authentication.JWTAuthentication",
            "rest_framework.authentication.SessionAuthentication", "rest_framework.authentication.BasicAuthentication"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
    SIMPLE_JWT={
        "ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True, "ALGORITHM": "HS256",
        "SIGNING_KEY": JWT_SECRET},
)
django.setup()
logging.disable()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from knox.auth import TokenAuthentication as KnoxAuthentication
from knox.views import LoginView, LogoutAllView, LogoutView
from rest_framework.authentication import (
    BasicAuthentication, SessionAuthentication, TokenAuthentication)
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.views import ObtainAuthToken, obtain_auth_token
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import authentication as jwt_authentication
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.settings import api_settings as jwt_settings
from rest_framework_simplejwt.views import (
    TokenBlacklistView, TokenObtainPairView, TokenRefreshView, TokenVerifyView)

PHRASE = "correct horse battery staple"
PASSWORDS = {"ann": PHRASE, "stella": "correct:horse:battery:staple", "émile": "motdepassé très long", "ina": PHRASE,
             "dora": PHRASE, "bob": PHRASE, "carl": PHRASE}
EVERY = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def view(message, permission, methods, authenticators=None):
    """A view that answers each of the methods with the message."""
    def answer(self, request):
        return Response({"message": message})
    body = {method.lower(): answer for method in methods}
    body["permission_classes"] = [permission]
    if authenticators is not None:
        body["authentication_classes"] = authenticators
    return type("Message", (APIView,), body).as_view()


class BearerToken(TokenAuthentication):
    keyword = "Bearer"


class KnoxWord(KnoxAuthentication):
    """knox where AUTH_HEADER_PREFIX is Knox."""

    def authenticate_header(self, request):
        return "Knox"


class JWTWords(JWTAuthentication):
    """simplejwt where AUTH_HEADER_TYPES are JWT and Bearer."""

    def authenticate_header(self, request):
        with mock.patch.object(jwt_authentication, "AUTH_HEADER_TYPES", ("JWT", "Bearer")):
            return super().authenticate_header(request)

    def get_raw_token(self, header):
        with mock.patch.object(jwt_authentication, "AUTH_HEADER_TYPE_BYTES", {b"JWT", b"Bearer"}):
            return super().get_raw_token(header)


# simplejwt where USER_ID_CLAIM is sub.
def sub_claim():
    return mock.patch.object(jwt_settings, "USER_ID_CLAIM", "sub")


class SubAuthentication(JWTAuthentication):
    def get_user(self, validated_token):
        with sub_claim():
            return super().get_user(validated_token)


class SubObtain(TokenObtainPairView):
    def post(self, request, *arguments, **more):
        with sub_claim():
            return super().post(request, *arguments, **more)


class SubRefresh(TokenRefreshView):
    def post(self, request, *arguments, **more):
        with sub_claim():
            return super().post(request, *arguments, **more)


class KnoxLogin(LoginView):
    authentication_classes = [KnoxAuthentication, JWTAuthentication, SessionAuthentication, BasicAuthentication]


class LimitedLogin(LoginView):
    authentication_classes = [BasicAuthentication]

    def get_token_limit_per_user(self):
        return 2


class EndlessLogin(LoginView):
    authentication_classes = [BasicAuthentication]

    def get_token_ttl(self):
        return None


class SessionFirst(ObtainAuthToken):
    # DRF's own default, where a project sets none.
    authentication_classes = [SessionAuthentication, BasicAuthentication]


# OPTIONS answers with the class's name.
for variant in [KnoxLogin, LimitedLogin, EndlessLogin, SessionFirst, SubObtain, SubRefresh]:
    variant.__name__ = variant.__base__.__name__


def mixed(message, *authenticators):
    return view(message, IsAuthenticated, EVERY, list(authenticators))


views = [
    path("secure/", view("You are authenticated", IsAuthenticated, ["GET"])),
    path("admin-only/", view("Admin Access Only", IsAdminUser, ["GET"])),
    path("notes/", view("Notes", IsAuthenticatedOrReadOnly, EVERY)),
    path("public/", view("Public", AllowAny, EVERY)),
    path("staff/", view("Staff", IsAdminUser, EVERY)),
    path("users/", view("Users", IsAuthenticated, EVERY)),
    path("basic-first/", view("Basic", IsAuthenticated, ["GET"], [BasicAuthentication, TokenAuthentication])),
    path("bearer/", view("Bearer", IsAuthenticated, ["GET"], [BearerToken])),
    path("nobody/", view("Nobody", IsAuthenticated, ["GET"], [])),
    path("api-token-auth/", obtain_auth_token),

    path("api/token/", TokenObtainPairView.as_view()),
    path("api/token/refresh/", TokenRefreshView.as_view()),
    path("api/token/verify/", TokenVerifyView.as_view()),
    path("api/token/blacklist/", TokenBlacklistView.as_view()),
    path("api/auth/login/", KnoxLogin.as_view()),
    path("api/auth/logout/", LogoutView.as_view()),
    path("api/auth/logoutall/", LogoutAllView.as_view()),
    path("limited-login/", LimitedLogin.as_view()),
    path("endless-login/", EndlessLogin.as_view()),

    path("jwt/", mixed("JWT", JWTAuthentication)),
    path("jwt-public/", view("JWT", AllowAny, EVERY, [JWTAuthentication])),
    path("session/", mixed("Session", SessionAuthentication)),
    path("session-public/", view("Open", AllowAny, EVERY, [SessionAuthentication])),
    path("knox/", mixed("Knox", KnoxAuthentication)),
    path("session-token/", mixed("Both", SessionAuthentication, TokenAuthentication)),
    path("token-session/", mixed("Both", TokenAuthentication, SessionAuthentication)),
    path("jwt-token/", mixed("Both", JWTAuthentication, TokenAuthentication)),
    path("token-jwt/", mixed("Both", TokenAuthentication, JWTAuthentication)),
    path("session-basic/", mixed("Both", SessionAuthentication, BasicAuthentication)),
    path("all/", mixed("All", TokenAuthentication, JWTAuthentication, SessionAuthentication, BasicAuthentication)),

    path("token-or-knox/", mixed("Both", TokenAuthentication, KnoxWord)),
    path("knox-or-token/", mixed("Both", KnoxWord, TokenAuthentication)),
    path("jwt-words/", mixed("JWT", JWTWords)),
    path("jwt-sub/", mixed("JWT", SubAuthentication)),
    path("sub/api/token/", SubObtain.as_view()),
    path("sub/api/token/refresh/", SubRefresh.as_view()),

    # DRF's own order of authenticators.
    path("session-token-auth/", SessionFirst.as_view()),
]
forms = path("api-auth/", include("rest_framework.urls"))
urlpatterns = [*views, forms, path("https/", include([*views, forms]))]


def under_https(application):
    """Tells the application that what came under /https/ came over TLS; the path stays as it is."""
    def answer(environ, start_response):
        if environ["PATH_INFO"].startswith("/https/"):
            environ["wsgi.url_scheme"] = "https"
        return application(environ, start_response)
    return answer


class Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, *arguments):
        pass

    def get_environ(self):
        environ = super().get_environ()
        if self.headers.get("Content-Type") is None:
            # wsgiref makes text/plain out of a missing type, other servers do not.
            del environ["CONTENT_TYPE"]
        return environ


class Server(WSGIServer):
    # One thread: the database is one connection, and the answers come in the order of the questions.
    request_queue_size = 128

    def server_bind(self):
        # WSGIServer looks its own name up, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address
        self.setup_environ()

    def handle_error(self, request, client_address):
        pass


def main():
    port, state = int(sys.argv[1]), sys.argv[2]
    call_command("migrate", verbosity=0)
    users = {}
    for name, password in PASSWORDS.items():
        user = User.objects.create_user(name, password=password, is_staff=name == "stella", is_active=name != "ina")
        users[name] = {"id": user.id, "token": Token.objects.create(user=user).key}
    server = Server(("127.0.0.1", port), Handler)
    server.set_app(under_https(get_wsgi_application()))
    packages = ["django", "djangorestframework", "djangorestframework-simplejwt", "django-rest-knox", "PyJWT"]
    with open(state + ".new", "w") as file:
        json.dump({
            "users": users,
            "jwt_secret": base64.urlsafe_b64encode(JWT_SECRET).rstrip(b"=").decode(),
            "versions": {name: version(name) for name in packages},
        }, file, ensure_ascii=False, indent=1)
        file.write("\n")
    os.rename(state + ".new", state)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever()


if __name__ == "__main__":
    main()
