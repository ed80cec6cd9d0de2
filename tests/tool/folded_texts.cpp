#include "folded_texts.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "unit/temporary_folder.hpp"

using namespace dupq_tool;

namespace {

constexpr option known[] = {{"--format", true}, {"-0", false}, {"--column", true}};

folded_texts read(const std::string& path, std::vector<std::string> words, bool raw = true) {
  row_source rows(arguments(words, known, 0, 0), path, row_kind::text);
  return read_folded(rows, raw);
}

}  // namespace

TEST_CASE("each distinct text is there once, and every row knows its own") {
  const temporary_folder folder;
  const std::string lines = folder.write("t", "b\na\nb\n\nb\nc\n\na\n");
  const folded_texts all = read(lines, {});
  CHECK(all.texts == std::vector<std::string_view>{"b", "a", "", "c"});
  CHECK(all.text_of == std::vector<std::uint32_t>{0, 1, 0, 2, 0, 3, 2, 1});
  CHECK(all.first == std::vector<std::uint32_t>{0, 1, 3, 5});
  CHECK(all.copies == std::vector<std::uint32_t>{3, 2, 2, 1});
  CHECK(all.lines == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8});
  std::vector<std::vector<std::uint32_t>> rows(4);
  for (std::size_t text = 0; text < 4; ++text)
    all.for_each_row(text, [&](std::uint32_t row) { rows[text].push_back(row); });
  CHECK(rows == std::vector<std::vector<std::uint32_t>>{{0, 2, 4}, {1, 7}, {3, 6}, {5}});
  for (std::size_t row = 0; row < all.rows(); ++row) {
    CHECK(all.text(row) == all.raw[row].bytes);
    CHECK(all.repeats(row) == (row == 2 || row == 4 || row == 6 || row == 7));
  }
  CHECK(read(lines, {}, false).raw.empty());
}

TEST_CASE("rows are kept as they stand, and texts stay readable when many follow") {
  const temporary_folder folder;
  std::string table = "x;question\r\n", objects;
  for (int i = 0; i < 30'000; ++i) {
    const std::string n = std::to_string(i % 20'000);
    table += std::to_string(i) + ";\"what \"\"is\"\" " + n + "\"\r\n";
    objects += "{\"question\": \"what \\\"is\\\" " + n + "\"}\n";
  }
  for (const auto& [name, content] : {std::pair("q.csv", table), std::pair("q.jsonl", objects)}) {
    const folded_texts all = read(folder.write(name, content), {});
    REQUIRE(all.rows() == 30'000);
    CHECK(all.texts.size() == 20'000);
    std::string raw = content.substr(0, name == std::string("q.csv") ? 12 : 0);
    std::size_t wrong = 0;
    for (std::size_t row = 0; row < all.rows(); ++row) {
      wrong += all.text(row) != "what \"is\" " + std::to_string(row % 20'000);
      raw += std::string(all.raw[row].bytes) + all.raw[row].ending;
    }
    CHECK(wrong == 0);
    CHECK(raw == content);
  }
}
