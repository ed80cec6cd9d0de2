// Nothing is allocated after an encoder is made, and nothing at all over the caller's memory. malloc and operator new
// are replaced for the whole program; while `watching`, each call counts.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <dupq/core/thread_pool.hpp>
#include <dupq/index.hpp>
#include <dupq/search/nearest.hpp>
#include <dupq/training.hpp>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "golden/models.hpp"
#include "tool/model_folder.hpp"
#include "unit/temporary_folder.hpp"

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace {

std::atomic<bool> watching{false};
std::atomic<int> calls{0};
std::atomic<std::size_t> taken{0};

void count(std::size_t bytes) {
  if (!watching.load(std::memory_order_relaxed)) return;
  calls.fetch_add(1, std::memory_order_relaxed);
  taken.fetch_add(bytes, std::memory_order_relaxed);
}

/// Counts while it lives; `calls` and the bytes `taken` start at 0.
struct watch {
  watch() {
    calls = 0;
    taken = 0;
    watching = true;
  }
  ~watch() { watching = false; }
};

std::span<std::byte> aligned(std::vector<std::byte>& v) {
  void* p = v.data();
  std::size_t room = v.size();
  std::align(dupq::alignment, 64, p, room);
  return {static_cast<std::byte*>(p), room};
}

}  // namespace

extern "C" {
void* malloc(std::size_t n) { return count(n), __libc_malloc(n); }
void* calloc(std::size_t n, std::size_t size) { return count(n * size), __libc_calloc(n, size); }
void* realloc(void* p, std::size_t n) { return count(n), __libc_realloc(p, n); }
void* aligned_alloc(std::size_t align, std::size_t n) { return count(n), __libc_memalign(align, n); }
void* memalign(std::size_t align, std::size_t n) { return count(n), __libc_memalign(align, n); }
int posix_memalign(void** p, std::size_t align, std::size_t n) {
  count(n);
  *p = __libc_memalign(align, n);
  return *p == nullptr ? 12 : 0;
}
}

