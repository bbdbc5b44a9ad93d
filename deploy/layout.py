"""What the Dockerfile says, without a container engine: its steps into a folder, and its start from there.

The folder is mounted where the image has it, the rest is read-only, and of this machine only /usr and Python are
visible. Needs bubblewrap. As root, the service runs under the image's own user id; otherwise under yours.

    python -m deploy.layout build FOLDER [--extras report]
    python -m deploy.layout run [--env NAME=VALUE]... [--volume SOURCE:TARGET[:ro]]... FOLDER [ARGUMENT]...
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parent.parent
HOME_OF_SERVICE = "/opt/cds-service"
_PYTHON = Path(sys.base_prefix)  # plays the image's base
_FROM_THE_BASE = ("/etc/ssl", "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf")


@dataclass
class Image:
    """The instructions of the Dockerfile that decide what an image holds and how it starts."""

    copied: list[list[str]] = field(default_factory=list)  # sources and target of each COPY from the source tree
    build: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    health_check: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def read_image(dockerfile: str) -> Image:
    """Of a Dockerfile with two stages: the first builds the folder, the second starts from it."""
    parser = DockerfileParser(fileobj=io.BytesIO(dockerfile.encode()))
    image = Image(environment=dict(parser.envs))
    stage = 0
    for step in parser.structure:
        value = step["value"]
        match step["instruction"]:
            case "FROM":
                stage += 1
            case "COPY" if stage == 1:
                image.copied.append(value.split())
            case "RUN" if stage == 1:
                image.build = " ".join(word for word in value.split() if not word.startswith("--mount="))
            case "USER":
                image.user = value
            case "HEALTHCHECK":
                image.health_check = json.loads(value.partition("CMD ")[2])
            case "ENTRYPOINT":
                image.entrypoint = json.loads(value)
            case "CMD":
                image.command = json.loads(value)
    return image


def build(image: Image, folder: Path, *, extras: str = "") -> None:
    """Run the image's build step on what it copies, with the folder where the image has it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # any user that runs the image must read it
    with tempfile.TemporaryDirectory() as name:
        source = Path(name)
        for *copied, target in image.copied:
            for one in copied:
                _copy(ROOT / one, source / target / one if target.endswith("/") else source / target)
        kept = [word for one in Path("/opt").iterdir() for word in ("--ro-bind", one, one)]
        command = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", "/opt", *kept, "--bind", folder, HOME_OF_SERVICE]
        variables = {"EXTRAS": extras, "PATH": f"{_PYTHON / 'bin'}:{os.environ['PATH']}"}
        command += ["--chdir", source, "sh", "-c", image.build]
        subprocess.run([str(one) for one in command], check=True, env=os.environ | variables)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def start_command(
    image: Image,
    folder: Path,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    volumes: Iterable[str] = (),
) -> list[str]:
    """What runs a command of the image from its folder: `volumes` are SOURCE:TARGET or SOURCE:TARGET:ro.

    Send signals to its child, which is process 1 in its own namespace: when that ends, everything in it ends.
    """
    mounts = [(str(_PYTHON), str(_PYTHON), "ro"), (str(folder), HOME_OF_SERVICE, "ro")]
    mounts += [(one, one, "ro") for one in _FROM_THE_BASE if Path(one).exists()]
    mounts += [(source, target, mode) for source, _, rest in (one.partition(":") for one in volumes)
               for target, _, mode in [rest.partition(":")]]  # fmt: skip
    words = ["bwrap", "--unshare-pid", "--as-pid-1", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        words += ["--symlink", f"usr/{name}", f"/{name}"]
    for parent in dict.fromkeys(one for _, target, _ in mounts for one in _parents(target)):
        words += ["--perms", "0755", "--dir", parent]
    for source, target, mode in mounts:
        words += ["--ro-bind" if mode == "ro" else "--bind", source, target]
    words += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp", "--remount-ro", "/"]  # noqa: S108
    words += ["--chdir", "/", "--clearenv"]
    for name, value in (image.environment | dict(environment or {})).items():
        words += ["--setenv", name, value]
    return [*words, *_as_user(image.user), *command]


def _parents(target: str) -> list[str]:
    """The folders above a mount, topmost first: bubblewrap would create them readable by the owner only."""
    return [str(one) for one in reversed(PurePosixPath(target).parents) if str(one) != "/"]


def _as_user(user: str) -> list[str]:
    if os.geteuid() != 0:
        return []
    number, _, group = user.partition(":")
    none = ["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    return ["--cap-add", "ALL", "setpriv", "--reuid", number, "--regid", group or number, *none]


def main() -> None:
    """The command line."""
    image = read_image((ROOT / "Dockerfile").read_text("utf-8"))
    parser = argparse.ArgumentParser(prog="python -m deploy.layout")
    verbs = parser.add_subparsers(dest="verb", required=True)
    building = verbs.add_parser("build", help="build the image's folder")
    building.add_argument("folder", type=Path)
    building.add_argument("--extras", default="")
    running = verbs.add_parser("run", help="run a command of the image; without one, what the image starts")
    running.add_argument("folder", type=Path)
    running.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    running.add_argument("--volume", action="append", default=[], metavar="SOURCE:TARGET[:ro]")
    running.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if given.verb == "build":
        build(image, given.folder, extras=given.extras)
        return
    variables = {name: value for name, _, value in (one.partition("=") for one in given.env)}
    command = [*image.entrypoint, *(given.arguments or image.command)]
    words = start_command(image, given.folder, command, environment=variables, volumes=given.volume)
    os.execvp(words[0], words)  # noqa: S606 - so that signals reach it


if __name__ == "__main__":
    main()
