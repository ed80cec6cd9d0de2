#include <doctest/doctest.h>

#include <cstdint>
#include <ctime>
#include <dupq/core/gguf.hpp>
#include <string>

#include "gguf_builder.hpp"

using dupq::errc;
using dupq_test::aligned_bytes;
using dupq_test::gguf_builder;
using dupq_test::raw;
using dupq_test::raw_text;

namespace {

constexpr std::uint64_t huge[] = {std::uint64_t{1} << 32, (std::uint64_t{1} << 62) + 1, ~std::uint64_t{0} >> 1,
                                  ~std::uint64_t{0} - 7, ~std::uint64_t{0}};

gguf_builder small() {
  gguf_builder b;
  b.set("general.alignment", std::uint32_t{64}).set("number", std::uint32_t{7}).set("text", "seven");
  b.add("list", 9, raw(std::uint32_t{4}, std::uint64_t{2}, std::uint32_t{5}, std::uint32_t{6}));
  b.add("words", 9, raw(std::uint32_t{8}, std::uint64_t{2}) + raw_text("") + raw_text("word"));
  b.tensors.push_back({"matrix", 0, {2, 3}, raw(0.f, 1.f, 2.f, 3.f, 4.f, 5.f), {}});
  b.tensors.push_back({"half", 1, {4}, std::string(8, '\0'), {}});
  b.tensors.push_back({"blocks", 8, {32, 1}, std::string(34, '\1'), {}});
  return b;
}

/// The error of a file that must not parse. The copy has no byte to spare, which sanitizers watch.
dupq::error refused(const std::string& bytes) {
  const aligned_bytes exact(bytes);
  const auto f = dupq::gguf::file::parse(exact.span());
  REQUIRE(!f);
  return f.error();
}
errc code(const std::string& bytes) { return refused(bytes).code; }

}  // namespace

TEST_CASE("keys and tensors are found by name") {
  const std::string bytes = small().build();
  const auto f = dupq::gguf::file::parse(std::as_bytes(std::span(bytes)));
  REQUIRE(f);
  CHECK(f->key_count() == 5);
  CHECK(f->tensor_count() == 3);
  CHECK(f->data_offset() % 64 == 0);
  CHECK(f->data_alignment() == 64);
  CHECK(f->bytes().size() == bytes.size());
  CHECK(dupq::gguf::load<std::uint32_t>(f->find("number")->bytes.data()) == 7);
  CHECK(f->find("text")->text() == "seven");
  const auto list = f->find("list");
  REQUIRE(list);
  CHECK(list->element == dupq::gguf::value_type::u32);
  CHECK(list->count == 2);
  CHECK(dupq::gguf::load<std::uint32_t>(list->bytes.data() + 4) == 6);
  CHECK(f->find("words")->bytes.size() == 8 + 8 + 4);
  CHECK(!f->find("numbe"));
  const auto matrix = f->tensor("matrix");
  REQUIRE(matrix);
  CHECK(matrix->dimensions == 2);
  CHECK(matrix->extent[0] == 2);
  CHECK(matrix->extent[1] == 3);
  CHECK(matrix->elements() == 6);
  CHECK(dupq::gguf::load<float>(matrix->bytes.data() + 20) == 5.0f);
  CHECK(f->tensor("blocks")->bytes.size() == 34);
  CHECK(!f->tensor("matri"));
  std::string order;
  f->for_each_key([&](std::string_view key, const auto&) { order.append(key) += ' '; });
  f->for_each_tensor([&](const auto& t) { order.append(t.name) += ' '; });
  CHECK(order == "general.alignment number text list words matrix half blocks ");
}

TEST_CASE("an empty file of keys and tensors is a file") {
  const std::string bytes = gguf_builder().build();
  const auto f = dupq::gguf::file::parse(std::as_bytes(std::span(bytes)));
  REQUIRE(f);
  CHECK(!f->find(""));
  CHECK(!f->tensor(""));
}

TEST_CASE("other files and other versions") {
  CHECK(code("") == errc::not_gguf);
  CHECK(code("GGU") == errc::not_gguf);
  CHECK(code("GGML" + std::string(60, '\0')) == errc::not_gguf);
  CHECK(code("GGUF") == errc::truncated);
  std::string bytes = small().build();
  for (const char version : {'\0', '\1', '\2', '\4'}) {
    bytes[4] = version;
    CHECK(code(bytes) == errc::unsupported_version);
  }
}

TEST_CASE("a file that ends anywhere before its last tensor does is refused") {
  const std::string bytes = small().build();
  const std::size_t end = bytes.size() - (64 - 34);
  for (std::size_t n = 0; n < end; ++n) {
    const auto c = code(bytes.substr(0, n));
    CHECK((c == errc::truncated || n < 4));
  }
  for (std::size_t n = end; n <= bytes.size(); ++n) {
    const aligned_bytes exact(bytes.substr(0, n));
    CHECK(dupq::gguf::file::parse(exact.span()).has_value());
  }
}

