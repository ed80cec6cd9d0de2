"""PyTorch's side of peers_gpu.py: a Hugging Face model on a device, in the ways that are compared."""

import json
import statistics
import sys
import time

import numpy
import tokenizers
import torch
import transformers


def device_name(device):
    return torch.cuda.get_device_name() if device == "cuda" else "CPU"


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


class Program:
    """A name and what it runs: run() returns questions a second and what was computed."""

    def __init__(self, name, device, count, work):
        self.name, self.device, self.count, self.work = name, device, count, work
        for _ in range(2):
            work()

    def run(self):
        synchronize(self.device)
        begin = time.perf_counter()
        output = self.work()
        synchronize(self.device)
        return self.count / (time.perf_counter() - begin), output


class OneByOne(Program):
    """The same, one item at a time: run() returns the median in microseconds."""

    def run(self):
        times, outputs = [], []
        for one in self.work:
            begin = time.perf_counter()
            outputs.append(one())
            times.append(time.perf_counter() - begin)
        return statistics.median(times) * 1e6, numpy.concatenate(outputs)

    def __init__(self, name, items, encode):
        self.name, self.work = name, [lambda item=item: encode([item]) for item in items]
        for one in self.work[:20]:
            one()


class Model:
    def __init__(self, folder, device, batch):
        self.folder, self.device, self.batch = folder, device, batch
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.cross = any("SequenceClassification" in name for name in config.get("architectures") or [])
        self.kind = transformers.AutoModelForSequenceClassification if self.cross else transformers.AutoModel
        self.half = torch.float16 if device == "cuda" else torch.float32
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        limits = folder / "sentence_bert_config.json"
        most = json.loads(limits.read_text(encoding="utf-8"))["max_seq_length"] if limits.exists() else 512
        self.tokenizer.enable_truncation(most)
        self.tokenizer.no_padding()
        self.pad = config.get("pad_token_id") or 0
        self.attention = "SDPA"

    def load(self, dtype):
        try:
            model = self.kind.from_pretrained(self.folder, attn_implementation="sdpa", dtype=dtype)
        except ValueError:  # an architecture that has only its own attention
            self.attention = "its own attention"
            model = self.kind.from_pretrained(self.folder, dtype=dtype)
        return model.to(self.device).eval()

    # ---- texts to ids ----
    def tokenize(self, items):
        return [(e.ids, e.type_ids) for e in self.tokenizer.encode_batch(items)]

    def tokens(self, item):
        return len(self.tokenize([item])[0][0])

    def mean_tokens(self, items):
        return statistics.mean(len(ids) for ids, _ in self.tokenize(items))

    def tensors(self, rows, multiple=1):
        """Padded ids, types and mask on the device; the width is rounded up to a multiple."""
        width = -(-max(len(ids) for ids, _ in rows) // multiple) * multiple
        data = numpy.zeros((3, len(rows), width), dtype=numpy.int64)
        data[0] = self.pad
        for i, (ids, types) in enumerate(rows):
            data[0, i, : len(ids)], data[1, i, : len(ids)], data[2, i, : len(ids)] = ids, types, 1
        tensor = torch.from_numpy(data)
        if self.device == "cuda":
            tensor = tensor.pin_memory().to("cuda", non_blocking=True)
        return tensor

    # ---- ids to vectors or scores ----
    def head(self, model, data):
        ids, types, mask = data[0], data[1], data[2]
        if self.cross:
            return model(input_ids=ids, token_type_ids=types, attention_mask=mask).logits[:, 0].float()
        states = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask[:, :, None].float()
        return torch.nn.functional.normalize((states * weights).sum(1) / weights.sum(1))

    def all(self, forward, rows, is_sorted, multiple=1):
        """All rows in batches, whatever `forward` makes of one, in the rows' order."""
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i][0])) if is_sorted else range(len(rows))
        order = list(order)
        parts = [forward(self.tensors([rows[i] for i in order[at : at + self.batch]], multiple))
                 for at in range(0, len(order), self.batch)]
        found = torch.cat(parts).cpu().numpy()
        output = numpy.empty_like(found)
        output[order] = found
        return output

    def judge(self, items):
        """In fp32."""
        model = self.load(torch.float32)
        with torch.inference_mode():
            return self.all(lambda data: self.head(model, data), self.tokenize(items), True)

    def throughput_programs(self, items, compiled):
        model = self.load(self.half)

        @torch.inference_mode()
        def forward(data):
            return self.head(model, data)

        rows = self.tokenize(items)
        name = f"PyTorch {self.attention} {'fp16' if self.device == 'cuda' else 'fp32'}, batch {self.batch}"
        make = lambda suffix, work: Program(name + suffix, self.device, len(items), work)
        programs = [make(", sorted", lambda: self.all(forward, self.tokenize(items), True)),
                    make(", sorted, ids given", lambda: self.all(forward, rows, True)),
                    make(", unsorted, ids given", lambda: self.all(forward, rows, False))]
        if compiled:
            programs += attempt("torch.compile", lambda: self.compiled(model, rows, make))
        if not self.cross:
            programs += attempt("sentence-transformers", lambda: self.sentence_transformers(items))
        return programs

    def compiled(self, model, rows, make):
        """Widths are multiples of 16 and batches full, so that there are few shapes."""
        forward = torch.compile(lambda data: self.head(model, data), dynamic=False)
        torch._dynamo.config.cache_size_limit = 128
        full = len(rows) // self.batch * self.batch or len(rows)

        @torch.inference_mode()
        def work():
            found = self.all(lambda data: forward(data).clone(), rows[:full], True, 16)
            rest = [self.head(model, self.tensors(rows[full:]))] if full < len(rows) else []
            return numpy.concatenate([found, *(r.cpu().numpy() for r in rest)])

        return [make(", sorted, ids given, torch.compile", work)]

    def sentence_transformers(self, items):
        import sentence_transformers

        model = sentence_transformers.SentenceTransformer(str(self.folder), device=self.device)
        model = model.half() if self.half is torch.float16 else model
        work = lambda: model.encode(items, batch_size=self.batch, show_progress_bar=False).astype(numpy.float32)
        return [Program(f"sentence-transformers, batch {self.batch}", self.device, len(items), work)]

    def latency_programs(self, items, compiled):
        model = self.load(self.half)

        def one_by_one(name, forward):
            @torch.inference_mode()
            def encode(item):
                return forward(self.tensors(self.tokenize(item))).cpu().numpy()

            return OneByOne(name, items, encode)

        programs = [one_by_one(f"PyTorch {self.attention}", lambda data: self.head(model, data))]
        if compiled:
            forward = torch.compile(lambda data: self.head(model, data), dynamic=False, mode="reduce-overhead")
            programs += attempt("torch.compile", lambda: [one_by_one("torch.compile, CUDA graphs", forward)])
        return programs


def attempt(name, make):
    """What `make` returns, or nothing, with a line that says why."""
    try:
        return make()
    except Exception as e:  # a peer that does not work must not end the comparison
        print(f"{name} is left out: {type(e).__name__}: {str(e).strip().splitlines()[0] if str(e).strip() else ''}",
              file=sys.stderr)
        return []
