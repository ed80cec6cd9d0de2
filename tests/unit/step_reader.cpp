#include <doctest/doctest.h>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dupq/text/general_text.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "character_map.hpp"
#include "loaded_model.hpp"
#include "small_vocabulary.hpp"

namespace {

using dupq::errc, dupq::normalizer_steps, dupq::step_reader;

std::string utf8(char32_t c) {
  char bytes[4];
  return std::string(bytes, dupq::unicode::encode(c, bytes));
}

/// A list of steps in the file's form.
struct step_list {
  std::vector<std::byte> bytes;
  normalizer_steps steps;

  explicit step_list(const std::vector<std::string>& words) {
    for (const auto& word : words) dupq_test::add_string(bytes, word);
    steps = normalizer_steps(bytes, words.size());
  }
  errc trouble() const {
    const auto sound = steps.check();
    REQUIRE(!sound);
    return sound.error().code;
  }
};

/// The text after all steps, read through a reader and through copies of it.
std::string after(const normalizer_steps& steps, std::string_view text) {
  dupq::stretch all(text);
  step_reader reader(steps, all), other(reader);
  std::string out;
  for (char32_t c; (c = reader.next()) != step_reader::end_of_text;) {
    CHECK(other.next() == c);
    out += utf8(c);
    if (out.size() % 5 == 0) other = reader;
  }
  CHECK(reader.next() == step_reader::end_of_text);
  return out;
}
std::string after(const std::vector<std::string>& words, std::string_view text) {
  const step_list list(words);
  REQUIRE(list.steps.check());
  return after(list.steps, text);
}

struct crc32 {
  std::uint32_t state = 0xFFFFFFFFu;
  std::array<std::uint32_t, 256> table{};
  crc32() {
    for (std::uint32_t i = 0; i < 256; ++i) {
      table[i] = i;
      for (int bit = 0; bit < 8; ++bit) table[i] = table[i] >> 1 ^ (table[i] & 1u ? 0xEDB88320u : 0u);
    }
  }
  void add(std::string_view bytes) {
    for (const char c : bytes) state = state >> 8 ^ table[(state ^ static_cast<unsigned char>(c)) & 0xFFu];
  }
};

constexpr std::uint32_t oracle[] = {
#include "../unicode/forms.inc"
};

std::vector<std::byte> contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  return dupq_test::bytes_of(bytes.data(), bytes.size());
}

}  // namespace

TEST_CASE("normalisation forms and accents of every code point are Hugging Face's") {
  const step_list forms[] = {step_list({"nfc"}),  step_list({"nfd"}),         step_list({"nfkc"}),
                             step_list({"nfkd"}), step_list({"nfkd", "nfc"}), step_list({"strip_accents"}),
                             step_list({"nmt"})};
  constexpr char32_t block = 4096;
  static_assert(std::size(oracle) * block == 0x110000);
  for (std::size_t i = 0; i < std::size(oracle); ++i) {
    crc32 sum;
    for (char32_t c = static_cast<char32_t>(i) * block; c < (i + 1) * block; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      const std::string text = "a" + utf8(c) + "\u0301";
      for (const step_list& form : forms) {
        dupq::stretch all(text);
        step_reader reader(form.steps, all);
        for (char32_t d; (d = reader.next()) != step_reader::end_of_text;) sum.add(utf8(d));
        sum.add("\xFF");
      }
    }
    CHECK_MESSAGE(~sum.state == oracle[i], "code points from " << i * block);
  }
}

TEST_CASE("random steps make of random texts what Hugging Face makes of them") {
  const char* const other = std::getenv("DUPQ_STEP_CASES");
  const auto file = contents(other != nullptr ? other : DUPQ_TEST_DIR "/../unicode/step_cases.bin");
  std::size_t at = 0, compared = 0;
  const auto number = [&] {
    std::uint64_t n;
    REQUIRE(file.size() - at >= sizeof n);
    std::memcpy(&n, file.data() + at, sizeof n);
    at += sizeof n;
    return static_cast<std::size_t>(n);
  };
  const auto text = [&] {
    const std::size_t n = number();
    REQUIRE(file.size() - at >= n);
    at += n;
    return std::string_view(reinterpret_cast<const char*>(file.data()) + at - n, n);
  };
  while (at != file.size()) {
    const std::size_t count = number(), bytes = number();
    const normalizer_steps steps({file.data() + at, bytes}, count);
    const std::size_t list = at;
    at += bytes;
    REQUIRE(steps.check());
    for (std::size_t left = number(); left != 0; --left, ++compared) {
      const std::string_view given = text(), wanted = text();
      const std::string made = after(steps, given);
      if (made != wanted) FAIL_CHECK("list of steps at byte " << list << ", text " << given);
    }
  }
  CHECK(compared >= 480);
}

TEST_CASE("what a step keeps back is given out at the end") {
  CHECK(after({"strip_right"}, "a \t\t b \n ") == "a \t\t b");
  CHECK(after({"strip_left", "strip_right", "prepend", "so "}, "  ") == "");
  CHECK(after({"strip_left", "strip_right", "prepend", "so "}, " x ") == "so x");
  CHECK(after({"replace", "aab", "-"}, "aaab aab aa") == "a- - aa");
  CHECK(after({"replace_run", "0", "2", "0", "  ", "_"}, " a  b   ") == " a_b_");
  CHECK(after({"replace_run", "0", "2", "3", "  ", "_"}, "     ") == "__");
  CHECK(after({"replace_run", "1", "1", "0", "az", ""}, "aB1c") == "ac");
  CHECK(after(normalizer_steps(), "as it is") == "as it is");
}