TEST_CASE("names that occur twice, or are none") {
  CHECK(code(small().add("number", 4, raw(std::uint32_t{7})).build()) == errc::duplicate_key);
  gguf_builder twice = small();
  twice.tensors.push_back(twice.tensors.front());
  CHECK(std::string(refused(twice.build()).subject) == "matrix");
  CHECK(code(twice.build()) == errc::duplicate_key);
  for (const std::string name : {"", "a b", "line\n", "\xC3\xA9"}) {
    CHECK(code(small().add(name, 4, raw(std::uint32_t{7})).build()) == errc::bad_key);
    gguf_builder b = small();
    b.tensors.front().name = name;
    CHECK(code(b.build()) == errc::bad_key);
  }
  CHECK(code(small().add(std::string(129, 'x'), 4, raw(std::uint32_t{7})).build()) == errc::bad_key);
}

TEST_CASE("counts, lengths and extents that lie") {
  for (const std::uint64_t n : huge) {
    CAPTURE(n);
    gguf_builder b = small();
    b.key_count = n;
    CHECK(code(b.build()) == errc::out_of_range);
    b = small();
    b.tensor_count = n;
    CHECK(code(b.build()) == errc::out_of_range);
    CHECK(code(small().add("s", 8, raw(n) + "text").build()) == errc::truncated);
    for (const std::uint32_t element : {0u, 4u, 8u, 12u})
      CHECK(code(small().add("a", 9, raw(element, n) + std::string(64, '\0')).build()) == errc::truncated);
    for (std::size_t d = 0; d < 2; ++d) {
      b = small();
      b.tensors.front().extents[d] = n;
      const auto c = code(b.build());
      CHECK((c == errc::out_of_range || c == errc::truncated));
    }
    b = small();
    b.tensors.back().offset = n - n % 64;
    CHECK(code(b.build()) == errc::truncated);
  }
  gguf_builder b = small();
  b.tensors.front().extents = {std::uint64_t{1} << 33, std::uint64_t{1} << 33};  // the product is 4 modulo 2^64 bytes
  CHECK(code(b.build()) == errc::out_of_range);
  b.tensors.front().extents = {2, 0};
  CHECK(code(b.build()) == errc::out_of_range);
  b.tensors.front().extents = {};
  CHECK(code(b.build()) == errc::wrong_dimensions);
  b.tensors.front().extents = {1, 1, 1, 1, 6};
  CHECK(code(b.build()) == errc::wrong_dimensions);
  b = small();
  b.key_count = 6;  // the first tensor read as a key
  CHECK(code(b.build()) != errc::not_gguf);
}

TEST_CASE("types that do not exist") {
  CHECK(code(small().add("x", 13, raw(std::uint64_t{0})).build()) == errc::wrong_type);
  CHECK(code(small().add("x", 9, raw(std::uint32_t{9}, std::uint64_t{0})).build()) == errc::wrong_type);
  CHECK(code(small().add("x", 9, raw(std::uint32_t{13}, std::uint64_t{0})).build()) == errc::wrong_type);
  CHECK(code(small().add("x", 7, "\2").build()) == errc::wrong_value);
  for (const std::uint32_t type : {2u, 29u, 1000u, 0xFFFFFFFFu}) {
    gguf_builder b = small();
    b.tensors.front().type = type;
    CHECK(code(b.build()) == errc::wrong_type);
  }
  gguf_builder b = small();
  b.tensors.back().extents = {33};  // q8_0 has blocks of 32
  CHECK(code(b.build()) == errc::wrong_type);
}

TEST_CASE("offsets that are misaligned, outside or of bytes in use") {
  const auto with_offset = [](std::size_t tensor, std::uint64_t offset) {
    gguf_builder b = small();
    b.tensors[tensor].offset = offset;
    return code(b.build());
  };
  CHECK(with_offset(1, 65) == errc::misaligned);
  CHECK(with_offset(1, 32) == errc::misaligned);
  CHECK(with_offset(2, 192) == errc::truncated);
  CHECK(with_offset(2, 0) == errc::overlapping);
  CHECK(with_offset(1, 128) == errc::overlapping);  // found at the later one
  CHECK(with_offset(0, 64) == errc::overlapping);
  gguf_builder swapped = small();  // any order is fine as long as nothing is shared
  swapped.tensors[0].offset = 64, swapped.tensors[1].offset = 0;
  const std::string bytes = swapped.build();
  CHECK(dupq::gguf::file::parse(std::as_bytes(std::span(bytes))).has_value());
}

