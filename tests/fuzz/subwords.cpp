// Unigram and byte-level BPE: the first bytes choose the kind, switches and lengths, the rest is a text. Ids stay in
// range, counts within max_length, and a text's first ids do not depend on how many more there is room for, nor on the
// tables that only save time. The arrays of a file may be anything: views refuse them, or give what can be searched
// without harm.
#include <algorithm>
#include <bit>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <dupq/text/bpe_text.hpp>
#include <dupq/text/charsmap.hpp>
#include <dupq/text/unigram_text.hpp>
#include <memory>
#include <piece_trie_builder.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../unit/small_vocabulary.hpp"
#include "checks.hpp"

namespace {

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& v) {
  return std::as_bytes(std::span(v));
}

/// Tokens of both kinds: <s>, <pad>, </s>, <unk>, <mask>, then pieces.
constexpr std::string_view pieces[] = {"<s>", "<pad>",  "</s>",   "<unk>",   "<mask>",  "\u2581",
                                       "a",   "aa",     "b",      "ab",      "\u2581a", "\u2581the",
                                       "the", "\u4E00", "\u00E9", "e\u0301", "1",       "?"};

struct both_kinds {
  dupq_test::vocabulary_bytes words{std::vector<std::string>(std::begin(pieces), std::end(pieces))};
  std::vector<std::uint64_t> trie, merges, merged_words, filter, words_of_one, breaks;
  std::vector<double> scores;
  std::vector<std::int32_t> byte_pieces, bytes;
  std::vector<dupq::bpe::merge> letter_merges = std::vector<dupq::bpe::merge>(dupq::bpe::letter_pairs);
  dupq::unigram_model unigram, slow_unigram;
  dupq::bpe_model bpe, unfiltered;

  both_kinds() {
    const std::size_t count = std::size(pieces);
    std::vector<dupq::piece_trie_builder::entry> entries;
    for (std::uint32_t id = 0; id < count; ++id) {
      entries.push_back({pieces[id], id, id < 5});
      scores.push_back(id < 5 ? 0 : -1.0 - 0.25 * (id % 7));
    }
    trie = dupq_tool::build_piece_trie(entries);
    for (int b = 0; b < 256; ++b) byte_pieces.push_back(b == 200 ? -1 : 6), bytes.push_back(b == 'z' ? -1 : 6 + b % 3);
    merges.assign(2 * dupq::key_slots::count_for(8), 0);
    for (std::size_t i = 0; i < merges.size(); i += 2) merges[i] = dupq::bpe::no_pair;
    constexpr std::uint32_t made[][3] = {{6, 6, 7}, {7, 7, 9}, {6, 8, 9}, {9, 6, 10}, {10, 10, 11}, {8, 6, 12}};
    filter.assign(dupq::bpe::filter_for(std::size(made)), 0);
    for (const auto& m : made) dupq::bpe::put_filter(filter, std::uint64_t{m[0]} << 32 | m[1]);
    for (std::uint32_t rank = 0; const auto& m : made)
      require(dupq::bpe::put_merge(merges, std::uint64_t{m[0]} << 32 | m[1], {rank++, m[2]}));
    merged_words.assign(2 * dupq::key_slots::count_for(4), 0);
    require(dupq::word_slots::put(merged_words, dupq::piece_key::of("the", true), 11));
    const auto view = dupq::bpe::view(bytes_of(bytes), bytes_of(merges), bytes_of(merged_words), count);
    require(view.has_value());
    unfiltered.merges = *view;
    const auto quick =
        dupq::bpe::view(bytes_of(bytes), bytes_of(merges), bytes_of(merged_words), count, bytes_of(filter));
    require(quick.has_value());
    bpe.merges = *quick;
    bpe.merges.remember_letters(letter_merges.data());
    // The words that are pieces with a mark before them, and all marks: no piece has one behind a letter or a digit but
    // the special ones, which end with '>'.
    words_of_one.assign(2 * dupq::key_slots::count_for(2), 0);
    require(dupq::word_slots::put(words_of_one, dupq::piece_key::of("a", false), 10));
    require(dupq::word_slots::put(words_of_one, dupq::piece_key::of("the", false), 11));
    breaks.assign(4, 0);
    for (std::size_t c = '!'; c <= '~'; ++c)
      if (c != '>' && std::isalnum(static_cast<int>(c)) == 0)
        for (std::size_t after : {0u, 2u}) breaks[after + c / 64] |= std::uint64_t{1} << c % 64;
  }
};

