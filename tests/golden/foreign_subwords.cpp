// RoBERTa and XLM-RoBERTa as llama.cpp's converter writes them, whose tokenizers are made when such a file is opened.
#include <doctest/doctest.h>

#include <cstdint>
#include <dupq/core/os.hpp>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "models.hpp"
#include "unit/character_map.hpp"
#include "unit/gguf_builder.hpp"

namespace {

using dupq::errc;
using dupq_test::gguf_builder;
using dupq_test::raw;
using dupq_test::raw_text;

constexpr const char* names[] = {"roberta-f32", "xlm-roberta-f16"};

std::string made(const std::string& name) { return golden::folder + "/subwords/" + name; }

std::vector<std::string> texts() {
  auto all = golden::texts();
  all.push_back("how [unused0] do i learn [unused0] cooking");
  return all;
}

/// Opens a file after changes to it.
dupq::error trouble(const std::string& name, const std::function<void(gguf_builder&)>& change) {
  gguf_builder b(fixtures::read_file(made(name + ".gguf")));
  change(b);
  const temporary_folder folder;
  const std::string path = folder.file("model.gguf");
  std::ofstream(path, std::ios::binary) << b.build();
  const auto m = dupq::model::open(path.c_str());
  if (m) return {};
  CHECK(std::string(m.error().file).ends_with("model.gguf"));
  return m.error();
}

void refused(const std::string& name, errc code, const std::string& key,
             const std::function<void(gguf_builder&)>& change) {
  CAPTURE(key);
  const dupq::error e = trouble(name, change);
  CHECK(e.code == code);
  CHECK(e.subject == key);
}

constexpr std::uint32_t array_type = 9, u8 = 0, i32 = 5, f32 = 6, text = 8;

template <class T>
std::string numbers(std::uint32_t element, const std::vector<T>& of) {
  std::string out = raw(element, std::uint64_t{of.size()});
  for (const T& v : of) out += raw(v);
  return out;
}

}  // namespace

TEST_CASE("ids and vectors of RoBERTa and XLM-RoBERTa files of llama.cpp") {
  for (const std::string name : names) {
    CAPTURE(name);
    auto opened = dupq::model::open(made(name + ".gguf").c_str());
    if (!opened) dupq::print_error(opened.error());
    REQUIRE(opened);
    const dupq::model m = std::move(*opened);
    const auto rows = fixtures::read_rows<std::int32_t>(made(name + ".ids"));
    const auto all = texts();
    REQUIRE(rows.size() == all.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::vector<std::int32_t> ids(m.config().max_length);
      ids.resize(m.tokenizer().encode(all[i], ids.size(), ids).tokens);
      CHECK_MESSAGE(ids == rows[i], "text " << i);
    }
    CHECK(fixtures::distance(golden::vectors(m, all), fixtures::read_npy(made(name + ".npy"))) < 1e-5);
  }
}

TEST_CASE("they need no heap, and exactly the storage that they ask for") {
  for (const std::string name : names) {
    const std::string bytes = fixtures::read_file(made(name + ".gguf"));
    const dupq_test::aligned_bytes file(bytes);
    const dupq::model_options options{.settings = &dupq::all_settings};
    const auto needed = dupq::model::storage_bytes(file.span(), options);
    REQUIRE(needed);
    const dupq_test::aligned_bytes storage(*needed);
    const auto m = dupq::model::load(file.span(), storage.span(), options);
    REQUIRE(m);
    std::int32_t ids[8];
    CHECK(m->tokenizer().encode("how do i learn", 8, ids).tokens > 3);
  }
}

TEST_CASE("what such a file lacks is named") {
  const auto without = [](const std::string& key) { return [key](gguf_builder& b) { b.erase(key); }; };
  for (const char* key : {"tokenizer.ggml.pre", "tokenizer.ggml.merges", "tokenizer.ggml.token_type"})
    refused("roberta-f32", errc::missing_key, key, without(key));
  for (const char* key : {"tokenizer.ggml.scores", "tokenizer.ggml.token_type", "tokenizer.ggml.unknown_token_id",
                          "tokenizer.ggml.add_space_prefix", "tokenizer.ggml.remove_extra_whitespaces"})
    refused("xlm-roberta-f16", errc::missing_key, key, without(key));
  for (const std::string name : names)
    refused(name, errc::missing_key, "tokenizer.ggml.bos_token_id", without("tokenizer.ggml.bos_token_id"));
  CHECK(trouble("roberta-f32", without("tokenizer.ggml.unknown_token_id")).code == errc{});
  CHECK(trouble("roberta-f32", without("tokenizer.ggml.mask_token_id")).code == errc{});
}

TEST_CASE("what such a file says wrongly is refused") {
  const auto set = [](const std::string& key, std::uint32_t type, const std::string& payload) {
    return [=](gguf_builder& b) { b.set(key, type, payload); };
  };
  refused("roberta-f32", errc::unsupported, "tokenizer.ggml.pre", set("tokenizer.ggml.pre", text, raw_text("llama3")));
  refused("roberta-f32", errc::wrong_value, "tokenizer.ggml.merges",
          set("tokenizer.ggml.merges", array_type, raw(text, std::uint64_t{1}) + raw_text("a zzz")));
  refused("roberta-f32", errc::wrong_value, "tokenizer.ggml.merges",
          set("tokenizer.ggml.merges", array_type, raw(text, std::uint64_t{1}) + raw_text("ab")));
  std::vector<float> scores(479, -1.0f);
  scores[7] = std::numeric_limits<float>::quiet_NaN();
  refused("xlm-roberta-f16", errc::not_finite, "tokenizer.ggml.scores",
          set("tokenizer.ggml.scores", array_type, numbers(f32, scores)));
  scores.pop_back();
  refused("xlm-roberta-f16", errc::wrong_size, "tokenizer.ggml.scores",
          set("tokenizer.ggml.scores", array_type, numbers(f32, scores)));
  refused(
      "xlm-roberta-f16", errc::wrong_value, "tokenizer.ggml.precompiled_charsmap",
      set("tokenizer.ggml.precompiled_charsmap", array_type, numbers(u8, std::vector<unsigned char>{16, 0, 0, 0, 1})));
  refused("xlm-roberta-f16", errc::wrong_type, "tokenizer.ggml.precompiled_charsmap",
          set("tokenizer.ggml.precompiled_charsmap", array_type, numbers(i32, std::vector<std::int32_t>{1})));
  const std::string loop = dupq_test::character_map(1).step(1, 'a', 1).bytes();
  refused("xlm-roberta-f16", errc::wrong_value, "tokenizer.ggml.precompiled_charsmap",
          set("tokenizer.ggml.precompiled_charsmap", array_type,
              numbers(u8, std::vector<unsigned char>(loop.begin(), loop.end()))));
  for (const std::int32_t type : {5, 6})  // nothing is a piece; all are bytes
    refused("xlm-roberta-f16", type == 5 ? errc::wrong_value : errc::unsupported, "tokenizer.ggml.token_type",
            set("tokenizer.ggml.token_type", array_type, numbers(i32, std::vector<std::int32_t>(479, type))));
  for (const std::string name : names) {
    refused(name, errc::out_of_range, "tokenizer.ggml.bos_token_id",
            set("tokenizer.ggml.bos_token_id", 4, raw(std::uint32_t{479})));
    refused(name, errc::wrong_size, "tokenizer.ggml.token_type",
            set("tokenizer.ggml.token_type", array_type, numbers(i32, std::vector<std::int32_t>(7, 1))));
  }
}
