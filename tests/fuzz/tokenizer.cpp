// Tokenizer: the first bytes choose switches, lengths and the steps of a normaliser, the rest is one text or two. Ids
// stay in range, counts within max_length, what is written does not depend on how much room there is beside it, and a
// prompt with a text behind it is read as the one text that they are.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <dupq/text/general_text.hpp>
#include <dupq/text/wordpiece.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../unit/small_vocabulary.hpp"
#include "checks.hpp"

namespace {

const dupq_test::vocabulary_bytes& words() {
  static const dupq_test::vocabulary_bytes bytes(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]",    "a",      "b", "##a",    "##b",      "ab",     "##ab",  "the",   "<", ">",
       "[",     "]",     "unk",   "##\u302E", "\u4E00", "?", "\u1100", "##\u1161", "\u00E9", "<unk>", "<mask>"});
  return bytes;
}

const dupq_test::added_bytes& added() {
  using t = dupq::added_tokens;
  static const dupq_test::added_bytes bytes({{"[PAD]", 0, 0},
                                             {"[UNK]", 1, 0},
                                             {"[CLS]", 2, 0},
                                             {"[SEP]", 3, 0},
                                             {"<unk>", 22, t::normalized},
                                             {"<mask>", 23, t::lstrip},
                                             {" <", 4, t::rstrip},
                                             {"\u00C9b", 21, t::normalized | t::single_word},
                                             {"<the>", 10, t::single_word | t::rstrip}});
  return bytes;
}

/// Up to four steps that the bytes choose, as a model file lists them. No step makes more than two characters of one,
/// but for the forms, whose longest are 18.
struct chosen_steps {
  std::vector<std::byte> bytes;
  std::size_t count = 0;

  explicit chosen_steps(std::string_view choice) {
    static const std::vector<std::vector<std::string_view>> all{
        {"clean_text"},
        {"split_cjk"},
        {"strip_marks"},
        {"strip_accents"},
        {"lowercase"},
        {"nfd"},
        {"nfkd"},
        {"nfc"},
        {"nfkc"},
        {"nmt"},
        {"strip_left"},
        {"strip_right"},
        {"prepend", "a"},
        {"replace", "ab", "b"},
        {"replace", " ", "\u2581"},
        {"replace", "<", "[ "},
        {"replace", "aab", ""},
        {"replace_run", "0", "1", "0", "  ", " "},
        {"replace_run", "0", "2", "3", "az", "b"},
        {"replace_run", "1", "1", "0", "az  ", ""},
    };
    for (const char c : choice)
      for (const std::string_view word : all[static_cast<unsigned char>(c) % all.size()])
        dupq_test::add_string(bytes, word), ++count;
  }
  dupq::normalizer_steps view() const { return {bytes, count}; }
};

