"""Fetches what `dupq convert` needs of a model on the Hugging Face Hub, checked and whole, or nothing.

Environment, as the Hub's own tools read it: HF_ENDPOINT, HF_TOKEN (or a token in the file HF_TOKEN_PATH, which is
HF_HOME/token if not given), HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT (seconds).
"""
import hashlib
import http.client
import json
import os
import pathlib
import re
import time
import urllib.error
import urllib.parse
import urllib.request

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# What the first of these that a folder has says of its weights is what transformers reads.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
SETTINGS = {"config.json", "modules.json", "config_sentence_transformers.json", "tokenizer.json", "tokenizer_config.json",
            "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt",
            "adapter_config.json", "artifact.metadata"}
RETRIES = 5  # of a connection that breaks, in a row without a byte between them
PAUSE = 1.0  # seconds before the first of them, then twice as long


class Failure(Exception):
    """Something to say in one line."""


def endpoint():
    return os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or "https://huggingface.co"


def true(name):
    return os.environ.get(name, "").strip().upper() in ("1", "ON", "YES", "TRUE")


def token():
    """What says to the Hub who asks; nothing where the user has none."""
    own = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN")
    if not own and not true("HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        home = os.environ.get("HF_HOME") or os.path.join(cache, "huggingface")
        try:
            own = pathlib.Path(os.environ.get("HF_TOKEN_PATH") or os.path.join(home, "token")).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            own = None
    return (own or "").replace("\r", "").replace("\n", "").strip()


class Redirect(urllib.request.HTTPRedirectHandler):
    """Follows a link to another host without the token, which is for the Hub alone."""

    def redirect_request(self, request, *rest):
        new = super().redirect_request(request, *rest)
        if new and urllib.parse.urlsplit(new.full_url)[:2] != urllib.parse.urlsplit(request.full_url)[:2]:
            new.remove_header("Authorization")
        return new


def ask(url, first=0):
    """An answer to GET, of a file from byte `first` on."""
    if true("HF_HUB_OFFLINE"):
        raise Failure("HF_HUB_OFFLINE is set: nothing is fetched")
    request = urllib.request.Request(url, headers={"User-Agent": "dupq", "Accept-Encoding": "identity"})
    if first:
        request.add_header("Range", f"bytes={first}-")
    if known := token():
        request.add_header("Authorization", f"Bearer {known}")
    try:
        seconds = float(os.environ.get("HF_HUB_DOWNLOAD_TIMEOUT") or 10)
    except ValueError as error:
        raise Failure("HF_HUB_DOWNLOAD_TIMEOUT: a number of seconds is expected") from error
    return urllib.request.build_opener(Redirect).open(request, timeout=seconds)


def refusal(name, revision, error):
    """What an answer of the Hub that is none means."""
    code = error.headers.get("X-Error-Code", "")
    if code == "RevisionNotFound":
        return f"{name} has no revision {revision}"
    if code == "GatedRepo":
        return f"{name} is gated: agree to its terms at {endpoint()}/{name} and set HF_TOKEN"
    if code == "RepoNotFound" or error.code in (401, 404):
        return f"{name} is not there, or private" + ("" if token() else ": set HF_TOKEN if you may read it")
    said = error.headers.get("X-Error-Message") or error.reason
    return f"{name}: {endpoint()} answers {error.code} ({said})"


def patiently(what, task):
    """Runs task() again where the connection broke, at most RETRIES times in a row that bring nothing."""
    tries = 0
    while True:
        try:
            return task()
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise
            reason, progress = f"{error.code} ({error.reason})", False
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error or type(error).__name__
            progress = getattr(error, "progress", False)
        tries = 1 if progress else tries + 1
        if tries > RETRIES:
            raise Failure(f"{what}: {endpoint()} cannot be reached: {reason}")
        time.sleep(PAUSE * 2 ** (tries - 1))


def listing(name, revision):
    """The commit of a revision, and its files: {path: (size, digest's kind, digest)}."""
    url = f"{endpoint()}/api/models/{name}/revision/{urllib.parse.quote(revision, safe='')}?blobs=true"

    def read():
        with ask(url) as answer:
            return json.load(answer)
    try:
        answer = patiently(name, read)
        files = {}
        for one in answer["siblings"]:
            if large := one.get("lfs"):
                files[one["rfilename"]] = (int(large["size"]), "sha256", large["sha256"])
            else:
                files[one["rfilename"]] = (int(one["size"]), "git", one["blobId"])
        return str(answer["sha"]), files
    except urllib.error.HTTPError as error:
        raise Failure(refusal(name, revision, error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{name}: {endpoint()} answers something that is no list of files") from error


class Broken(OSError):
    """A connection that ended too early; `progress`: after some bytes."""

    def __init__(self, reason, progress):
        super().__init__(reason)
        self.progress = progress


def put(to, block):
    """Writes; a full disk is no broken connection."""
    try:
        to.write(block)
        to.flush()
    except OSError as error:
        raise Failure(f"{to.name}: {error.strerror}") from error


def fetch_file(name, commit, path, expected, place):
    """Writes a file of the model, going on where a broken connection left it, and checks it."""
    size, kind, digest = expected
    url = f"{endpoint()}/{name}/resolve/{commit}/{urllib.parse.quote(path)}"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"")

    def go_on():
        have = place.stat().st_size
        if have == size:
            return
        started = have
        try:
            with ask(url, have) as answer, open(place, "ab") as to:
                if have and answer.status != 206:  # the server has sent all of it again
                    to.truncate(0)
                    have = 0
                while block := answer.read(1 << 18):
                    put(to, block)
                    have += len(block)
                    if have > size:
                        raise Failure(f"{path}: has more than the {size} bytes that the Hub lists")
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise Broken(getattr(error, "reason", None) or str(error) or type(error).__name__, have > started) from error
        if have < size:
            raise Broken(f"the connection ended after {have} of {size} bytes", have > started)

    try:
        patiently(path, go_on)
    except urllib.error.HTTPError as error:
        raise Failure(f"{path}: {refusal(name, commit, error)}") from error
    found = hashlib.sha256() if kind == "sha256" else hashlib.sha1(b"blob %d\0" % size)
    with open(place, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    if found.hexdigest() != digest:
        raise Failure(f"{path}: has the digest {found.hexdigest()}, the Hub lists {digest}")


def inside(path):
    parts = pathlib.PurePosixPath(path).parts
    return bool(parts) and ".." not in parts and not path.startswith("/") and "\\" not in path and ":" not in path


def wanted(files, folders):
    """Settings and tokenizers of the root and of its modules' folders, and the index or the one file of the weights."""
    out = []
    for folder in folders:
        here = {path.removeprefix(folder): path for path in files
                if path.startswith(folder) and "/" not in path.removeprefix(folder)}
        out += [path for name, path in here.items() if name in SETTINGS or re.fullmatch(r"sentence_[\w-]+_config\.json", name)]
        out += [here[name] for name in WEIGHTS if name in here][:1]
    return sorted(set(out))


def json_of(path, key, kind):
    """A part of a file that must be there; the whole for no key."""
    try:
        whole = json.loads(path.read_text("utf-8"))
        part = whole[key] if key else whole
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path.name}: cannot be read") from error
    if not isinstance(part, kind):
        raise Failure(f"{path.name}: cannot be read")
    return part


def fetch(name, revision, to, say):
    """Puts the files of a model into the folder `to`, which is fresh. Returns the commit they are of."""
    if not NAME.fullmatch(name) or ".." in name:
        raise Failure(f"{name}: a name on the Hub is ORG/NAME")
    commit, files = listing(name, revision)
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise Failure(f"{name}: {endpoint()} answers something that is no list of files")
    done = set()

    def get(path):
        if path in done or path not in files:
            return
        if not inside(path):
            raise Failure(f"{name}: has a file outside its folder: {path}")
        if files[path][0] >= 1 << 20:
            say(f"fetching {path} ({files[path][0] / 1e6:.0f} MB)")
        fetch_file(name, commit, path, files[path], to / path)
        done.add(path)

    folders = [""]
    get("modules.json")
    if (to / "modules.json").exists():
        for module in json_of(to / "modules.json", None, list):
            path = module.get("path") if isinstance(module, dict) else None
            if not isinstance(path, str) or path and not inside(path):
                raise Failure("modules.json: a module's path must lie inside the model's folder")
            path = str(pathlib.PurePosixPath(path)) if path else ""
            folders += [path + "/"] if path not in ("", ".") else []
    first = wanted(files, folders)
    if not any(pathlib.PurePosixPath(path).name in WEIGHTS for path in first):
        raise Failure(f"{name} has neither {WEIGHTS[0]} nor {WEIGHTS[2]}")
    for path in sorted(first, key=lambda p: files[p][0]):
        get(path)
        if not path.endswith(".index.json"):
            continue
        for part in sorted(set(map(str, json_of(to / path, "weight_map", dict).values()))):
            whole = str(pathlib.PurePosixPath(path).parent / part)
            if not inside(part) or whole not in files:
                raise Failure(f"{path}: {part} is not there")
            get(whole)
    return commit