void* operator new(std::size_t n) { return std::malloc(n); }
void* operator new(std::size_t n, std::align_val_t align) {
  return std::aligned_alloc(static_cast<std::size_t>(align), n);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

TEST_CASE("the counter sees allocations") {
  const watch now;
  auto* volatile one = new int(1);
  void* volatile two = std::malloc(8);
  delete one;
  std::free(two);
  CHECK(calls == 2);
}

TEST_CASE("a model of a packed file and an encoder take what they say, to the byte, and no copy of the file") {
  for (const char* type : {"f32", "int8"})
    for (const char* name : {"bert", "mpnet"}) {
      dupq_tool::convert_options options;
      if (std::string_view(type) == "int8") options.type = decltype(options.type)::int8;
      const golden::converted file(name, options);
      const std::size_t longest = file.open().config().max_length;
      for (const dupq::limits l : {dupq::limits{}, dupq::limits{.text_tokens = longest, .packed_tokens = 64 * 128}}) {
        std::size_t storage = 0, workspace = 0;
        int how_often = 0;
        bool made = false;
        std::optional<dupq::model> kept;
        {
          const watch now;
          auto m = dupq::model::open(file.path());
          storage = taken;
          if (m) {
            const auto encoder = dupq::bi_encoder::make(*m, {.limits = l});
            made = encoder.has_value();
            workspace = taken - storage;
            how_often = calls;
            kept.emplace(std::move(*m));
          }
        }
        REQUIRE(made);
        CHECK(how_often == 2);
        CHECK(storage == *dupq::model::storage_bytes(kept->file().bytes()));
        CHECK(workspace == dupq::workspace_bytes(kept->config(), l));
        // MPNet's attention bias is spread over distances; besides, there are only the model itself and its list of
        // layers.
        constexpr std::size_t itself = sizeof(dupq::model_detail::contents) + sizeof(dupq::gguf::file);
        if (kept->config().relative_buckets == 0) CHECK(storage < itself + 1024);
      }
    }
}

TEST_CASE("encoding and scoring allocate nothing") {
  const golden::converted bert("bert"), cross("cross");
  const dupq::model m = bert.open(), c = cross.open();
  const auto texts = golden::texts();
  const auto pairs = golden::pairs();
  dupq::thread_pool pool(2);
  auto encoder = dupq::bi_encoder::make(m, {.limits = {.texts = 5}, .executor = pool.executor()});
  auto scorer = dupq::cross_encoder::make(c, {.limits = {.texts = 5}, .executor = pool.executor()});
  auto cascade = dupq::cascade::make(m, c,
                                     {.bi = {.executor = pool.executor()},
                                      .cross = {.executor = pool.executor()},
                                      .band = dupq::cascade_band{0.2f, 0.8f, 0.5f}});
  REQUIRE(encoder);
  REQUIRE(scorer);
  REQUIRE(cascade);
  std::vector<float> vectors(texts.size() * m.dim()), scores(pairs.a.size());
  bool failed = false;
  std::size_t found = 0, found_in_many = 0;
  // More rows than a block: they are searched in scratch memory, which is the caller's here.
  const std::size_t rows = 300;
  std::vector<float> many(rows * m.dim(), 1.0f);
  std::vector<std::byte> scratch(dupq::search_bytes(rows, m.dim(), pool.executor()) + 64);
  std::vector<std::byte> packed(dupq::packed_bytes(rows, m.dim()));
  std::vector<dupq::neighbour> room(5);
  dupq::best_neighbours best(room);
  {
    const watch now;
    failed |= !encoder->encode(texts, vectors);
    failed |= !encoder->score(pairs.a, pairs.b, scores);
    failed |= !encoder->score(texts[0], texts[1]);
    failed |= !scorer->score(pairs.a, pairs.b, scores);
    failed |= !scorer->score(texts[0], texts[1]);
    failed |= !cascade->score(pairs.a, pairs.b, scores);
    failed |= !cascade->score(texts[0], texts[1]);
    failed |= !dupq::find_duplicates(vectors, m.dim(), {.threshold = -1.0f, .executor = pool.executor()},
                                     [&](dupq::match) { return ++found != 0; });
    failed |= !dupq::find_duplicates(many, m.dim(),
                                     {.threshold = 0.9f, .executor = pool.executor(), .memory = aligned(scratch)},
                                     [&](dupq::match) { return ++found_in_many != 0; });
    const auto whole = dupq::pack_rows(many, m.dim(), packed, {.executor = pool.executor()});
    failed |= !whole ||
              !dupq::find_nearest(std::span(many).first(m.dim()), *whole, {.executor = pool.executor()}, {&best, 1});
  }
  CHECK(calls == 0);
  CHECK_FALSE(failed);
  CHECK(cascade->judged() > 0);
  CHECK(found == texts.size() * (texts.size() - 1) / 2);
  CHECK(found_in_many == rows * (rows - 1) / 2);
  CHECK(best.sorted().size() == 5);
}

TEST_CASE("encoding and scoring behind a prompt, pooled in rare ways, allocate nothing") {
  const auto texts = golden::texts();
  const auto pairs = golden::pairs();
  for (const char* name : {"bert-prompt", "bert-unpooled", "bert-weightedmean", "bert-order"}) {
    CAPTURE(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    auto encoder = dupq::bi_encoder::make(m);
    REQUIRE(encoder);
    std::vector<float> vectors(texts.size() * m.dim()), scores(pairs.a.size());
    bool failed = false;
    {
      const watch now;
      failed |= !encoder->encode(texts, vectors);
      failed |= !encoder->score(pairs.a, pairs.b, scores);
      failed |= !encoder->score(texts[0], texts[1]);
    }
    CHECK(calls == 0);
    CHECK_FALSE(failed);
  }
  const golden::converted cross("cross-prompt");
  const dupq::model m = cross.open();
  auto scorer = dupq::cross_encoder::make(m);
  REQUIRE(scorer);
  std::vector<float> scores(pairs.a.size());
  bool failed = false;
  {
    const watch now;
    failed |= !scorer->score(pairs.a, pairs.b, scores);
    failed |= !scorer->score(texts[0], texts[1]);
  }
  CHECK(calls == 0);
  CHECK_FALSE(failed);
}

TEST_CASE("texts whose normaliser is a list of steps are encoded without allocating") {
  const dupq_tool::model_folder folder("bert");
  folder.edit("tokenizer.json", R"("normalizer": {
    "type": "BertNormalizer",
    "clean_text": true,
    "handle_chinese_chars": true,
    "strip_accents": null,
    "lowercase": true
  })",
              R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"},
      {"type": "Replace", "pattern": {"String": "aa"}, "content": "b"}, {"type": "Prepend", "prepend": "a "}]})");
  folder.edit("tokenizer_config.json", "BertTokenizer", "PreTrainedTokenizerFast");
  (void)folder.convert();
  const auto opened = dupq::model::open(folder.output());
  REQUIRE(opened);
  REQUIRE_FALSE(opened->tokenizer().options().steps.empty());
  auto encoder = dupq::bi_encoder::make(*opened);
  REQUIRE(encoder);
  const auto texts = golden::texts();
  std::vector<float> vectors(texts.size() * opened->dim());
  bool failed = false;
  {
    const watch now;
    failed |= !encoder->encode(texts, vectors);
    failed |= !encoder->score(texts[0], texts[1]);
  }
  CHECK(calls == 0);
  CHECK_FALSE(failed);
}

