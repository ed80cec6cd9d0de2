#include <doctest/doctest.h>

#include <cstdint>
#include <dupq/model/rare_settings.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "loaded_model.hpp"

using dupq::errc;
using dupq_test::gguf_builder;
using dupq_test::loaded_model;
using dupq_test::raw;
using dupq_test::raw_text;
using dupq_test::tiny_model;

namespace {

gguf_builder bert() { return gguf_builder(tiny_model("bert-packed-f32")).set("dupq.version", std::uint32_t{2}); }

std::string strings(const std::vector<std::string>& all) {
  std::string payload = raw(std::uint32_t{8}, std::uint64_t{all.size()});
  for (const std::string& one : all) payload += raw_text(one);
  return payload;
}
gguf_builder with_prompts(const std::vector<std::string>& names, const std::vector<std::string>& texts) {
  return bert().set("dupq.prompts.names", 9, strings(names)).set("dupq.prompts.texts", 9, strings(texts));
}

loaded_model load(const gguf_builder& b) { return loaded_model(b.build(), {.settings = &dupq::all_settings}); }
void refused(const gguf_builder& b, errc code, std::string_view key) {
  const loaded_model m = load(b);
  REQUIRE(!m.ok());
  CHECK(m.error().code == code);
  CHECK(std::string_view(m.error().subject) == key);
}

}  // namespace

TEST_CASE("what a file may say") {
  const auto config = [](const gguf_builder& b) { return (*load(b)).config(); };
  CHECK(config(bert()).dim() == config(bert()).pooled_dim());
  CHECK(config(bert().set("dupq.truncate_dim", std::uint32_t{5})).dim() == 5);
  CHECK(config(bert().set("dupq.truncate_dim", std::uint32_t{5000})).dim() == config(bert()).pooled_dim());
  CHECK(config(bert().set("dupq.similarity", "manhattan")).similarity == dupq::similarity::manhattan);
  CHECK_FALSE(config(bert().set("dupq.pool_prompt", false)).pool_prompt);
  const auto modes = [&](const char* text) { return config(bert().set("dupq.pooling", text)).pooling; };
  CHECK(modes("cls+mean") == dupq::pooling{.cls = true, .mean = true});
  CHECK(modes("mean+cls") == dupq::pooling{.sequence = 0x13});
  CHECK(modes("weightedmean") == dupq::pooling{.sequence = 0x5});
  CHECK(modes("mean+mean+mean+mean+mean+mean+mean+lasttoken").modes() == 8);
}

TEST_CASE("what it may not") {
  refused(bert().set("dupq.version", std::uint32_t{3}), errc::out_of_range, "dupq.version");
  refused(bert().set("dupq.similarity", "jaccard"), errc::wrong_value, "dupq.similarity");
  for (const char* modes : {"median", "", "mean+", "+mean", "mean+mean+mean+mean+mean+mean+mean+mean+mean", "none"})
    refused(bert().set("dupq.pooling", modes), errc::wrong_value, "dupq.pooling");
  refused(bert().set("dupq.truncate_dim", "5"), errc::wrong_type, "dupq.truncate_dim");
  refused(bert().set("dupq.head_activation", "silu"), errc::wrong_value, "dupq.head_activation");
  refused(bert().set("dupq.dense.outputs", "5"), errc::wrong_type, "dupq.dense.outputs");
  refused(bert().set("dupq.dense.outputs", std::uint32_t{70000000}), errc::out_of_range, "dupq.dense.outputs");
  refused(bert().set("dupq.dense.activation", "relu"), errc::wrong_value, "dupq.dense.activation");
  refused(bert().set("dupq.dense.outputs", std::uint32_t{5}), errc::missing_tensor, "dense.weight");
  refused(with_prompts({"a", "b"}, {"x"}), errc::wrong_size, "dupq.prompts.texts");
  refused(with_prompts({"a"}, {std::string(5000, 'x')}), errc::out_of_range, "dupq.prompts.texts");
  for (const char* broken : {"\xFF", "x\xC3", "\xED\xA0\x80"})
    refused(with_prompts({"a"}, {broken}), errc::wrong_value, "dupq.prompts.texts");
  refused(with_prompts({"a"}, {"x"}).set("dupq.prompt", "b"), errc::wrong_value, "dupq.prompt");
  refused(bert().set("dupq.prompt", "b"), errc::wrong_value, "dupq.prompt");
  refused(bert().set("dupq.prompts.names", 9, raw(std::uint32_t{4}, std::uint64_t{0})), errc::wrong_type,
          "dupq.prompts.names");
}

TEST_CASE("prompts are there by name") {
  const loaded_model m = load(with_prompts({"a", "b"}, {"x ", "\xEF\xBF\xBD"}).set("dupq.prompt", "b"));
  const auto list = dupq::prompt_list::read((*m).file());
  REQUIRE(list);
  CHECK(list->size() == 2);
  CHECK(list->used() == "b");
  CHECK(list->find("a") == "x ");
  CHECK_FALSE(list->find("c"));
}
