"""A Django project with a thousand users, and what manage.py dumpdata writes of it.

    migration.py FOLDER

Writes FOLDER/dump.json, the same with natural keys as FOLDER/natural.json and as JSON Lines in FOLDER/dump.jsonl, and in
FOLDER/expected.json what has to be true of a server that took it over.
"""
import datetime
import json
import pathlib
import sys

import django
from django.conf import settings

folder = pathlib.Path(sys.argv[1])
HASHERS = ["PBKDF2", "PBKDF2SHA1", "Argon2", "BCryptSHA256", "BCrypt", "Scrypt", "MD5"]
SECRET = "a secret of the project, long enough for HS256 and for nothing else"

settings.configure(
    SECRET_KEY=SECRET, USE_TZ=True, LOGGING_CONFIG=None,
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "rest_framework.authtoken",
        "rest_framework_simplejwt.token_blacklist", "knox"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:memory?mode=memory&cache=shared"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{name}PasswordHasher" for name in HASHERS],
)
django.setup()

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.authtoken.models import Token
from rest_framework_simplejwt.tokens import RefreshToken

call_command("migrate", verbosity=0)

algorithms = ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt", "md5"]
expected = {"secret": SECRET, "passwords": {}, "tokens": {}, "knox": {}, "ids": {}}
ops = Group.objects.create(name="ops")
ops.permissions.set(Permission.objects.filter(codename__in=["add_group", "change_group"]))

for number, algorithm in enumerate(algorithms):
    # Long enough for bcrypt to look at a part of it only, and of more than ASCII.
    password = f"motdepassé {algorithm} " + "x" * (90 if algorithm == "bcrypt_sha256" else 8)
    name = f"by_{algorithm}"
    User.objects.create(username=name, password=make_password(password, hasher=algorithm))
    expected["passwords"][name] = password

common = make_password("correct horse battery staple", hasher="md5")
User.objects.bulk_create(
    User(username=f"user{number}", password=common, date_joined=timezone.now() - datetime.timedelta(days=number))
    for number in range(1000 - len(algorithms)))
for user in User.objects.filter(username__startswith="user"):
    if user.pk % 3 == 0:
        expected["tokens"][user.username] = Token.objects.create(user=user).key

staff = User.objects.get(username="user1")
staff.is_staff = True
staff.groups.add(ops)
staff.user_permissions.add(Permission.objects.get(codename="delete_group"))
staff.save()
User.objects.filter(username="user2").update(is_active=False)
unusable = User.objects.get(username="user3")
unusable.set_unusable_password()
unusable.save()

user = User.objects.get(username="user4")
expected["knox"]["user4"] = AuthToken.objects.create(user)[1]
expected["knox"]["user5"] = AuthToken.objects.create(User.objects.get(username="user5"), prefix="org_")[1]
AuthToken.objects.create(user, expiry=datetime.timedelta(seconds=-1))

refresh, ended = RefreshToken.for_user(user), RefreshToken.for_user(user)
ended.blacklist()
expected["access"] = str(refresh.access_token)
expected["refresh"] = str(refresh)
expected["blacklisted"] = str(ended)
expected["ids"] = {user.username: user.pk for user in User.objects.all()}

apps = ["contenttypes", "auth", "authtoken", "knox", "token_blacklist"]
call_command("dumpdata", *apps, output=str(folder / "dump.json"), verbosity=0)
call_command("dumpdata", *apps, output=str(folder / "dump.jsonl"), format="jsonl", verbosity=0)
call_command(
    "dumpdata", "auth", "authtoken", output=str(folder / "natural.json"), use_natural_foreign_keys=True, verbosity=0)
(folder / "expected.json").write_text(json.dumps(expected))
