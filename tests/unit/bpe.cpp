#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <dupq/text/bpe.hpp>
#include <map>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using ids = std::vector<std::int32_t>;

/// Tokens of bytes and random merges of tokens that are there before: as a training would have made them, or in any
/// order, as a file may have them.
struct merges_of_letters {
  static constexpr std::string_view alphabet =
      "ab@ `\x7F\xC3"
      "z";

  std::vector<std::int32_t> bytes = std::vector<std::int32_t>(256, -1);
  std::map<std::pair<std::uint32_t, std::uint32_t>, dupq::bpe::merge> all;
  std::vector<std::uint64_t> merges, filter, words = std::vector<std::uint64_t>(4);
  std::vector<dupq::bpe::merge> letters = std::vector<dupq::bpe::merge>(dupq::bpe::letter_pairs);
  dupq::bpe plain, quick;

  merges_of_letters(std::uint32_t seed, bool trained) {
    std::mt19937 random(seed);
    std::uint32_t count = 0;
    for (const char c : alphabet)
      if (c != 'z') bytes[static_cast<unsigned char>(c)] = static_cast<std::int32_t>(count++);
    std::vector<std::uint32_t> ranks(60);
    for (std::uint32_t i = 0; i < ranks.size(); ++i) ranks[i] = i;
    if (!trained) std::shuffle(ranks.begin(), ranks.end(), random);
    for (const std::uint32_t rank : ranks) {
      const std::pair pair{random() % count, random() % count};
      if (all.try_emplace(pair, dupq::bpe::merge{rank, count}).second) ++count;
    }
    merges.assign(2 * dupq::key_slots::count_for(all.size()), 0);
    for (std::size_t i = 0; i < merges.size(); i += 2) merges[i] = dupq::bpe::no_pair;
    filter.assign(dupq::bpe::filter_for(all.size()), 0);
    for (const auto& [pair, merge] : all) {
      const std::uint64_t key = std::uint64_t{pair.first} << 32 | pair.second;
      REQUIRE(dupq::bpe::put_merge(merges, key, merge));
      dupq::bpe::put_filter(filter, key);
    }
    const auto of = [](const auto& v) { return std::as_bytes(std::span(v)); };
    plain = dupq::bpe::view(of(bytes), of(merges), of(words), count).value();
    quick = dupq::bpe::view(of(bytes), of(merges), of(words), count, of(filter)).value();
    quick.remember_letters(letters.data());
  }

  /// By the definition: again and again the pair of the lowest rank, and of those the leftmost.
  ids expected(std::string_view word) const {
    ids out;
    for (const char c : word)
      if (const std::int32_t id = bytes[static_cast<unsigned char>(c)]; id >= 0) out.push_back(id);
    for (;;) {
      std::size_t best = out.size();
      dupq::bpe::merge least{dupq::bpe::no_merge, 0};
      for (std::size_t i = 0; i + 1 < out.size(); ++i) {
        const auto at = all.find({static_cast<std::uint32_t>(out[i]), static_cast<std::uint32_t>(out[i + 1])});
        if (at != all.end() && at->second.rank < least.rank) best = i, least = at->second;
      }
      if (best == out.size()) return out;
      out[best] = static_cast<std::int32_t>(least.id);
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
  }
};

ids merged(const dupq::bpe& merges, std::string_view word) {
  ids out(word.size() + 1);
  dupq::token_sink sink{out.data(), 1, out.size(), out.size()};
  dupq::bpe_merger(merges, sink).add(word);
  out.resize(sink.count);
  return out;
}

}  // namespace

TEST_CASE("bpe: words of any length are merged by the definition, with and without the tables that save time") {
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    const merges_of_letters m(seed, seed % 2 == 0);
    std::mt19937 random(seed + 1000);
    for (int i = 0; i < 400; ++i) {
      std::string word(random() % (i % 10 == 0 ? 200 : 20), ' ');
      for (char& c : word) c = m.alphabet[random() % m.alphabet.size()];
      const ids right = m.expected(word);
      CHECK_MESSAGE(merged(m.plain, word) == right, "seed ", seed, ", word ", i);
      CHECK_MESSAGE(merged(m.quick, word) == right, "seed ", seed, ", word ", i);
    }
  }
}

TEST_CASE("bpe: of remembered letters each pair has its own merge") {
  const merges_of_letters m(7, true);
  for (const char left : m.alphabet)
    for (const char right : m.alphabet) {
      const unsigned a = dupq::bpe::letter_of(left), b = dupq::bpe::letter_of(right);
      CHECK(m.quick.knows_letters(a, b) == (left != '@' && right != '@' && left >= 0 && right >= 0));
      CHECK(!m.plain.knows_letters(a, b));
      if (!m.quick.knows_letters(a, b)) continue;
      const std::int32_t first = m.bytes[static_cast<unsigned char>(left)];
      const std::int32_t second = m.bytes[static_cast<unsigned char>(right)];
      const auto found = m.quick.find_letters(a, b);
      if (first < 0 || second < 0) {
        CHECK(found.rank == dupq::bpe::no_merge);
        continue;
      }
      const auto at = m.all.find({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(second)});
      CHECK(found.rank == (at == m.all.end() ? dupq::bpe::no_merge : at->second.rank));
      if (at != m.all.end()) CHECK(found.id == at->second.id);
    }
}
