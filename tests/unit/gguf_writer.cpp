#include <doctest/doctest.h>

#include <dupq/core/gguf.hpp>
#include <dupq/core/gguf_writer.hpp>
#include <string>
#include <vector>

namespace gguf = dupq::gguf;

namespace {

std::string header_of(const gguf::writer& writer) {
  const auto header = writer.header();
  REQUIRE(header.has_value());
  return {reinterpret_cast<const char*>(header->data()), header->size()};
}

}  // namespace

TEST_CASE("the library reads what the writer wrote") {
  gguf::writer writer;
  writer.add("a.u32", std::uint32_t{7});
  writer.add("general.alignment", std::uint32_t{64});
  writer.add("a.f32", 0.5f);
  writer.add("a.flag", true);
  writer.add("a.text", "text");
  const std::vector<std::string> words{"one", "", "three"};
  const std::vector<std::int32_t> numbers{1, -2};
  writer.add("a.words", words);
  writer.add("a.numbers", std::span<const std::int32_t>(numbers));
  const std::uint64_t matrix[] = {3, 2}, vector[] = {5};
  writer.add_tensor("m", gguf::tensor_type::f32, matrix, 24);
  writer.add_tensor("v", gguf::tensor_type::f16, vector, 10);
  CHECK(writer.data_bytes() == 128);
  std::string bytes = header_of(writer);
  CHECK(bytes.size() % 64 == 0);
  const std::size_t data = bytes.size();
  for (int i = 0; i < 128; ++i) bytes += static_cast<char>(i);

  const auto file = gguf::file::parse(std::as_bytes(std::span(bytes)));
  REQUIRE(file.has_value());
  CHECK(file->data_offset() == data);
  CHECK(gguf::load<std::uint32_t>(file->find("a.u32")->bytes.data()) == 7);
  CHECK(gguf::load<float>(file->find("a.f32")->bytes.data()) == 0.5f);
  CHECK(file->find("a.flag")->type == gguf::value_type::boolean);
  CHECK(file->find("a.text")->text() == "text");
  const gguf::value list = *file->find("a.words");
  CHECK(list.element == gguf::value_type::string);
  CHECK(list.count == 3);
  CHECK(list.bytes.size() == 3 * 8 + 8);
  CHECK(gguf::load<std::int32_t>(file->find("a.numbers")->bytes.data() + 4) == -2);
  const gguf::tensor m = *file->tensor("m"), v = *file->tensor("v");
  CHECK(m.dimensions == 2);
  CHECK(m.extent[0] == 3);
  CHECK(m.extent[1] == 2);
  CHECK(m.bytes.size() == 24);
  CHECK(v.type == gguf::tensor_type::f16);
  CHECK(v.bytes[0] == std::byte{64});

  SUBCASE("values are copied from file to file") {
    gguf::writer copy;
    file->for_each_key([&](std::string_view key, const gguf::value& value) { copy.add(key, value); });
    copy.add_tensor("m", gguf::tensor_type::f32, matrix, 24);
    copy.add_tensor("v", gguf::tensor_type::f16, vector, 10);
    CHECK(header_of(copy) == bytes.substr(0, data));
  }
}
