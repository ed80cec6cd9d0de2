#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <dupq/model/metadata.hpp>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "loaded_model.hpp"

using dupq::errc;
using dupq_test::gguf_builder;
using dupq_test::loaded_model;
using dupq_test::outputs;
using dupq_test::raw;
using dupq_test::raw_text;
using dupq_test::refused;
using dupq_test::tiny_model;

namespace {

/// With the pooling that llama.cpp's key names too.
gguf_builder bert() {
  gguf_builder b(tiny_model("bert-packed-f32"));
  return b.set("bert.pooling_type", std::uint32_t{1}).set("dupq.pooling", "mean");
}

}  // namespace

TEST_CASE("keys without which there is no model") {
  const std::set<std::string> needed = {"general.architecture",
                                        "bert.context_length",
                                        "bert.embedding_length",
                                        "bert.feed_forward_length",
                                        "bert.block_count",
                                        "bert.attention.head_count",
                                        "tokenizer.ggml.model",
                                        "tokenizer.ggml.tokens",
                                        "bert.attention.layer_norm_epsilon",
                                        "tokenizer.ggml.unknown_token_id",
                                        "tokenizer.ggml.seperator_token_id"};
  const std::set<std::string> together = {"dupq.tokenizer.added_ids", "dupq.tokenizer.added_flags"};
  std::size_t found = 0;
  for (const auto& key : bert().keys) {
    CAPTURE(key.name);
    const loaded_model m(bert().erase(key.name).build());
    CHECK(m.ok() == !(needed.contains(key.name) || together.contains(key.name)));
    if (m.ok()) continue;
    CHECK(m.error().code == (together.contains(key.name) ? errc::wrong_size : errc::missing_key));
    CHECK(m.error().subject == key.name);
    found += needed.contains(key.name);
  }
  CHECK(found == needed.size());
  CHECK(refused(bert().erase("tokenizer.ggml.cls_token_id").erase("tokenizer.ggml.bos_token_id").build()).code ==
        errc::missing_key);
}

TEST_CASE("every key has one type") {
  const std::set<std::string> unread = {"general.name",
                                        "general.file_type",
                                        "tokenizer.ggml.token_type",
                                        "tokenizer.ggml.bos_token_id",
                                        "tokenizer.ggml.eos_token_id",
                                        "tokenizer.ggml.mask_token_id",
                                        "dupq.digest"};
  for (const auto& key : bert().keys) {
    if (unread.contains(key.name)) continue;
    CAPTURE(key.name);
    const auto e = refused(bert().set(key.name, 12, raw(1.0)).build());  // a double, which no key is
    CHECK(e.code == errc::wrong_type);
    CHECK(e.subject == key.name);
  }
  for (const std::string name : {"tokenizer.ggml.tokens", "dupq.vocab.offsets", "dupq.tokenizer.added_ids"})
    CHECK(refused(bert().set(name, 9, raw(std::uint32_t{6}, std::uint64_t{1}, 1.0f)).build()).code == errc::wrong_type);
}

TEST_CASE("integers of any width are read, negative and huge ones refused") {
  const std::string name = "bert.block_count";
  const auto same = outputs(*loaded_model(bert().build()));
  CHECK(outputs(*loaded_model(bert().set(name, 0, raw(std::uint8_t{1})).build())) == same);
  CHECK(outputs(*loaded_model(bert().set(name, 2, raw(std::uint16_t{1})).build())) == same);
  CHECK(outputs(*loaded_model(bert().set(name, 5, raw(std::int32_t{1})).build())) == same);
  CHECK(outputs(*loaded_model(bert().set(name, 10, raw(std::uint64_t{1})).build())) == same);
  CHECK(refused(bert().set(name, 5, raw(std::int32_t{-1})).build()).code == errc::out_of_range);
  CHECK(refused(bert().set(name, 10, raw((std::uint64_t{1} << 32) + 1)).build()).code == errc::out_of_range);
}

