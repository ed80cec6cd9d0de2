"""The models that peers.py measures, each at its best: make(name, options) gives a function from texts to vectors.

A process has one of them (peer_worker.py), so that their packages and their threads do not meet.
"""

import json
import math
import os
import sys
import warnings
from pathlib import Path

import numpy

LOWEST = float(numpy.finfo(numpy.float32).min)


def read_json(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


class Tokens:
    """Texts to padded ids and mask, with the tokenizers package."""

    def __init__(self, folder):
        import tokenizers

        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(read_json(folder, "sentence_bert_config.json")["max_seq_length"])
        pad = "<pad>" if self.tokenizer.token_to_id("<pad>") is not None else "[PAD]"
        self.tokenizer.enable_padding(pad_id=self.tokenizer.token_to_id(pad), pad_token=pad)

    def length(self, text):
        return sum(self.tokenizer.encode(text).attention_mask)

    def __call__(self, texts):
        rows = self.tokenizer.encode_batch(texts)
        return {
            "input_ids": numpy.array([row.ids for row in rows], dtype=numpy.int64),
            "attention_mask": numpy.array([row.attention_mask for row in rows], dtype=numpy.int64),
        }


def pool(states, mask):
    """The mean of each text's tokens, divided by its length."""
    weights = mask[:, :, None].astype(numpy.float32)
    mean = (states * weights).sum(axis=1) / weights.sum(axis=1)
    return mean / numpy.linalg.norm(mean, axis=1, keepdims=True)


def once(path, write):
    """A file that is made at its first use and kept; half of one never has its name."""
    if not path.exists():
        part = path.with_name(path.name + ".part")
        write(part)
        os.replace(part, path)
    return path


# ---- PyTorch, and what compiles for it -------------------------------------------------------------------------------


def torch_model(options, attention=("sdpa", "eager")):
    import torch
    from transformers import AutoModel

    torch.set_num_threads(options.threads)
    for kind in attention:  # an architecture may have only its own
        try:
            return AutoModel.from_pretrained(options.model, attn_implementation=kind).eval()
        except ValueError:
            continue
    return AutoModel.from_pretrained(options.model).eval()


def torch_encoder(options, compiled_by=None):
    import torch

    tokens, model = Tokens(options.model), torch_model(options)
    if compiled_by is not None:
        import torch._inductor.config

        torch._inductor.config.freezing = True  # weights become constants, packed for the kernels
        torch._dynamo.config.allow_unspec_int_on_nn_module = True
        model = torch.compile(model, backend=compiled_by, dynamic=True)

    def encode(texts):
        batch = {name: torch.from_numpy(rows) for name, rows in tokens(texts).items()}
        with torch.no_grad():
            states = model(**batch).last_hidden_state
            weights = batch["attention_mask"][:, :, None].float()
            mean = (states * weights).sum(1) / weights.sum(1)
            return torch.nn.functional.normalize(mean).numpy()

    return encode


def zentorch_encoder(options):
    import zentorch  # noqa: F401  (registers the compiler)

    return torch_encoder(options, "zentorch")


# ---- ONNX ------------------------------------------------------------------------------------------------------------


def export_onnx(options, path):
    """The attention as ONNX Runtime's optimizer knows it, for it to fuse."""
    import torch
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    def attention(module, query, key, value, mask, **_):
        scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.shape[-1])
        weights = torch.softmax(scores + mask, dim=-1)
        return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights

    AttentionInterface.register("fusible", attention)
    AttentionMaskInterface.register("fusible", eager_mask)

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = torch_model(options, ("fusible", "eager"))

        def forward(self, input_ids, attention_mask):
            mask = (1.0 - attention_mask[:, None, None, :].float()) * LOWEST
            return self.model(input_ids=input_ids, attention_mask=mask).last_hidden_state

    names = ["input_ids", "attention_mask"]
    ids = torch.full((2, 9), 1000)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    axes = {name: {0: "texts", 1: "tokens"} for name in [*names, "states"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(States().eval(), (ids, mask), str(path), input_names=names, output_names=["states"],
                          dynamic_axes=axes, opset_version=17, dynamo=False)


def onnx_file(options):
    return once(options.cache / "model.onnx", lambda path: export_onnx(options, path))


def optimized_file(options):
    """What ONNX Runtime's own optimizer makes of it: attention, norms with their residuals, and GELU are one each."""

    def write(path):
        from onnxruntime.transformers import optimizer

        config = read_json(options.model, "config.json")
        graph = optimizer.optimize_model(str(onnx_file(options)), model_type="bert", opt_level=0,
                                         num_heads=config["num_attention_heads"], hidden_size=config["hidden_size"])
        fused = {name: count for name, count in graph.get_fused_operator_statistics().items() if count}
        print(f"ONNX Runtime's optimizer fused {fused}", file=sys.stderr)
        graph.save_model_to_file(str(path))

    return once(options.cache / "optimized.onnx", write)


def quantized_file(options, fused):
    """Weights in 8 bits by output, activations quantized as they come, a fused attention too."""
    graph = optimized_file(options) if fused else onnx_file(options)

    def write(path):
        import onnx
        import onnxruntime.quantization as quantization

        # The whole range of 8 bits is best on CPUs with VNNI, which do not saturate; others would want reduce_range.
        quantization.quantize_dynamic(str(graph), str(path), per_channel=True, reduce_range=False,
                                      weight_type=quantization.QuantType.QInt8,
                                      extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})

    return once(options.cache / ("quantized-fused.onnx" if fused else "quantized.onnx"), write)


def onnxruntime_encoder(options, fused=False):
    """As it comes, with what the session itself optimizes, or `fused` beforehand: which is faster depends."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    tokens = Tokens(options.model)
    graph = optimized_file if fused else onnx_file
    path = quantized_file(options, fused) if options.int8 else graph(options)
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])

    def encode(texts):
        batch = tokens(texts)
        return pool(session.run(None, batch)[0], batch["attention_mask"])

    return encode


def fastembed_encoder(options):
    """fastembed on the exported graph in place of the one that it would fetch: its own session, tokens and pooling."""
    from fastembed import TextEmbedding

    folder = options.cache / "fastembed"
    folder.mkdir(exist_ok=True)
    once(folder / "model.onnx", lambda path: path.write_bytes(onnx_file(options).read_bytes()))
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        once(folder / name, lambda path, name=name: path.write_bytes((options.model / name).read_bytes()))
    model = TextEmbedding("sentence-transformers/all-MiniLM-L6-v2", specific_model_path=str(folder),
                          threads=options.threads, local_files_only=True)
    return lambda texts: numpy.stack(list(model.embed(texts, batch_size=len(texts))))


def openvino_encoder(options):
    import openvino

    tokens = Tokens(options.model)
    # Without the hint some CPUs would compute in bfloat16.
    settings = {"INFERENCE_NUM_THREADS": options.threads, "INFERENCE_PRECISION_HINT": "f32"}
    settings |= {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    core = openvino.Core()
    graph = core.read_model(str(onnx_file(options)))
    if options.int8:

        def write(path):
            import nncf

            examples = nncf.Dataset([tokens([text]) for text in options.list[:300]])
            quantized = nncf.quantize(graph, examples, model_type=nncf.ModelType.TRANSFORMER)
            openvino.save_model(quantized, str(options.cache / "quantized.xml"), compress_to_fp16=False)
            path.touch()

        once(options.cache / "quantized.xml.done", write)
        graph = core.read_model(str(options.cache / "quantized.xml"))
    model = core.compile_model(graph, "CPU", settings)

    def encode(texts):
        batch = tokens(texts)
        return pool(model(batch)[0], batch["attention_mask"])

    return encode


# ---- llama.cpp -------------------------------------------------------------------------------------------------------


def llama_encoder(options):
    import llama_cpp

    path = options.plain
    if options.int8:

        def write(part):
            settings = llama_cpp.llama_model_quantize_default_params()
            settings.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
            failed = llama_cpp.llama_model_quantize(str(options.plain).encode(), str(part).encode(), settings)
            if failed:
                sys.exit("llama.cpp cannot quantize the file")

        path = once(options.cache / "q8_0.gguf", write)
    tokens = 8192  # of a batch, all of which are one pass
    model = llama_cpp.Llama(str(path), embedding=True, n_ctx=tokens, n_batch=tokens, n_ubatch=tokens, verbose=False,
                            n_threads=options.threads, n_threads_batch=options.threads,
                            flash_attn=True,  # the other attention is slow for more than a text at a time
                            pooling_type=llama_cpp.LLAMA_POOLING_TYPE_MEAN)
    return lambda texts: numpy.array(model.embed(texts, normalize=True), dtype=numpy.float32)


MAKERS = {
    "PyTorch": torch_encoder,
    "PyTorch, compiled": lambda options: torch_encoder(options, "inductor"),
    "ONNX Runtime": onnxruntime_encoder,
    "ONNX Runtime, fused": lambda options: onnxruntime_encoder(options, True),
    "OpenVINO": openvino_encoder,
    "fastembed": fastembed_encoder,
    "llama.cpp": llama_encoder,
    "zentorch": zentorch_encoder,
}


def make(name, options):
    options.model, options.cache = Path(options.model), Path(options.cache)
    return MAKERS[name](options)
