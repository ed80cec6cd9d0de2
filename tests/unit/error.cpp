#include <doctest/doctest.h>

#include <cstring>
#include <dupq/core/error.hpp>
#include <memory>
#include <string>
#include <utility>

#include "forked_process.hpp"

using dupq::errc;
using dupq::error;
using dupq::result;

namespace {

std::string line(const error& e, std::size_t room = 320) {
  std::string text(room + 1, '#');
  const std::size_t n = e.format(text.data(), room);
  CHECK(text[room] == '#');  // nothing is written behind the buffer
  if (room != 0) CHECK(text[n] == '\0');
  text.resize(n);
  return text;
}

/// Counts how many of its kind are alive.
struct counted {
  explicit counted(int v) : value(v) { ++alive; }
  counted(counted&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive; }
  ~counted() { --alive; }
  int value;
  static inline int alive = 0;
};

}  // namespace

TEST_CASE("an error formats itself as one line") {
  CHECK(line(error(errc::no_such_file).in("model.gguf")) == "model.gguf: no such file");
  CHECK(line(error(errc::missing_key, "bert.block_count")) == "bert.block_count: missing key");
  CHECK(line(error(errc::wrong_shape, "blk.0.ffn_up.weight", 384, 383).in("m.gguf")) ==
        "m.gguf: blk.0.ffn_up.weight: wrong shape (383, not 384)");
  CHECK(line(error(errc::out_of_range, "dupq.max_length", 4, 0)) == "dupq.max_length: out of range (0, at least 4)");
  CHECK(line(error(errc::wrong_type, "x", 0, 30)) == "x: wrong type (30)");
  CHECK(line(error(errc::truncated, "", ~std::uint64_t{0}, 7)) ==
        "the file ends too early (7, at least 18446744073709551615)");
  CHECK(line(error(errc::bad_limit, "limits.text_tokens", 16, 24)) ==
        "limits.text_tokens: impossible limit (24, at most 16)");
  CHECK(line(error(errc::cannot_open, "", 0, 13).in("m.gguf")) == "m.gguf: cannot be opened (error 13)");
  CHECK(line(error(errc::out_of_memory, "workspace", 4096)) == "workspace: not enough memory (4096 bytes)");
  CHECK(line(error(errc::not_aligned, "storage", 64, 8)) == "storage: not aligned (64 bytes)");
  const error e = error(errc::missing_key, "bert.block_count").in("m.gguf");
  CHECK(e.message() == line(e));
}

TEST_CASE("long names keep their tails") {
  const std::string path = "/a/very/long/path/" + std::string(100, 'x') + "/folder/model.gguf";
  const error e = error(errc::missing_tensor, std::string(70, 'y') + ".weight").in(path);
  CHECK(std::strlen(e.file) == sizeof e.file - 1);
  CHECK(std::string(e.file) == "..." + path.substr(path.size() - (sizeof e.file - 4)));
  CHECK(std::strlen(e.subject) == sizeof e.subject - 1);
  CHECK(std::string(e.subject).substr(0, 4) == "...y");
  CHECK(std::string(e.subject).ends_with("y.weight"));
  const std::string fits(sizeof e.subject - 1, 'z');
  CHECK(std::string(error(errc::bad_key, fits).subject) == fits);
  CHECK(std::string(error(errc::bad_key, "x").in("first").in("second").file) == "second");
}

TEST_CASE("a short buffer cuts the line") {
  const error e(errc::missing_key, "key");
  CHECK(line(e, 0).empty());
  CHECK(line(e, 1).empty());
  CHECK(line(e, 6) == "key: ");
  CHECK(line(e, 17) == "key: missing key");
}

TEST_CASE("every code has a sentence of its own") {
  std::string all = "\n";
  for (unsigned code = 0; code <= static_cast<unsigned>(errc::bad_fraction); ++code) {
    const std::string sentence = dupq::describe(static_cast<errc>(code));
    CHECK(sentence != "unknown error");
    CHECK(sentence.size() > 4);
    CHECK(all.find("\n" + sentence + "\n") == all.npos);
    all += sentence + "\n";
  }
  CHECK(std::string(dupq::describe(static_cast<errc>(9999))) == "unknown error");
}

TEST_CASE("a result holds a value or an error, also of a type that only moves") {
  result<std::unique_ptr<int>> r = std::make_unique<int>(7);
  REQUIRE(r);
  CHECK(r.has_value());
  CHECK(**r == 7);
  const std::unique_ptr<int> taken = *std::move(r);
  CHECK(*taken == 7);
  r = result<std::unique_ptr<int>>(error(errc::truncated, "x"));
  REQUIRE(!r);
  CHECK(r.error().code == errc::truncated);
  const result<std::unique_ptr<int>> moved = std::move(r);
  REQUIRE(!moved);
  CHECK(std::string(moved.error().subject) == "x");
}

TEST_CASE("a result gives its value, or another one") {
  const result<int> good = 7, bad = error(errc::truncated);
  CHECK(good.value() == 7);
  CHECK(good.value_or(1) == 7);
  CHECK(bad.value_or(1) == 1);
  result<std::unique_ptr<int>> owner = std::make_unique<int>(3);
  CHECK(*std::move(owner).value_or(nullptr) == 3);
  result<int> changed = 1;
  changed.value() = 2;
  CHECK(*changed == 2);
}

TEST_CASE("a result of nothing is success or an error") {
  const auto call = [](bool fails) -> result<void> {
    if (fails) return error(errc::wrong_size, "scores", 3, 2);
    return {};
  };
  CHECK(call(false));
  const auto done = call(true);
  REQUIRE(!done);
  CHECK(!done.has_value());
  CHECK(done.error().code == errc::wrong_size);
  CHECK(done.error().message() == "scores: wrong number of elements (2, not 3)");
  result<void> copied = done;
  CHECK(copied.error().found == 2);
  copied = {};
  CHECK(copied);
}

#if defined(DUPQ_POSIX)
TEST_CASE("reading what is not there ends the program, in every build") {
  using dupq_test::in_forked_process;
  const result<int> failed = error(errc::not_gguf), seven = 7;
  const result<void> failed_call = error(errc::not_gguf), done;
  CHECK(in_forked_process([&] { return *seven; }) == 7);
  for (const int status :
       {in_forked_process([&] { return *failed; }), in_forked_process([&] { return failed.value(); }),
        in_forked_process([&] { return static_cast<int>(seven.error().code); }),
        in_forked_process([&] { return static_cast<int>(done.error().code); })})
    CHECK(status < 0);
  CHECK(in_forked_process([&] { return failed_call.error().code == errc::not_gguf ? 3 : 4; }) == 3);
}
#endif

TEST_CASE("results destroy what they hold exactly once") {
  {
    result<counted> a = counted(1), b = counted(2);
    CHECK(counted::alive == 2);
    a = std::move(b);
    CHECK(a->value == 2);
    CHECK(counted::alive == 2);  // what was moved from still exists
    b = result<counted>(error(errc::not_gguf));
    CHECK(counted::alive == 1);
    a = std::move(b);
    CHECK(counted::alive == 0);
    CHECK(a.error().code == errc::not_gguf);
    a = result<counted>(counted(3));
    CHECK(counted::alive == 1);
    auto& same = a;
    a = std::move(same);
    CHECK(a->value == 3);
    const result<counted> c = std::move(a);
    CHECK((*c).value == 3);
  }
  CHECK(counted::alive == 0);
}