TEST_CASE("rows of marks of any length take linear time and lose none") {
  std::string text = "e";
  for (int i = 0; i < 200000; ++i) text += i % 3 == 0 ? "\u0316" : "\u0301";
  const std::string composed = after({"nfc"}, text);
  CHECK(composed.starts_with("\u00E9\u0316"));
  CHECK(composed.size() == text.size() - 1);
  CHECK(after({"nfd", "strip_accents"}, text) == "e");
}

TEST_CASE("lists of steps that mean nothing are refused") {
  CHECK(step_list({"uppercase"}).trouble() == errc::wrong_value);
  CHECK(step_list({"nfc", "prepend"}).trouble() == errc::wrong_value);
  CHECK(step_list({"replace", "", "x"}).trouble() == errc::wrong_value);
  CHECK(step_list({"replace", "\xFF", "x"}).trouble() == errc::wrong_value);
  CHECK(step_list({"replace", std::string(65, 'x'), "x"}).trouble() == errc::wrong_value);
  CHECK(step_list({"prepend", "\xC3"}).trouble() == errc::wrong_value);
  CHECK(step_list({"replace_run", "0", "1", "0", "abc", ""}).trouble() == errc::wrong_value);
  CHECK(step_list({"replace_run", "0", "0", "0", "az", ""}).trouble() == errc::wrong_value);
  CHECK(step_list({"replace_run", "0", "3", "2", "az", ""}).trouble() == errc::wrong_value);
  CHECK(step_list({"replace_run", "0", "x", "2", "az", ""}).trouble() == errc::wrong_value);
  CHECK(step_list(std::vector<std::string>(33, "lowercase")).trouble() == errc::out_of_range);
  CHECK(step_list(std::vector<std::string>(11, "nfc")).trouble() == errc::out_of_range);
  step_list cut({"lowercase"});
  cut.bytes.pop_back();
  CHECK(!normalizer_steps(cut.bytes, 1).check());
  CHECK(!normalizer_steps({}, 1).check());
  cut.bytes.resize(cut.bytes.size() + 2);
  CHECK(!normalizer_steps(cut.bytes, 1).check());
}

TEST_CASE("a tokenizer reads texts by its steps, between its added tokens and when it looks for them") {
  using t = dupq::added_tokens;
  const dupq_test::vocabulary_bytes words({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "so", "cafe", "and", "##s", "x", "&"});
  const dupq_test::added_bytes list({{"[SEP]", 3, 0}, {"Caf\u00C9 &", 8, t::normalized}});
  const step_list steps({"replace", "&", " and ", "lowercase", "nfd", "strip_accents", "prepend", "so "});
  dupq::tokenizer_options o;
  o.unk = 1, o.cls = 2, o.sep = 3, o.steps = steps.steps, o.extension = &dupq::general_text;
  const auto made = dupq::tokenizer::make(*words.view(), o, *list.view(words.count));
  REQUIRE(made);
  const auto ids = [&](std::string_view text, dupq::special_tokens mode = dupq::special_tokens::parse) {
    std::vector<std::int32_t> out(64);
    out.resize(made->encode(text, out.size(), out, mode).tokens);
    return out;
  };
  using list_of = std::vector<std::int32_t>;
  CHECK(ids("CAF\u00C9S&caf\u00E9s") == list_of{2, 4, 5, 7, 6, 5, 7, 3});
  CHECK(ids("cafe[SEP]x") == list_of{2, 4, 5, 3, 4, 8, 3});  // each part has what goes before it
  CHECK(ids("[SEP]") == list_of{2, 3, 3});
  CHECK(ids("so caf\u00E9 & x") == list_of{2, 4, 8, 8, 3});  // the token is "so cafe  and " by then
  CHECK(ids("[SEP]", dupq::special_tokens::literal).size() == 6);
}

TEST_CASE("a model of such a tokenizer needs what reads it") {
  std::string list = dupq_test::raw(std::uint32_t{8}, std::uint64_t{2});
  for (const std::string_view word : {"nfc", "lowercase"}) list += dupq_test::raw_text(word);
  dupq_test::gguf_builder b(dupq_test::tiny_model("bert-packed-f32"));
  b.set("dupq.tokenizer.normalizer", 9, list);
  const auto e = dupq_test::refused(b.build());
  CHECK(e.code == errc::unsupported);
  CHECK(std::string(e.subject) == "dupq.tokenizer.normalizer");
  const dupq_test::loaded_model m(b.build(), {.settings = &dupq::all_settings});
  CHECK(m->tokenizer().options().steps.check());
  using map = dupq_test::character_map;
  for (const bool loops : {false, true}) {  // from "a" to "a" again; "b" is a way out
    const map with = loops ? map(1).step(1, 'a', 1) : map(1).step(1, 'a', 1).leaf(1, 'b');
    b.set("dupq.tokenizer.normalizer", 9,
          dupq_test::raw(std::uint32_t{8}, std::uint64_t{2}) + dupq_test::raw_text("precompiled") +
              dupq_test::raw_text(with.bytes()));
    const dupq_test::loaded_model mapped(b.build(), {.settings = &dupq::all_settings});
    CHECK(mapped.ok() == !loops);
    if (loops) CHECK(mapped.error().code == errc::wrong_value);
    if (loops) CHECK(std::string(mapped.error().subject) == "dupq.tokenizer.normalizer");
  }
  b.set("dupq.tokenizer.normalizer", 9, dupq_test::raw(std::uint32_t{8}, std::uint64_t{1}) + dupq_test::raw_text("x"));
  CHECK(dupq_test::loaded_model(b.build(), {.settings = &dupq::all_settings}).error().code == errc::wrong_value);
}
