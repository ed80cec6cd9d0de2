"""tools/fetch_model.py ORG/NAME against a server on the loopback that answers as the Hugging Face Hub does."""
import contextlib
import hashlib
import http.server
import importlib.util
import io
import json
import os
import pathlib
import sys
import tempfile
import threading
import unittest
import urllib.parse
from unittest import mock

sys.dont_write_bytecode = True
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "fetch_model.py"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = bytes(range(256)) * 4000
MODULES = json.dumps([{"path": "", "type": "Transformer"}, {"path": "1_Pooling", "type": "Pooling"}]).encode()
FILES = {"config.json": b"{}", "tokenizer.json": b"{ }", "model.safetensors": WEIGHTS, "modules.json": MODULES,
         "1_Pooling/config.json": b"{\"a\": 1}", "sentence_bert_config.json": b"{\"b\": 2}"}
NEEDLESS = {"README.md": b"words", "pytorch_model.bin": b"twice", "onnx/model.onnx": b"x", "onnx/config.json": b"{}",
            "tf_model.h5": b"x", "training_args.bin": b"x", ".gitattributes": b"x", "2_Other/config.json": b"{}"}


def load():
    spec = importlib.util.spec_from_file_location("fetch_model", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Hub(http.server.ThreadingHTTPServer):
    """What it has, and how it misbehaves."""

    def __init__(self, host):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.private, self.gated, self.other = dict(FILES) | NEEDLESS, None, False, host
        self.break_after, self.breaks, self.ranges, self.damage, self.busy = None, 0, True, None, 0
        self.asked, self.first_bytes = [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def handle_error(self, *_):
        pass  # the client went away: a test of broken connections does that


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        hub, path = self.server, urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        hub.asked.append((path, self.headers.get("Authorization")))
        if hub.busy:
            hub.busy -= 1
            return self.answer(503)
        if path.startswith("/large/"):
            return self.file(path.removeprefix("/large/"))
        if hub.gated:
            return self.answer(403, b"{}", X_Error_Code="GatedRepo")
        if not path.startswith(("/api/models/org/tiny/", "/org/tiny/")) or (
                hub.private and self.headers.get("Authorization") != f"Bearer {hub.private}"):
            return self.answer(401, b"{}", X_Error_Code="RepoNotFound")
        if path.startswith("/api/"):
            if path.rsplit("/", 1)[1] not in ("main", "v1", COMMIT):
                return self.answer(404, b"{}", X_Error_Code="RevisionNotFound")
            return self.answer(200, json.dumps({"sha": COMMIT, "siblings": [self.sibling(n) for n in hub.files]}).encode())
        name = path.removeprefix(f"/org/tiny/resolve/{COMMIT}/")
        if name not in hub.files:
            return self.answer(404, b"{}", X_Error_Code="EntryNotFound")
        if hub.other and len(hub.files[name]) > 1000:  # large files lie on another host
            return self.answer(302, Location=f"{hub.other.url}/large/{name}")
        return self.file(name)

    def sibling(self, name):
        data = self.server.files[name]
        one = {"rfilename": name, "size": len(data), "blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}
        if len(data) > 1000:
            one["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return one

    def file(self, name):
        hub, data = self.server, self.server.files[name]
        if hub.damage == name:
            data = b"\1" + data[1:]
        first, status = 0, 200
        if hub.ranges and (asked := self.headers.get("Range")):
            first, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
        hub.first_bytes.append((name, first))
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        if hub.break_after is not None and len(data) > 1000 and hub.breaks:
            hub.breaks -= 1
            self.wfile.write(data[first:first + hub.break_after])
            self.wfile.flush()
            self.connection.close()
            return
        self.wfile.write(data[first:])


class FromTheHub(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.target = self.folder / "models" / "tiny"
        self.hub = self.server()
        self.environment = {"HF_ENDPOINT": self.hub.url + "/", "HF_HOME": str(self.folder / "home"), "no_proxy": "*",
                            "HF_HUB_DOWNLOAD_TIMEOUT": "5"}

    def server(self, host=None):
        server = Hub(host)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def run_main(self, *arguments, **environment):
        out, err = io.StringIO(), io.StringIO()
        script = load()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING_FACE", "XDG_"))}
        with mock.patch.object(script.hub, "PAUSE", 0), \
                mock.patch.dict(os.environ, clean | self.environment | environment, clear=True), \
                mock.patch.object(sys, "argv", ["fetch_model.py", *map(str, arguments)]), \
                contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = script.main()
        return status, out.getvalue(), err.getvalue()

    def fetch(self, *more, **environment):
        return self.run_main("org/tiny", "-o", self.target, *more, **environment)

    def expect_model(self, result, files=None):
        self.assertEqual(result[:2], (0, f"{self.target}\n"), result)
        found = {str(p.relative_to(self.target)): p.read_bytes() for p in self.target.rglob("*") if p.is_file()}
        self.assertEqual(found, files or FILES)
        self.assertEqual(os.listdir(self.target.parent), [self.target.name])

    def expect_failure(self, result, *said):
        status, out, err = result
        self.assertEqual((status, out), (1, ""), err)
        last = err.splitlines()[-1]
        self.assertTrue(last.startswith("fetch_model.py: "), err)
        for text in said:
            self.assertIn(text, last)
        self.assertFalse(self.target.exists())
        self.assertEqual(list(self.target.parent.glob("*")) if self.target.parent.exists() else [], [])

    def test_what_conversion_needs_and_nothing_else(self):
        self.expect_model(self.fetch())
        self.assertEqual({path for path, _ in self.hub.asked},
                         {"/api/models/org/tiny/revision/main"} | {f"/org/tiny/resolve/{COMMIT}/{name}" for name in FILES})
        self.assertEqual({who for _, who in self.hub.asked}, {None})
        self.assertEqual(self.fetch()[0], 1)  # a folder that is there is left alone
        self.assertIn("is there already", self.fetch()[2])

    def test_the_default_folder_and_a_revision(self):
        os.makedirs(self.target.parent)
        before = os.getcwd()
        os.chdir(self.target.parent)
        self.addCleanup(os.chdir, before)
        self.expect_model(self.run_main("org/tiny", "--revision", "v1"))
        self.assertEqual(self.hub.asked[0][0], "/api/models/org/tiny/revision/v1")
        os.chdir(before)

    def test_weights_in_parts_and_pickles(self):
        index = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}).encode()
        rest = {name: data for name, data in FILES.items() if name != "model.safetensors"}
        parts = {"model.safetensors.index.json": index, "model-1.safetensors": WEIGHTS, "model-2.safetensors": b"2"}
        self.hub.files = rest | parts | NEEDLESS
        self.expect_model(self.fetch(), rest | parts)
        self.target = self.folder / "models" / "other"
        self.target.parent.rename(self.folder / "before")
        self.hub.files = rest | {"pytorch_model.bin": WEIGHTS, "flax_model.msgpack": b"x"}
        self.expect_model(self.fetch(), rest | {"pytorch_model.bin": WEIGHTS})
        self.target.parent.rename(self.folder / "and before")
        del self.hub.files["pytorch_model.bin"]
        self.expect_failure(self.fetch(), "org/tiny has neither model.safetensors nor pytorch_model.bin")
        self.hub.files = rest | parts
        del self.hub.files["model-2.safetensors"]
        self.expect_failure(self.fetch(), "model.safetensors.index.json: model-2.safetensors is not there")
        self.hub.files = rest | {"model.safetensors.index.json": b"{\"weight_map\": {\"a\": \"../x\"}}"}
        self.expect_failure(self.fetch(), "../x is not there")

    def test_the_table_of_a_static_model(self):
        modules = json.dumps([{"path": "0_StaticEmbedding", "type": "StaticEmbedding"}]).encode()
        files = {"modules.json": modules, "0_StaticEmbedding/model.safetensors": WEIGHTS,
                 "0_StaticEmbedding/tokenizer.json": b"{}"}
        self.hub.files = files | NEEDLESS
        del self.hub.files["pytorch_model.bin"]
        self.expect_model(self.fetch(), files)

    def test_a_connection_that_breaks_goes_on(self):
        self.hub.break_after, self.hub.breaks = 300_000, 3
        self.expect_model(self.fetch())
        self.assertEqual([first for name, first in self.hub.first_bytes if name == "model.safetensors"],
                         [0, 300_000, 600_000, 900_000])

    def test_a_server_that_begins_anew(self):
        self.hub.break_after, self.hub.breaks, self.hub.ranges = 300_000, 2, False
        self.expect_model(self.fetch())

    def test_a_connection_that_breaks_for_good(self):
        self.hub.break_after, self.hub.breaks = 0, 1000
        self.expect_failure(self.fetch(), "model.safetensors: ", "cannot be reached")
        self.assertEqual(self.hub.breaks, 1000 - 6)

    def test_a_server_that_is_busy(self):
        self.hub.busy = 3
        self.expect_model(self.fetch())
        self.target = self.folder / "models2" / "tiny"
        self.hub.busy = 1000
        self.expect_failure(self.fetch(), "org/tiny: ", "503")

    def test_another_digest(self):
        for name in ("model.safetensors", "1_Pooling/config.json"):
            self.hub.damage = name
            self.expect_failure(self.fetch(), f"{name}: has the digest ", ", the Hub lists ")

    def test_models_that_may_not_be_read(self):
        self.hub.private = "secret"
        self.expect_failure(self.fetch(), "org/tiny is not there, or private: set HF_TOKEN")
        self.expect_failure(self.fetch(HF_TOKEN="wrong"), "org/tiny is not there, or private")
        self.expect_failure(self.run_main("org/other", "-o", self.target, HF_TOKEN="secret"), "org/other is not there")
        self.expect_failure(self.fetch("--revision", "none", HF_TOKEN="secret"), "org/tiny has no revision none")
        self.hub.gated = True
        self.expect_failure(self.fetch(HF_TOKEN="secret"), "org/tiny is gated", f"{self.hub.url}/org/tiny")

    def test_tokens(self):
        self.hub.private = "secret"
        self.expect_model(self.fetch(HF_TOKEN="secret\n"))
        self.target = self.folder / "models2" / "tiny"
        (self.folder / "home").mkdir()
        (self.folder / "home" / "token").write_text("secret\n")
        self.expect_failure(self.fetch(HF_HUB_DISABLE_IMPLICIT_TOKEN="1"), "private")
        self.expect_model(self.fetch())

    def test_a_token_is_for_the_hub_alone(self):
        self.hub.other, self.hub.private = self.server(), "secret"
        self.expect_model(self.fetch(HF_TOKEN="secret"))
        self.assertEqual(self.hub.other.asked, [("/large/model.safetensors", None)])

    def test_what_is_no_hub(self):
        self.expect_failure(self.fetch(HF_ENDPOINT="http://127.0.0.1:9"), "http://127.0.0.1:9 cannot be reached")
        self.expect_failure(self.fetch(HF_HUB_OFFLINE="1"), "HF_HUB_OFFLINE")
        self.expect_failure(self.run_main("all-MiniLM-L6-v2", "--revision", "x", "-o", self.target), "--revision")
        for files, said in (({"modules.json": b"[{\"path\": \"../up\"}]"}, "inside the model's folder"),
                            ({"modules.json": b"{"}, "modules.json: cannot be read")):
            self.hub.files = FILES | files
            self.expect_failure(self.fetch(), said)


if __name__ == "__main__":
    unittest.main()