TEST_CASE("the alignment is a power of two within reason") {
  for (const std::uint32_t n : {0u, 1u, 4u, 24u, 63u, 131072u, 0x80000000u, 0xFFFFFFFFu})
    CHECK(code(small().set("general.alignment", n).build()) == errc::wrong_value);
  CHECK(code(small().set("general.alignment", "64").build()) == errc::wrong_type);
  for (const std::uint32_t n : {8u, 32u, 4096u}) {
    const std::string bytes = small().set("general.alignment", n).build(n);
    const auto f = dupq::gguf::file::parse(std::as_bytes(std::span(bytes)));
    REQUIRE(f);
    CHECK(f->data_offset() % n == 0);
    CHECK(dupq::gguf::load<float>(f->tensor("matrix")->bytes.data() + 4) == 1.0f);
  }
  const std::string bytes = small().erase("general.alignment").build(32);  // GGUF's default
  CHECK(dupq::gguf::file::parse(std::as_bytes(std::span(bytes)))->data_alignment() == 32);
}

TEST_CASE("a file at an odd address is read as well") {
  const std::string bytes = small().build();
  for (const std::size_t shift : {1u, 3u, 8u}) {
    const aligned_bytes moved(bytes, shift);
    const auto f = dupq::gguf::file::parse(moved.span());
    REQUIRE(f);
    CHECK(dupq::gguf::load<float>(f->tensor("matrix")->bytes.data() + 20) == 5.0f);
  }
}

TEST_CASE("as many keys as other programs write, and thousands more") {
  gguf_builder b = small();
  for (int i = 0; i < 5000; ++i) {
    const std::string name = "key." + std::to_string(i);
    if (i % 3 == 0) b.add(name, 4, raw(static_cast<std::uint32_t>(i)));
    if (i % 3 == 1) b.add(name, 8, raw_text(name));
    if (i % 3 == 2) b.add(name, 9, raw(std::uint32_t{8}, std::uint64_t{2}) + raw_text(name) + raw_text(""));
  }
  const std::string bytes = b.build();
  const auto f = dupq::gguf::file::parse(std::as_bytes(std::span(bytes)));
  REQUIRE(f);
  CHECK(f->key_count() == 5005);
  CHECK(dupq::gguf::load<std::uint32_t>(f->find("key.4998")->bytes.data()) == 4998);
  CHECK(f->find("key.4999")->text() == "key.4999");
  CHECK(f->find("words")->bytes.size() == 8 + 8 + 4);
  CHECK(f->find("key.2")->bytes.size() == 8 + 5 + 8);
  std::size_t count = 0;
  f->for_each_key([&](std::string_view, const auto&) { ++count; });
  CHECK(count == 5005);
  for (const int again : {0, 127, 128, 129, 2500, 4999}) {  // near and far
    const std::string name = "key." + std::to_string(again);
    gguf_builder twice = b;
    twice.add(name, 4, raw(std::uint32_t{1}));
    const auto e = refused(twice.build());
    CHECK(e.code == errc::duplicate_key);
    CHECK(e.subject == name);
  }
}

TEST_CASE("thousands of tensors take milliseconds, in any order, and their faults are found") {
  constexpr std::size_t count = 4096;
  gguf_builder b;
  for (std::size_t i = 0; i < count; ++i)
    b.tensors.push_back(
        {std::string(100, 'x') + std::to_string(i * 7919 % count), 1, {8}, std::string(16, '\0'), 64 * i});
  const auto timed = [](const std::string& bytes) {
    const auto start = std::clock();  // the processor's time: others may be at work
    (void)dupq::gguf::file::parse(std::as_bytes(std::span(bytes)));
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  };
  gguf_builder reversed = b, mixed = b;
  for (std::size_t i = 0; i < count; ++i) {
    reversed.tensors[i].offset = 64 * (count - 1 - i);
    mixed.tensors[i].offset = 64 * (i * 2503 % count);
  }
  for (const gguf_builder* file : {&b, &reversed, &mixed}) {
    const std::string bytes = file->build();
    CHECK(bytes.size() < 900'000);
    CHECK(dupq::gguf::file::parse(std::as_bytes(std::span(bytes))).has_value());
    CHECK(timed(bytes) < 0.25);  // 3 ms; comparing all with all takes some hundred, and much longer with sanitizers
  }
  for (const std::size_t at : {std::size_t{1}, std::size_t{130}, count - 1}) {
    gguf_builder twice = mixed, shared = mixed;
    twice.tensors[at].name = twice.tensors[0].name;
    CHECK(code(twice.build()) == errc::duplicate_key);
    shared.tensors[at].offset = shared.tensors[0].offset;
    CHECK(code(shared.build()) == errc::overlapping);
  }
  const std::string bytes = mixed.build();
  const auto f = dupq::gguf::file::parse(std::as_bytes(std::span(bytes)));
  dupq::gguf::tensor_place place;
  for (const std::size_t i : {std::size_t{5}, std::size_t{4}, count - 1, std::size_t{0}}) {  // forth and back
    const auto t = f->tensor(mixed.tensors[i].name, place);
    REQUIRE(t);
    CHECK(t->bytes.data() == f->bytes().data() + f->data_offset() + *mixed.tensors[i].offset);
  }
  CHECK_FALSE(f->tensor("none", place));
}
