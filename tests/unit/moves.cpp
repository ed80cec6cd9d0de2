// What can be moved: encoders of a model that moves stay valid, and what was moved from answers every call, harmlessly.
#include <doctest/doctest.h>

#include <cstddef>
#include <dupq/dupq.hpp>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "forked_process.hpp"
#include "loaded_model.hpp"
#include "temporary_folder.hpp"

using dupq::errc;
using dupq_test::aligned_bytes;
using dupq_test::tiny_model;

namespace {

const std::vector<std::string> texts{"what is C++?", "", "hello hello hello what is a c hello"},
    others{"is", "hello", "a"};
const std::string folder = DUPQ_TEST_DIR "/../fuzz/corpus/gguf/";

dupq::model opened(const char* name) {
  auto m = dupq::model::open(folder + name + ".gguf");
  REQUIRE(m);
  return *std::move(m);
}

template <class Encoder>
Encoder made(const dupq::model& m) {
  auto encoder = Encoder::make(m);
  REQUIRE(encoder);
  return *std::move(encoder);
}

std::vector<float> vectors(dupq::bi_encoder& encoder) {
  std::vector<float> out(texts.size() * encoder.dim());
  REQUIRE(encoder.encode(texts, out));
  return out;
}

template <class T>
void move_to_itself(T& value) {
  T& same = value;  // a compiler that sees it warns
  value = std::move(same);
}

void check_empty(dupq::model& m) {
  CHECK(m.empty());
  CHECK(m.dim() == 0);
  CHECK(m.config().layers == 0);
  CHECK(!m.threshold());
  CHECK(std::string(m.path()).empty());
  CHECK(!m.kernels().empty());
  CHECK((m.kernel_table().gemm != nullptr));
  CHECK(!m.packed());
  CHECK(m.file().bytes().empty());
  CHECK(!m.file().find("general.architecture"));
  CHECK(!m.file().tensor("token_embd.weight"));
  CHECK(m.weights().layers.empty());
  CHECK(m.view().empty());
  std::int32_t ids[8];
  CHECK(m.tokenizer().encode("hello, world [SEP]", 8, ids).tokens <= 8);
  CHECK(m.tokenizer().encode_pair("hello", "world", 8, ids).tokens <= 8);
  CHECK(m.tokenizer().vocabulary().size() == 0);
  alignas(dupq::alignment) std::byte room[64];
  for (const auto& code :
       {dupq::bi_encoder::make(m).error().code, dupq::bi_encoder::make(m, {}, room).error().code,
        dupq::cross_encoder::make(m).error().code, dupq::cross_encoder::make(m, {}, room).error().code})
    CHECK(code == errc::moved_from);
}

template <class Encoder>
void check_empty(Encoder& encoder) {
  std::vector<float> out(texts.size());
  CHECK(encoder.truncated() == 0);
  CHECK(encoder.dim() == 0);
  static_cast<void>(encoder.sizes());
  CHECK(encoder.score(texts, others, out).error().code == errc::moved_from);
  CHECK(encoder.score(texts, others, out, {}).error().code == errc::moved_from);
  CHECK(encoder.score(texts[0], others[0]).error().code == errc::moved_from);
  CHECK(encoder.score(std::vector<std::string>(), std::vector<std::string>(), {}).error().code == errc::moved_from);
  if constexpr (std::is_same_v<Encoder, dupq::bi_encoder>) {
    CHECK(encoder.encode(texts, out).error().code == errc::moved_from);
    CHECK(encoder.encode(texts, out, {}).error().code == errc::moved_from);
    CHECK(encoder.encode(texts, std::span<float>()).error().code == errc::moved_from);
    CHECK(encoder.encode("hello", out).error().code == errc::moved_from);
  } else {
    CHECK(encoder.logits(texts, others, out).error().code == errc::moved_from);
    CHECK(encoder.logits(texts, others, out, {}).error().code == errc::moved_from);
  }
}

}  // namespace

TEST_CASE("encoders stay valid when their model moves, wherever it lies") {
  for (const char* name : {"bert-packed-f32", "bert-plain-f16", "mpnet-packed-int8"}) {
    auto first = std::make_unique<dupq::model>(opened(name));
    auto encoder = made<dupq::bi_encoder>(*first);
    const auto expected = vectors(encoder);
    const std::string path = first->path();
    std::vector<dupq::model> all;
    all.push_back(std::move(*first));
    check_empty(*first);
    first.reset();
    for (int i = 0; i < 5; ++i) all.push_back(opened("bert-packed-f32"));  // grows: moves them again
    CHECK(vectors(encoder) == expected);
    std::swap(all.front(), all.back());
    CHECK(vectors(encoder) == expected);
    std::optional<dupq::model> last;
    last = std::move(all.back());
    check_empty(all.back());
    all.clear();
    move_to_itself(*last);
    CHECK(vectors(encoder) == expected);
    CHECK(last->path() == path);
    auto another = made<dupq::bi_encoder>(*last);
    CHECK(vectors(another) == expected);
  }
}

