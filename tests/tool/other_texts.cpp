#include "other_texts.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <dupq/index.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "convert.hpp"
#include "text_search.hpp"
#include "unit/temporary_folder.hpp"

using namespace dupq_tool;

namespace {

using row = std::tuple<std::string, std::string, float>;  // mine, the other, their score

constexpr option no_options[] = {{"--threads", true}};

arguments none() { return {std::vector<std::string>{}, no_options, 0, 0}; }

std::vector<row> matches(const text_search& search, std::span<const std::string_view> mine, const other_texts& others,
                         float threshold) {
  std::vector<row> out;
  search.for_each_match(threshold, others,
                        [&](const dupq::match& m) { out.emplace_back(mine[m.first], others.text(m.second), m.score); });
  std::ranges::sort(out);
  return out;
}
std::vector<row> nearest(const text_search& search, std::span<const std::string_view> mine, const other_texts& others,
                         std::size_t k) {
  std::vector<row> out;
  search.for_each_nearest(k, -2, others, [&](std::size_t text, std::span<const dupq::neighbour> found) {
    for (const auto& n : found) out.emplace_back(mine[text], others.text(n.row), n.score);
  });
  return out;
}

}  // namespace

TEST_CASE("an index is searched as a file with the same texts is") {
  const temporary_folder folder;
  const std::string model = folder.file("m.gguf"), index = folder.file("index");
  (void)convert(DUPQ_TEST_DIR "/../golden/bert", model, {});
  session s(model, none());

  // Segments with rows that are removed, and texts that are there before, in the same segment or in another one.
  const std::vector<std::string> first{"gone", "what is good", "India", "what is good", "gone too"};
  const std::vector<std::string> second{"India", "bad", "good", "later gone"}, third{"Paris", "bad", "the man"};
  {
    auto writer = take(dupq::index_writer::create(index, s.model(), model));
    for (const auto* texts : {&first, &second, &third}) {
      std::vector<float> vectors(texts->size() * s.dim());
      s.encode(*texts, vectors);
      check(writer.add(*texts, vectors));
    }
    check(writer.remove({"1", "5", "9"}));
    check(writer.commit());
  }
  const std::string file =
      folder.write("file", "what is good\nIndia\nwhat is good\nIndia\nbad\ngood\nParis\nbad\nthe man\n");
  const index_texts in_index(s, index);
  const file_texts in_file(s, none(), file);

  const std::vector<std::string_view> mine{"good", "Is India good?", "gone", "bad", "what is the man"};
  std::vector<std::uint32_t> twins;
  for (const auto text : mine) {
    twins.push_back(in_index.find(text));
    const std::uint32_t other = in_file.find(text);
    REQUIRE((twins.back() == other_texts::none) == (other == other_texts::none));
    if (other != other_texts::none) CHECK(in_index.text(twins.back()) == text);
  }
  CHECK(std::ranges::count(twins, other_texts::none) == 3);
  const text_search search = encode_new(s, mine, twins, in_index), alone(s, mine);
  for (std::size_t i = 0; i < mine.size(); ++i) CHECK(std::ranges::equal(search.vector(i), alone.vector(i)));

  const auto all = matches(search, mine, in_file, -2);
  CHECK(all.size() == mine.size() * 6);
  for (const float threshold : {-2.0f, std::get<2>(all[all.size() / 2]), 0.99f})
    CHECK(matches(search, mine, in_index, threshold) == matches(search, mine, in_file, threshold));
  for (const std::size_t k : {1u, 2u, 6u, 100u}) {
    const auto found = nearest(search, mine, in_file, k);
    CHECK(found.size() == mine.size() * std::min<std::size_t>(k, 6));
    CHECK(nearest(search, mine, in_index, k) == found);
  }
}

TEST_CASE("an index of another model, and a folder that is none, are refused") {
  const temporary_folder folder;
  const std::string bert = folder.file("bert.gguf"), mpnet = folder.file("mpnet.gguf"), index = folder.file("index");
  (void)convert(DUPQ_TEST_DIR "/../golden/bert", bert, {});
  (void)convert(DUPQ_TEST_DIR "/../golden/mpnet", mpnet, {});
  const session made(bert, none()), other(mpnet, none());
  {
    auto writer = take(dupq::index_writer::create(index, made.model(), "bert.gguf"));
    check(writer.commit());
  }
  CHECK(index_texts(made, index).size() == 0);
  CHECK_THROWS_AS(index_texts(made, folder.file(".")), failure);
  std::string why;
  try {
    const index_texts refused(other, index);
  } catch (const failure& e) {
    why = e.what();
  }
  CHECK(why.find("made with the model bert.gguf (digest ") != std::string::npos);
  CHECK(why.find("not with " + mpnet + " (digest ") != std::string::npos);
}
