"""Django REST Framework with the same check: who asks is known by a token of the database, or by a JSON Web Token.

    drf.py DATABASE      makes the database with one user; prints a token and an access token
    uwsgi --module drf   serves it, with BENCH_DATABASE in the environment

There is no middleware, one renderer, and each process keeps its connection to the database: as fast as it goes without
giving up anything that the check needs.
"""

import os
import sys

import django
from django.conf import settings

settings.configure(
    DEBUG=False, SECRET_KEY="not secret, and long enough for whoever measures it", ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__, USE_TZ=True, MIDDLEWARE=[], LOGGING_CONFIG=None,
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "rest_framework.authtoken"],
    DATABASES={"default": {
        "ENGINE": "django.db.backends.sqlite3", "CONN_MAX_AGE": None,
        "NAME": os.environ.get("BENCH_DATABASE") or sys.argv[1]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import path
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import AccessToken


class Message(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"message": "You are authenticated"})


urlpatterns = [
    path("drf/token/", Message.as_view(authentication_classes=[TokenAuthentication])),
    path("drf/jwt/", Message.as_view(authentication_classes=[JWTAuthentication])),
]
application = get_wsgi_application()

if __name__ == "__main__":
    from datetime import timedelta

    call_command("migrate", verbosity=0)
    ann = User.objects.create(username="ann")
    access = AccessToken.for_user(ann)
    access.set_exp(lifetime=timedelta(hours=2))
    print(Token.objects.create(user=ann).key, access)
