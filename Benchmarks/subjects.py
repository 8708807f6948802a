"""Who is compared with whom: one row of the table each."""

import dataclasses
import json
import time

import machine
import stage
from load import Load, Pool

# Tokens that are sent again and again: few, for whatever remembers them has seen many others since the last round.
SEEN = 100


@dataclasses.dataclass(frozen=True)
class Subject:
    """`reference` is the subject that does nothing but answer, asked in the same way. Those that a goal speaks of are
    measured for two seconds a round, the others for one."""
    title: str
    load: Load
    reference: str = "loops"
    seconds: int = 1
    port: int = None
    is_plotted: bool = True


def all_subjects(scene, unseen):
    """By name; `unseen` is how many tokens there are to be that postern has not seen."""
    credentials, postern, loops = scene.credentials, scene.postern, scene.limits["loops"]
    seen = signed(scene, "HS256", SEEN, "seen")
    pool = signed(scene, "HS256", unseen, "unseen")
    # Of its own, so that it uses up none of postern's.
    same_pool = Pool(pool.path)
    same = Load("/loops/", credentials["token"], backend=loops)
    token = Load("/postern/", credentials["token"], backend=postern)

    def of_postern(path, name):
        return Load(path, credentials[name], backend=postern)

    def of_drf(path, name):
        return Load(path, credentials[name], backend=scene.drf)

    return {
        "loops": Subject("C, a loop a core", same, seconds=2),
        "shared": Subject("C, shared epoll", Load("/shared/", credentials["token"], backend=scene.limits["shared"]),
                          is_plotted=False),
        "loops-jwt": Subject("C, asked with JWTs", Load("/loops/", pool=same_pool, backend=loops), seconds=2, is_plotted=False),
        "loops-gate": Subject("C, as gate", Load("/gate", credentials["token"], backend=scene.limits["limit-gate"]),
                              port=scene.limit_gate_port, is_plotted=False),
        "token": Subject("postern, Token", token, seconds=2),
        "jwt": Subject("postern, JWT seen", Load("/postern/", pool=seen, backend=postern), "loops-jwt", seconds=2),
        "jwt-unseen": Subject("postern, JWT unseen", Load("/postern/", pool=pool, backend=postern), "loops-jwt", seconds=2),
        "session": Subject("postern, Session", of_postern("/postern/", "session")),
        "basic": Subject("postern, Basic seen", dataclasses.replace(
            of_postern("/postern/", "basic"), prepare=PasswordMemo(scene).prepare)),
        "throttled": Subject("postern, throttled", of_postern("/throttled/", "token")),
        "refusal": Subject("postern, refusal", Load("/postern/", backend=postern, status=401)),
        "gate": Subject("postern, gate", of_postern("/gate", "token"), "loops-gate", port=scene.gate_port),
        "nginx": Subject("nginx, static", Load("/nginx/", credentials["token"])),
        "auth-basic": Subject("nginx, auth_basic", Load("/auth-basic", credentials["basic"])),
        "php": Subject("php-fpm", Load("/php/", credentials["php"], backend=scene.php)),
        "drf": Subject("DRF, Token", of_drf("/drf/token/", "drf")),
        "simplejwt": Subject("DRF, simplejwt", of_drf("/drf/jwt/", "simplejwt")),
    }


class PasswordMemo:
    """Postern remembers for a minute that a password was right. No run of Basic seen is to see that minute end: then
    every request that is under way hashes, and that is another subject."""

    MINUTE = 60

    def __init__(self, scene):
        self.scene, self.hashed = scene, -self.MINUTE

    def prepare(self, seconds):
        left = self.hashed + self.MINUTE - time.monotonic()
        if left > seconds + 1:
            return
        time.sleep(max(0, left + 0.5))
        stage.get(self.scene, "/postern/", self.scene.credentials["basic"])
        self.hashed = time.monotonic()


def signed(scene, algorithm, count, name):
    """A pool of so many access tokens of ann's."""
    machine.show_progress(f"signing {count} tokens, {algorithm}")
    key = stage.key_path(scene, algorithm)
    path = scene.folder / f"{name}-{algorithm}"
    machine.run(scene.python, stage.HERE / "peers/sign.py", key, json.dumps(scene.claims), count, path)
    return Pool(path)
