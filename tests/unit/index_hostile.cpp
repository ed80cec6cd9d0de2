#include <doctest/doctest.h>

#include <cstring>
#include <dupq/index.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "support/fixtures.hpp"
#include "support/made_up_index.hpp"
#include "support/two_segments.hpp"
#include "unit/temporary_folder.hpp"

namespace {

using dupq::index_reader, dupq::index_writer;

struct small_index : made_up::two_segments {
  /// Uses everything of the index; false where it cannot be opened, which must be said in a line.
  bool use() const {
    const auto index = index_reader::open(folder);
    if (!index) {
      CHECK(index.error().message().find("i/") != std::string::npos);
      return false;
    }
    const auto all = made_up::contents(*index);
    for (const auto& e : all) CHECK(e.id.size() + e.text.size() < 100000);
    for (const char* id : {"id0", "id18", "id20", "x", ""}) {
      const auto row = index->find(id);
      CHECK((!row || *row <= index->rows()));
    }
    const auto hits = made_up::found(*index, made_up::vector(1), 7, -2);
    CHECK(hits.size() <= 7);
    const auto w = index_writer::open(folder);
    CHECK(w);
    return true;
  }
};

std::uint64_t number_at(const std::string& bytes, std::size_t at) {
  std::uint64_t n;
  std::memcpy(&n, bytes.data() + at, sizeof n);
  return n;
}

}  // namespace

TEST_CASE("a manifest with any byte changed, cut or longer is refused") {
  const small_index index;
  const std::string right = index.bytes("manifest.gguf");
  REQUIRE(index.use());
  for (std::size_t i = 0; i < right.size(); ++i) {
    std::string wrong = right;
    wrong[i] = static_cast<char>(wrong[i] ^ (1 << i % 8));
    index.write("manifest.gguf", wrong);
    CHECK_FALSE(index.use());
    index.write("manifest.gguf", right.substr(0, i));
    CHECK_FALSE(index.use());
  }
  index.write("manifest.gguf", right + '\0');
  CHECK_FALSE(index.use());
  index.write("manifest.gguf", right);
  CHECK(index.use());
}

TEST_CASE("a segment with any byte changed is refused, or nothing worse than another text, id or score comes of it") {
  const small_index index;
  const std::string right = index.bytes("segment-1.gguf");
  int refused = 0;
  for (std::size_t i = 0; i < right.size(); ++i)
    for (const int flip : {1 << i % 8, 0xFF}) {
      std::string wrong = right;
      wrong[i] = static_cast<char>(wrong[i] ^ flip);
      index.write("segment-1.gguf", wrong);
      refused += !index.use();
    }
  CHECK(refused > 300);
  for (const std::uint64_t number :
       {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{1} << 32, std::uint64_t{0}})
    for (std::size_t i = 0; i + 8 <= right.size(); i += 8) {
      std::string wrong = right;
      std::memcpy(wrong.data() + i, &number, sizeof number);
      index.write("segment-1.gguf", wrong);
      index.use();
    }
}

TEST_CASE("a segment that is cut, gone or another one is refused with its name") {
  const small_index index;
  const std::string right = index.bytes("segment-1.gguf");
  const auto refused = [&] {
    const auto opened = index_reader::open(index.folder);
    REQUIRE(!opened);
    CHECK(opened.error().message().find("i/segment-1.gguf: ") != std::string::npos);
    return opened.error().code;
  };
  for (std::size_t size = 0; size + 64 < right.size(); size += 7) {  // the end is padding
    index.write("segment-1.gguf", right.substr(0, size));
    refused();
  }
  index.write("segment-1.gguf", index.bytes("segment-2.gguf"));
  CHECK(refused() == dupq::errc::wrong_shape);
  index.write("segment-1.gguf", index.bytes("manifest.gguf"));
  refused();
  std::filesystem::remove(index.folder + "/segment-1.gguf");
  CHECK(refused() == dupq::errc::no_such_file);
  std::filesystem::create_directory(index.folder + "/segment-1.gguf");
  CHECK(refused() == dupq::errc::is_a_directory);
}

TEST_CASE("an index of another version says so") {
  const small_index index;
  for (const char* name : {"manifest.gguf", "segment-2.gguf"}) {
    const std::string right = index.bytes(name), key = "dupq.index.version";
    const std::size_t at = right.find(key) + key.size() + 4;
    REQUIRE((number_at(right, at) & 0xFF) == 1);
    std::string wrong = right;
    wrong[at] = 2;
    index.write(name, wrong);
    const auto opened = index_reader::open(index.folder);
    REQUIRE(!opened);
    CHECK(opened.error().message().find(std::string(name) + ": dupq.index.version: wrong value (2, not 1)") !=
          std::string::npos);
    index.write(name, right);
  }
}
