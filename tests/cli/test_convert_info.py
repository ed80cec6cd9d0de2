"""convert and info."""

import json
import pathlib
import shutil
import unittest

from tool import GOLDEN, Case


class Convert(Case):
    def test_says_what_it_made(self):
        out = self.folder / "m.gguf"
        said = self.ok("convert", GOLDEN / "bert", "-o", out, stderr="")
        self.assertRegex(said, r"m\.gguf: bi_encoder, 2 layers, [0-9,]+ tokens, f32 weights, 0\.[0-9] MB\n$")
        self.assert_only("m.gguf")

    def test_types_and_layouts_load(self):
        sizes = {}
        for kind in ("f32", "f16"):
            for layout in ("packed", "plain"):
                out = self.folder / f"{kind}-{layout}.gguf"
                self.ok("convert", GOLDEN / "bert", "-o", out, "--type", kind, "--layout", layout)
                info = json.loads(self.ok("info", out, "--json", "--verify"))
                self.assertEqual((info["weights"], info["kind"]), (kind, "bi_encoder"))
                sizes[kind, layout] = out.stat().st_size
        self.assertLess(sizes["f16", "packed"], sizes["f32", "packed"])
        self.assertLess(sizes["f16", "plain"], sizes["f32", "plain"])

    def test_a_prompt_that_the_folder_does_not_say(self):
        """As multilingual-e5's folder, whose texts want "query: " before them."""
        with_one, texts = self.folder / "prompt.gguf", "how do I learn\nwhy\n"
        self.ok("convert", GOLDEN / "bert", "-o", with_one, "--prompt", "the ")
        info = json.loads(self.ok("info", with_one, "--json"))
        self.assertEqual((info["prompt"], info["prompts"]), ("given", {"given": "the "}))

        def vectors(model, stdin, *options):
            self.ok("encode", model, "-o", self.folder / "v.npy", *options, stdin=stdin)
            return (self.folder / "v.npy").read_bytes()

        own = vectors(self.model("bert"), texts)
        prompted = vectors(self.model("bert"), "".join("the " + t + "\n" for t in texts.split("\n")[:-1]))
        self.assertEqual(vectors(with_one, texts), prompted)
        self.assertEqual(vectors(with_one, texts, "--prompt", "none"), own)
        self.assertNotEqual(own, prompted)
        said = self.refused("encode", self.model("bert"), "-o", self.folder / "v.npy", "--prompt", "query", stdin=texts)
        self.assertIn("`dupq convert --prompt TEXT` gives it one", said)
        # One that the folder has is used by its name; an empty one takes the default away.
        folder = self.folder / "folder"
        shutil.copytree(GOLDEN / "bert", folder)
        (folder / "config_sentence_transformers.json").write_text(
            json.dumps({"prompts": {"a": "x ", "b": "y "}, "default_prompt_name": "a"}))
        for given, used, listed in [("y ", "b", {"a": "x ", "b": "y "}), ("", None, {"a": "x ", "b": "y "}),
                                    ("z ", "given", {"a": "x ", "b": "y ", "given": "z "})]:
            self.ok("convert", folder, "-o", with_one, "--prompt", given)
            info = json.loads(self.ok("info", with_one, "--json"))
            self.assertEqual((info["prompt"], info["prompts"]), (used, listed))
        self.refused("convert", GOLDEN / "bert", "-o", with_one, "--prompt", "x" * 5000, status=2)

    def test_same_bytes_to_standard_output(self):
        done = self.run_tool("convert", GOLDEN / "bert", "-o", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, self.model("bert").read_bytes())

    def test_names_that_are_not_ascii(self):
        """Names given as words, in modules.json and in an index; and what is said of them."""
        folder, out = self.folder / "caf\u00e9 \u554f", self.folder / "m\u00f6del.gguf"
        shutil.copytree(GOLDEN / "bert", folder)
        (folder / "1_Pooling").rename(folder / "1_P\u014doling")
        modules = (folder / "modules.json").read_text().replace("1_Pooling", "1_P\u014doling")
        (folder / "modules.json").write_bytes(modules.encode())
        shard = "model-\u00e4.safetensors"
        weights = (folder / "model.safetensors").rename(folder / shard).read_bytes()
        header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
        index = {"weight_map": {name: shard for name in header if name != "__metadata__"}}
        (folder / "model.safetensors.index.json").write_bytes(json.dumps(index, ensure_ascii=False).encode())
        said = self.ok("convert", folder, "-o", out, stderr="")
        self.assertTrue(said.startswith(f"{out}: bi_encoder"), said)
        self.ok("convert", folder, "-o", out, stderr="")  # and once more, over it
        plain = self.folder / folder.name / "plain.gguf"
        self.ok("convert", GOLDEN / "bert", "-o", plain)
        self.assertEqual(*({k: v for k, v in json.loads(self.ok("info", path, "--json")).items() if k != "file_bytes"}
                           for path in (out, plain)))
        (folder / "vocab.txt").unlink(missing_ok=True)
        (folder / "tokenizer.json").unlink(missing_ok=True)
        self.assertIn(f"{folder}", self.refused("convert", folder, "-o", out))
        self.assertIn("nirgends\u00e4", self.refused("convert", self.folder / "nirgends\u00e4", "-o", out))

    def test_what_is_no_model_folder(self):
        out = self.folder / "m.gguf"
        self.assertIn("nowhere", self.refused("convert", self.folder / "nowhere", "-o", out))
        copy = self.folder / "copy"
        for missing in ("config.json", "model.safetensors"):
            shutil.copytree(GOLDEN / "bert", copy)
            (copy / missing).unlink()
            self.assertIn(missing, self.refused("convert", copy, "-o", out))
            shutil.rmtree(copy)
        self.assert_only()

    def test_a_failed_conversion_leaves_the_old_file(self):
        out = self.file("m.gguf", "old")
        copy = self.folder / "copy"
        shutil.copytree(GOLDEN / "bert", copy)
        weights = (copy / "model.safetensors").read_bytes()
        (copy / "model.safetensors").write_bytes(weights[: len(weights) // 2])
        self.assertIn("model.safetensors", self.refused("convert", copy, "-o", out))
        self.assertEqual(out.read_bytes(), b"old")
        self.assert_only("m.gguf", "copy")


class Info(Case):
    def test_json(self):
        info = json.loads(self.ok("info", self.model("bert"), "--json", stderr=""))
        config = json.loads((GOLDEN / "bert" / "config.json").read_text())
        self.assertEqual(list(info), ["kind", "architecture", "layers", "hidden", "heads", "intermediate", "vocabulary",
                                      "max_length", "dimensions", "pooling", "normalize", "similarity", "prompts",
                                      "prompt", "activation", "threshold", "cascade", "training", "weights", "file_bytes",
                                      "workspace_bytes", "workspace_64x128",
                                      "exact_arithmetic", "kernels", "kernel"])
        self.assertEqual(info["kind"], "bi_encoder")
        self.assertEqual(info["architecture"], "bert")
        self.assertEqual(info["layers"], config["num_hidden_layers"])
        self.assertEqual(info["hidden"], config["hidden_size"])
        self.assertEqual(info["heads"], config["num_attention_heads"])
        self.assertEqual(info["intermediate"], config["intermediate_size"])
        self.assertEqual(info["vocabulary"], config["vocab_size"])
        self.assertEqual((info["pooling"], info["normalize"], info["activation"]), ("mean", True, None))
        self.assertEqual((info["dimensions"], info["similarity"]), (config["hidden_size"], "cosine"))
        self.assertEqual((info["prompts"], info["prompt"]), ({}, None))
        self.assertEqual((info["threshold"], info["training"]), (None, None))
        self.assertEqual(info["file_bytes"], self.model("bert").stat().st_size)
        self.assertGreater(info["workspace_bytes"], 1000)
        tokens = 64 * info["max_length"]  # below 128: at least five rows of floats a token
        self.assertGreater(info["workspace_64x128"], tokens * 5 * 4 * info["hidden"])
        self.assertLess(info["workspace_64x128"], 2 * tokens * 5 * 4 * info["hidden"] + 100_000)
        self.assertIn("scalar", info["kernels"])
        self.assertEqual(info["kernel"], info["kernels"][0])

    def test_cross_encoders(self):
        info = json.loads(self.ok("info", self.model("cross"), "--json"))
        self.assertEqual((info["kind"], info["activation"], info["pooling"]), ("cross_encoder", "sigmoid", None))
        self.assertEqual(json.loads(self.ok("info", self.model("cross_identity"), "--json"))["activation"], "identity")

    def test_rare_settings(self):
        info = json.loads(self.ok("info", self.model("bert-order"), "--json"))
        self.assertEqual((info["dimensions"], info["pooling"], info["similarity"]),
                         (50, "lasttoken+mean_sqrt_len_tokens+cls", "manhattan"))
        info = json.loads(self.ok("info", self.model("bert-prompt"), "--json"))
        self.assertEqual((info["prompt"], info["prompts"]), ("ask", {"other": "x ", "ask": "How do you wh"}))
        self.assertRegex(self.ok("info", self.model("bert-prompt")), r'(?m)^prompts +"other": "x ", "ask": "How do you wh"$')

    def test_text(self):
        said = self.ok("info", self.model("mpnet"), "--verify", "--kernels", "scalar", stderr="")
        self.assertRegex(said, r"(?m)^architecture +mpnet$")
        self.assertRegex(said, r"(?m)^kernel +scalar$")
        self.assertRegex(said, r"(?m)^digest +verified$")

    def test_every_kernel_table_does_the_same_arithmetic(self):
        kernels = json.loads(self.ok("info", self.model("bert"), "--json"))["kernels"]
        for kernel in kernels:
            info = json.loads(self.ok("info", self.model("bert"), "--json", "--kernels", kernel))
            self.assertEqual((info["kernel"], info["exact_arithmetic"]), (kernel, True))

    def test_foreign_files(self):
        for weights in ("f32", "f16", "q8_0"):
            path = GOLDEN / "foreign" / f"bert-{weights}.gguf"
            info = json.loads(self.ok("info", path, "--json"))
            self.assertEqual((info["architecture"], info["weights"]), ("bert", weights))
            self.assertIn("dupq.digest", self.refused("info", path, "--verify"))

    def test_verify_finds_a_flipped_bit(self):
        data = bytearray(self.model("bert").read_bytes())
        data[-100] ^= 1
        path = self.file("m.gguf", bytes(data))
        self.ok("info", path)
        self.assertIn("m.gguf: dupq.digest", self.refused("info", path, "--verify"))


if __name__ == "__main__":
    unittest.main()