void check_views(std::string_view bytes) {
  const exact copy(bytes);
  const auto raw = std::as_bytes(std::span(copy.bytes.get(), copy.size));
  const std::string_view text = copy;
  if (dupq::charsmap::is_sound(text))
    for (std::size_t i = 0; i < text.size(); ++i) (void)dupq::charsmap(text).find(text.substr(i, 5));
  const auto half = raw.first(raw.size() / 32 * 16);
  if (const auto b = dupq::bpe::view(std::vector<std::byte>(1024), half, raw.subspan(half.size()), 9)) {
    require(b->words().find(dupq::piece_key::of(text.substr(0, 5), true)) < 9);
    const auto m = b->find(1, 2);
    require(m.rank == dupq::bpe::no_merge || m.id < 9);
  }
  // A filter of any bits, and one of any size; words of any slots.
  const auto some = raw.first(std::bit_floor(raw.size() | 1) & raw.size());
  std::vector<std::byte> no_merges(32, std::byte{255}), no_words(32);
  for (const auto filter : {raw, some})
    if (const auto b = dupq::bpe::view(std::vector<std::byte>(1024), no_merges, no_words, 9, filter))
      require(b->find(static_cast<std::uint32_t>(raw.size()), 2).rank == dupq::bpe::no_merge);
  if (dupq::word_slots words; words.take(some) && words.is_sound(9))
    require(words.find(dupq::piece_key::of(text.substr(0, 5), false)) < 9);
  std::vector<std::byte> units(2048);
  std::copy_n(raw.begin(), std::min(raw.size(), units.size()), units.begin());
  if (const auto t = dupq::piece_trie::view(units, 9)) require(t->find(text) < 9);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_views(bytes);
  if (size < 4) return 0;
  static both_kinds all;
  const auto words = all.words.view();
  using t = dupq::added_tokens;
  static const dupq_test::added_bytes added({{"<s>", 0, 0},
                                             {"</s>", 2, t::normalized},
                                             {"<mask>", 4, t::lstrip | t::normalized},
                                             {"aab", 9, t::single_word | t::rstrip | t::normalized}});
  const auto list = added.view(all.words.count);
  require(words.has_value() && list.has_value());
  std::vector<std::byte> step_bytes;
  std::size_t step_count = 0;
  const auto step = [&](std::string_view name) { dupq_test::add_string(step_bytes, name), ++step_count; };
  if (data[0] & 2) step("nmt");
  if (data[0] & 4) step("nfkc");
  dupq::tokenizer_options o;
  const void* slow = nullptr;
  o.pad = 1, o.unk = 3, o.cls = 0, o.sep = 2, o.pair_separators = 2;
  o.steps = {step_bytes, step_count};
  if (data[0] & 1) {
    const dupq::unigram::settings s{3, 6, data[0] & 64 ? bytes_of(all.byte_pieces) : std::span<const std::byte>()};
    const auto view = dupq::unigram::view(bytes_of(all.trie), bytes_of(all.scores), words->size(), s);
    dupq::unigram::settings quick = s;
    quick.words = bytes_of(all.words_of_one), quick.breaks = bytes_of(all.breaks);
    const auto quick_view = dupq::unigram::view(bytes_of(all.trie), bytes_of(all.scores), words->size(), quick);
    require(view.has_value() && quick_view.has_value());
    auto& cut = all.unigram.cut;
    cut = {(data[1] & 1) != 0, (data[1] & 2) != 0, (data[1] & 4) != 0, (data[1] & 8) != 0, (data[1] & 16) != 0};
    cut.metaspace = static_cast<dupq::pre_tokenizer::marks>(data[1] >> 5 & 3);
    cut.split_marks = (data[1] & 128) != 0;
    all.unigram.plain_ascii = dupq::unigram_reading::keeps_ascii(cut, o.steps);
    all.slow_unigram = {*view, cut, false};
    all.unigram.pieces = *quick_view;
    o.extension = &dupq::unigram_text, o.pieces = &all.unigram, slow = &all.slow_unigram;
  } else {
    all.bpe.prefix_space = (data[1] & 1) != 0, all.bpe.split = (data[1] & 2) == 0;
    all.unfiltered.prefix_space = all.bpe.prefix_space, all.unfiltered.split = all.bpe.split;
    o.extension = &dupq::bpe_text, o.pieces = &all.bpe, slow = &all.unfiltered;
  }
  const auto tokens = data[0] & 8 ? *list : dupq::added_tokens();
  const auto made = dupq::tokenizer::make(*words, o, tokens);
  o.pieces = slow;
  const auto other = dupq::tokenizer::make(*words, o, tokens);
  require(made.has_value() && other.has_value());
  const auto mode = data[0] & 16 ? dupq::special_tokens::literal : dupq::special_tokens::parse;
  // A long text is made of a short one, so that words are longer than there is room for at once.
  std::string text(bytes.substr(4));
  if (data[0] & 32)
    while (!text.empty() && text.size() < 1200) text += text;
  const exact one(text);
  const std::size_t length = 2 + data[2];
  std::vector<std::int32_t> ids(length), whole(text.size() * 20 + 64);
  const auto short_one = made->encode(one, length, ids, mode);
  const auto long_one = made->encode(one, whole.size(), whole, mode);
  std::vector<std::int32_t> same(whole.size());
  require(other->encode(one, same.size(), same, mode).tokens == long_one.tokens);
  require(std::equal(whole.begin(), whole.begin() + long_one.tokens, same.begin()));
  require(!long_one.truncated && short_one.tokens == std::min<std::size_t>(length, long_one.tokens));
  require(std::all_of(whole.begin(), whole.begin() + long_one.tokens,
                      [&](std::int32_t id) { return id >= 0 && id < static_cast<std::int32_t>(words->size()); }));
  require(std::equal(ids.begin(), ids.begin() + short_one.tokens - 1, whole.begin()));
  return 0;
}