TEST_CASE("an index is searched without allocating, whatever its segments are") {
  const golden::converted bert("bert");
  const dupq::model m = bert.open();
  auto encoder = dupq::bi_encoder::make(m);
  REQUIRE(encoder);
  const temporary_folder temporary;
  const std::string folder = temporary.file("i");
  {
    auto w = dupq::index_writer::create(folder, m, "bert.gguf");
    REQUIRE(w);
    const auto texts = golden::texts();
    REQUIRE(w->add(*encoder, texts));
    REQUIRE(w->add(*encoder, {"what is good", "India"}));
    REQUIRE(w->remove({"1"}));
    REQUIRE(w->commit());
  }
  const auto index = dupq::index_reader::open(folder);
  REQUIRE(index);
  REQUIRE(index->check_model(m, "bert.gguf"));
  std::vector<float> query(index->dim());
  dupq::neighbour room[5];
  bool failed = false;
  std::size_t letters = 0, removed = 0, found = 0;
  {
    const watch now;
    failed |= !encoder->encode("what is good", query);
    const auto hits = index->search(query, room);
    failed |= !hits;
    if (hits)
      for (const dupq::neighbour& hit : *hits) {
        const auto text = index->text(hit.row), id = index->id(hit.row);
        failed |= !text || !id;
        if (text && id) letters += text->size() + id->size();
      }
    for (std::size_t row = 0; row < index->rows(); ++row) removed += index->removed(row);
    found = index->find("2").value_or(999);
  }
  CHECK(calls == 0);
  CHECK_FALSE(failed);
  CHECK(letters > 0);
  CHECK(removed == 1);
  CHECK(found == 1);
}

TEST_CASE("a model over the caller's memory allocates nothing") {
  const golden::converted bert("bert");
  const std::string bytes = fixtures::read_file(bert.path());
  std::vector<std::byte> file(bytes.size() + 64), storage(1 << 20), workspace(1 << 22);
  std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(), aligned(file).data());
  bool done = false;
  {
    const watch now;
    const auto m = dupq::model::load(aligned(file).first(bytes.size()), aligned(storage));
    if (m) {
      auto encoder = dupq::bi_encoder::make(*m, {}, aligned(workspace));
      done = encoder && encoder->score("How do I learn C++?", "What is the best way to learn C++?").has_value();
    }
  }
  CHECK(done);
  CHECK(calls == 0);
}

TEST_CASE("a trainer takes what it says, once, and its steps nothing") {
  for (const char* name : {"mpnet", "cross"}) {
    const golden::converted file(name);
    const dupq::model m = file.open();
    const std::vector<std::string> a(4, "what is a long question?"), b(4, "a question?");
    const std::vector<float> labels{1, 0, 1, 0};
    dupq::trainer_options o;
    o.steps = 10, o.texts = 8;
    const auto bytes = dupq::trainer::memory_bytes(m, o);
    REQUIRE(bytes);
    std::optional<dupq::trainer> t;
    bool done = true;
    {
      const watch now;
      if (auto made = dupq::trainer::make(m, o)) t.emplace(std::move(*made));
    }
    REQUIRE(t.has_value());
    CHECK(calls == 1);
    CHECK(taken == *bytes);
    {
      const watch now;
      for (int i = 0; i < 3; ++i)
        done &= m.config().kind == dupq::model_kind::cross_encoder
                    ? t->step(a, b, labels, dupq::cross_loss{}).has_value()
                    : t->step(a, b, std::span(a).first(0), labels, dupq::online_contrastive_loss{}).has_value();
    }
    CHECK(done);
    CHECK(calls == 0);
  }
}