TEST_CASE("values that contradict each other or the library") {
  struct wrong {
    std::string key;
    std::function<void(gguf_builder&)> change;
    errc code;
  };
  const auto number = [](const std::string& key, std::uint32_t v, errc code) {
    return wrong{key, [=](gguf_builder& b) { b.set(key, v); }, code};
  };
  const auto text = [](const std::string& key, const char* v, errc code) {
    return wrong{key, [=](gguf_builder& b) { b.set(key, v); }, code};
  };
  const std::string epsilon = "bert.attention.layer_norm_epsilon";
  const std::vector<wrong> all = {
      text("general.architecture", "gpt2", errc::unsupported),
      text("general.architecture", "dupq-", errc::unsupported),
      text("tokenizer.ggml.model", "gpt2", errc::unsupported),
      text("dupq.kind", "encoder", errc::wrong_value),
      text("dupq.pooling", "last", errc::wrong_value),
      text("dupq.pooling", "none", errc::wrong_value),
      text("dupq.activation", "tanh", errc::wrong_value),
      number("dupq.version", 2, errc::out_of_range),
      number("bert.block_count", 0, errc::out_of_range),
      number("bert.block_count", 257, errc::out_of_range),
      number("bert.attention.head_count", 0, errc::out_of_range),
      number("bert.attention.head_count", 3, errc::wrong_value),
      number("bert.embedding_length", 0, errc::out_of_range),
      number("bert.feed_forward_length", 0xFFFFFFFF, errc::out_of_range),
      number("bert.context_length", 0, errc::out_of_range),
      number("dupq.max_length", 17, errc::out_of_range),
      number("dupq.max_length", 2, errc::out_of_range),
      number("dupq.position_offset", 3, errc::out_of_range),
      number("dupq.relative_buckets", 32, errc::out_of_range),
      number("tokenizer.ggml.unknown_token_id", 15, errc::out_of_range),
      number("tokenizer.ggml.cls_token_id", 0xFFFFFFFF, errc::out_of_range),
      number("dupq.tokenizer.pair_separators", 3, errc::out_of_range),
      number("dupq.tokenizer.max_word_chars", 0, errc::out_of_range),
      number("dupq.tokenizer.max_word_chars", 201, errc::out_of_range),
      {"bert.feed_forward_length",
       [](gguf_builder& b) { b.set("dupq.weights", "int8").set("bert.feed_forward_length", 131587u); },
       errc::out_of_range},
      {epsilon, [&](gguf_builder& b) { b.set(epsilon, -1e-12f); }, errc::wrong_value},
      {epsilon, [&](gguf_builder& b) { b.set(epsilon, std::nanf("")); }, errc::not_finite},
      {"bert.attention.causal", [](gguf_builder& b) { b.set("bert.attention.causal", true); }, errc::unsupported},
  };
  for (const wrong& w : all) {
    CAPTURE(w.key);
    gguf_builder b = bert();
    w.change(b);
    const auto e = refused(b.build());
    CHECK(e.code == w.code);
    CHECK(e.subject == w.key);
  }
}

TEST_CASE("files of llama.cpp's writer say less") {
  gguf_builder b(tiny_model("bert-plain-f16"));
  for (const auto& key : gguf_builder(b).keys)
    if (key.name.starts_with("dupq.")) b.erase(key.name);
  CHECK(refused(b.build()).code == errc::wrong_value);  // its pooling is a combination, which has no number
  b.set("bert.pooling_type", std::uint32_t{2});
  const loaded_model m(b.build());
  CHECK(m->config().pooling == dupq::pooling{.cls = true});
  CHECK(m->config().normalize);
  CHECK(m->config().max_length == 16);
  std::vector<std::int32_t> ids(16);
  ids.resize(m->tokenizer().encode("what [SEP]", ids.size(), ids).tokens);
  CHECK(ids == std::vector<std::int32_t>{2, 5, 3, 3});  // special tokens are known by their ids
  const auto rank = refused(b.set("bert.pooling_type", std::uint32_t{4}).build());
  CHECK(rank.code == errc::unsupported);
  CHECK(std::string(rank.subject) == "bert.pooling_type");
}