TEST_CASE("the same for a model in the caller's storage") {
  const aligned_bytes file(tiny_model("bert-plain-f16"));
  const aligned_bytes storage(*dupq::model::storage_bytes(file.span()));
  auto loaded = dupq::model::load(file.span(), storage.span());
  REQUIRE(loaded);
  auto encoder = made<dupq::bi_encoder>(*loaded);
  const auto expected = vectors(encoder);
  {
    const dupq::model moved = *std::move(loaded);
    check_empty(*loaded);
    CHECK(vectors(encoder) == expected);
  }
  CHECK(vectors(encoder) == expected);  // its storage is still there
}

TEST_CASE("a model that is moved to gives up what it had") {
  auto one = opened("bert-packed-f32"), two = opened("mpnet-plain-f16");
  auto encoder = made<dupq::bi_encoder>(two);
  const auto expected = vectors(encoder);
  one = std::move(two);
  check_empty(two);
  CHECK(vectors(encoder) == expected);
  two = std::move(one);
  CHECK(vectors(encoder) == expected);
  check_empty(one);
  one = std::move(one.empty() ? two : one);
  CHECK(vectors(encoder) == expected);
}

TEST_CASE("encoders that have been moved from refuse every call, and take another's place") {
  const auto bi = opened("bert-packed-f32"), cross = opened("cross-packed-f32");
  auto encoder = made<dupq::bi_encoder>(bi);
  const auto expected = vectors(encoder);
  dupq::bi_encoder moved = std::move(encoder);
  check_empty(encoder);
  CHECK(vectors(moved) == expected);
  encoder = std::move(moved);
  check_empty(moved);
  move_to_itself(encoder);
  std::swap(encoder, moved);
  CHECK(vectors(moved) == expected);
  check_empty(encoder);

  auto judge = made<dupq::cross_encoder>(cross);
  const float score = judge.score(texts[0], others[0]).value_or(9);
  std::optional<dupq::cross_encoder> other(std::move(judge));
  check_empty(judge);
  judge = std::move(*other);
  other.reset();
  CHECK(judge.score(texts[0], others[0]).value_or(8) == score);
}

TEST_CASE("files, splits and results that have been moved from are empty") {
  auto file = dupq::mapped_file::open((folder + "bert-packed-f32.gguf").c_str());
  REQUIRE(file);
  const std::size_t size = file->bytes().size();
  dupq::mapped_file moved = *std::move(file);
  CHECK(file->bytes().empty());
  move_to_itself(moved);
  CHECK(moved.bytes().size() == size);
  *file = std::move(moved);
  CHECK(moved.bytes().empty());
  CHECK(file->bytes().size() == size);

  const std::vector<int> labels(40, 1);
  auto rows = dupq::train_test_split(labels, {}, 1);
  REQUIRE(rows);
  const dupq::split kept = *std::move(rows);
  CHECK(kept.train().size() == 30);
  CHECK(rows->train().empty());
  CHECK(rows->validation().empty());
  CHECK(rows->test().empty());

  dupq::result<std::string> text = std::string(100, 'x');
  const dupq::result<std::string> taken = std::move(text);
  CHECK(taken->size() == 100);
  CHECK(text.has_value());
  CHECK(text->size() <= 100);
}

TEST_CASE("what refers to others cannot be made of what ends at once") {
  static_assert(!std::is_copy_constructible_v<dupq::model> && !std::is_copy_constructible_v<dupq::bi_encoder>);
  static_assert(!std::is_move_constructible_v<dupq::thread_pool>);  // its handle and its threads refer to it
  static_assert(std::is_nothrow_move_constructible_v<dupq::model> && std::is_nothrow_move_assignable_v<dupq::model>);
  static_assert(std::is_nothrow_move_assignable_v<dupq::bi_encoder>);
}

#if defined(DUPQ_POSIX)
TEST_CASE("a model whose file is read and not mapped needs the file no more") {
  const temporary_folder copies;
  for (const bool map : {true, false}) {
    const std::string path = copies.write("copy.gguf", tiny_model("bert-packed-f32"));
    const int ended = dupq_test::in_forked_process([&] {
      const auto m = dupq::model::open(path, {.map = map});
      if (!m) return 1;
      auto encoder = dupq::bi_encoder::make(*m);
      if (!encoder) return 1;
      std::vector<float> before(m->dim()), after(m->dim());
      if (!encoder->encode("hello", before) || ::truncate(path.c_str(), 0) != 0) return 1;
      return encoder->encode("hello", after) && after == before ? 7 : 1;
    });
    CHECK(ended == (map ? -SIGBUS : 7));  // as model_options says
  }
  const auto read = dupq::model::open(copies.file("none.gguf"), {.map = false});
  REQUIRE(!read);
  CHECK(read.error().code == errc::no_such_file);
}
#endif