/// A file's arrays may be anything: views refuse them, or give what can be searched without harm.
void check_views(std::string_view bytes) {
  const exact copy(bytes);
  const auto raw = std::as_bytes(std::span(copy.bytes.get(), copy.size));
  const std::size_t count = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]);
  std::vector<std::uint32_t> offsets(count);
  std::vector<std::uint64_t> table(dupq::vocabulary::table_size(count));
  if (dupq::vocabulary::build_index(raw, count, offsets, table)) {
    const auto made =
        dupq::vocabulary::view(raw, count, std::as_bytes(std::span(offsets)), std::as_bytes(std::span(table)));
    require(made.has_value());
  }
  const std::size_t third = raw.size() / 3;
  const auto any = dupq::vocabulary::view(raw.first(third), count, raw.subspan(third, third), raw.subspan(2 * third));
  if (any)
    for (std::size_t i = 0; i < any->size(); ++i)
      require(any->find(any->token(i), true) < static_cast<int>(any->size()));
  const auto list =
      dupq::added_tokens::view(raw.first(third), raw.subspan(third, third), raw.subspan(2 * third), count, 99);
  if (list) list->for_each([](const auto& t) { require(!t.content.empty() && t.id < 99); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_views(bytes);
  if (size < 4) return 0;
  const auto v = words().view();
  const auto list = added().view(words().count);
  require(v.has_value() && list.has_value());
  dupq::tokenizer_options o;
  o.pad = 0, o.unk = 1, o.cls = 2, o.sep = 3;
  o.normal = {(data[0] & 1) != 0, (data[0] & 2) != 0, (data[0] & 4) != 0, (data[0] & 8) != 0};
  o.pair_separators = data[0] & 16 ? 2 : 1;
  o.max_word_chars = std::max(1u, data[1] % (dupq::tokenizer::max_word_chars_limit + 1));
  // Nothing, or the number of steps and, in four bytes, which they are.
  const bool by_steps = data[0] & 128 && size >= 9;
  const chosen_steps steps(by_steps ? bytes.substr(5, 1 + data[4] % 4) : std::string_view());
  if (by_steps) {
    o.steps = steps.view(), o.extension = &dupq::general_text;
    require(o.steps.check().has_value());
  }
  const auto t = dupq::tokenizer::make(*v, o, data[0] & 32 ? *list : dupq::added_tokens());
  require(t.has_value());
  const auto mode = data[0] & 64 ? dupq::special_tokens::literal : dupq::special_tokens::parse;

  const std::string_view rest = bytes.substr(by_steps ? 9 : 4);
  const std::size_t cut = std::min(rest.size(), std::size_t{data[3]} * 4);
  const exact a(rest.substr(0, cut)), b(rest.substr(cut));
  const auto in_range = [&](std::int32_t id) { return id >= 0 && id < static_cast<std::int32_t>(v->size()); };

  const std::size_t length = t->special_count(false) + data[2];
  const std::size_t most = by_steps ? 64 : 4;  // tokens a byte
  std::vector<std::int32_t> ids(length), all(rest.size() * most + 64);
  const auto one = t->encode(a, length, ids, mode);
  const auto whole = t->encode(a, all.size(), all, mode);
  require(!whole.truncated && whole.tokens >= 2 && all[whole.tokens - 1] == o.sep);
  require(one.tokens <= length && one.tokens == one.first_segment &&
          one.tokens == std::min<std::size_t>(whole.tokens, length));
  require(one.truncated == (whole.tokens > length));
  require(std::all_of(ids.begin(), ids.begin() + one.tokens, in_range) && ids[0] == o.cls &&
          ids[one.tokens - 1] == o.sep);
  require(std::equal(ids.begin(), ids.begin() + one.tokens - 1, all.begin()));

  const std::size_t pair_length = t->special_count(true) + data[2];
  std::vector<std::int32_t> pair(pair_length), second(all.size());
  const auto both = t->encode_pair(a, b, pair_length, pair, mode);
  const auto whole_b = t->encode(b, second.size(), second, mode);
  const std::size_t n_a = whole.tokens - 2, n_b = whole_b.tokens - 2;
  require(both.tokens == std::min<std::size_t>(n_a + n_b, data[2]) + t->special_count(true));
  require(both.truncated == (n_a + n_b > data[2]) && both.first_segment <= both.tokens);
  require(std::all_of(pair.begin(), pair.begin() + both.tokens, in_range) && pair[both.tokens - 1] == o.sep);
  if (o.pair_separators == 1) {
    const std::size_t kept_a = both.first_segment - 2, kept_b = both.tokens - both.first_segment - 1;
    require(pair[both.first_segment - 1] == o.sep);
    require(std::equal(pair.begin() + 1, pair.begin() + 1 + static_cast<std::ptrdiff_t>(kept_a), all.begin() + 1));
    require(std::equal(pair.begin() + both.first_segment,
                       pair.begin() + both.first_segment + static_cast<std::ptrdiff_t>(kept_b), second.begin() + 1));
    // Only the longer text is cut, as long as it is longer.
    require(kept_a == n_a || kept_a + 1 >= kept_b);
    require(kept_b == n_b || kept_b + 1 >= kept_a);
  }

  const std::string_view prompt = std::string_view(a).substr(0, dupq::prompted_text::most_prompt);
  const exact text(rest.substr(prompt.size(), dupq::prompted_text::room));
  if (dupq::normalizer_steps::characters(prompt) != 0) {
    const exact joined(rest.substr(0, prompt.size() + text.size));
    const auto apart = t->encode(dupq::prompted_text{prompt, text}, all.size(), all, mode);
    const auto together = t->encode(joined, second.size(), second, mode);
    require(apart.tokens == together.tokens && std::equal(all.begin(), all.begin() + apart.tokens, second.begin()));
  }
  return 0;
}