TEST_CASE("llama.cpp's keys of the tokenizer") {
  gguf_builder b(tiny_model("bert-plain-f16"));
  for (const auto& key : gguf_builder(b).keys)
    if (key.name.starts_with("dupq.") || key.name == "tokenizer.ggml.token_type") b.erase(key.name);
  b.set("bert.pooling_type", std::uint32_t{2});
  const auto normal = [&] { return loaded_model(b.build())->tokenizer().options().normal; };
  CHECK((normal().lowercase && normal().strip_accents));  // as old files mean it
  b.set("tokenizer.ggml.normalizer.lowercase", false);
  CHECK((!normal().lowercase && !normal().strip_accents));
  b.set("tokenizer.ggml.normalizer.strip_accents", true);
  CHECK((!normal().lowercase && normal().strip_accents));
  b.set("tokenizer.ggml.normalizer.lowercase", true).set("tokenizer.ggml.normalizer.strip_accents", false);
  CHECK((normal().lowercase && !normal().strip_accents));

  const auto types = [&](std::int32_t what, std::uint64_t count = 15) {
    std::string payload = raw(std::uint32_t{5}, count);
    for (std::uint64_t i = 0; i < count; ++i) payload += raw(i == 5 ? what : std::int32_t{1});
    return gguf_builder(b).set("tokenizer.ggml.token_type", 9, payload).build();
  };
  const auto ids = [&](std::int32_t type) {
    const loaded_model m(types(type));
    std::vector<std::int32_t> out(16);
    out.resize(m->tokenizer().encode("[PAD]_WHAT_what[SEP]", out.size(), out).tokens);
    return out;
  };
  using list = std::vector<std::int32_t>;
  const list as_word = ids(1), special = ids(3), ordinary = ids(4);
  CHECK(as_word == ids(6));
  // A special token is found as it is spelt, within words too; another one in the normalised text.
  CHECK(std::count(special.begin(), special.end(), 5) == 2);
  CHECK(std::count(ordinary.begin(), ordinary.end(), 5) == 2);
  const auto glued = [&](std::int32_t type, std::string_view text) {
    const loaded_model m(types(type));
    list out(16);
    out.resize(m->tokenizer().encode(text, out.size(), out).tokens);
    return out;
  };
  CHECK(glued(1, "zwhat") == list{2, 1, 3});
  CHECK(glued(3, "zwhat") == list{2, 1, 5, 3});
  CHECK(glued(3, "zWHAT") == list{2, 1, 3});
  CHECK(glued(4, "zWHAT") == list{2, 1, 5, 3});
  const auto e = refused(types(1, 14));
  CHECK(e.code == errc::wrong_size);
  CHECK(std::string(e.subject) == "tokenizer.ggml.token_type");
}

TEST_CASE("the vocabulary and its index") {
  // Without an index it is made again.
  gguf_builder without = bert().erase("dupq.vocab.table").erase("dupq.vocab.offsets");
  CHECK(outputs(*loaded_model(without.build())) == outputs(*loaded_model(bert().build())));
  const std::uint32_t u32 = 4, text = 8, u64 = 10;
  const auto table = [&](std::uint64_t all, std::uint64_t count) {
    std::string payload = raw(u64, count);
    for (std::uint64_t i = 0; i < count; ++i) payload += raw(all);
    return refused(bert().set("dupq.vocab.table", 9, payload).build()).code;
  };
  CHECK(table(0, 64) == errc::bad_vocabulary);                   // finds nothing
  CHECK(table(0x0000000100000061, 64) == errc::bad_vocabulary);  // no empty slot ends a search
  CHECK(table(0xFFFFFF0100000000, 64) == errc::bad_vocabulary);  // names tokens that do not exist
  CHECK(table(0, 63) == errc::wrong_size);
  CHECK(table(0, 62) == errc::wrong_size);
  CHECK(table(0, 32) == errc::wrong_size);
  const auto offsets = [&](std::uint32_t first, std::uint64_t count) {
    std::string payload = raw(u32, count);
    for (std::uint64_t i = 0; i < count; ++i) payload += raw(first + static_cast<std::uint32_t>(i));
    return refused(bert().set("dupq.vocab.offsets", 9, payload).build()).code;
  };
  CHECK(offsets(0, 15) == errc::bad_vocabulary);
  CHECK(offsets(0xFFFFFFF0, 15) == errc::bad_vocabulary);
  CHECK(offsets(0, 14) == errc::wrong_size);
  CHECK(refused(bert().set("tokenizer.ggml.tokens", 9, raw(text, std::uint64_t{0})).build()).code == errc::missing_key);
  CHECK(refused(bert().set("tokenizer.ggml.tokens", 9, raw(text, std::uint64_t{1}) + raw_text("x")).build()).code !=
        errc::missing_key);
  const auto added = [&](std::uint32_t id, std::uint32_t flags, std::uint64_t count) {
    gguf_builder b = bert();
    b.set("dupq.tokenizer.added_tokens", 9, raw(text, std::uint64_t{1}) + raw_text("[X]"));
    b.set("dupq.tokenizer.added_ids", 9, raw(u32, std::uint64_t{1}, id));
    b.set("dupq.tokenizer.added_flags", 9, raw(u32, count) + (count == 1 ? raw(flags) : raw(flags, flags)));
    return loaded_model(b.build());
  };
  CHECK(added(14, 15, 1).ok());
  CHECK(added(15, 0, 1).error().code == errc::out_of_range);
  CHECK(added(14, 16, 1).error().code == errc::wrong_value);
  CHECK(added(14, 0, 2).error().code == errc::wrong_size);
}
