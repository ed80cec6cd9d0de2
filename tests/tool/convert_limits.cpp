// What convert writes, the library opens: models at the edge of what is possible, and refusals just beyond it.
#include <doctest/doctest.h>

#include <dupq/bi_encoder.hpp>
#include <dupq/core/model_limits.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "tool/checkpoint.hpp"
#include "tool/model_folder.hpp"

using namespace dupq_tool;
namespace most = dupq::model_limits;

namespace {

constexpr convert_options as_f32{}, as_f16{weight_type::f16, tensor_layout::packed},
    as_int8{weight_type::int8, tensor_layout::packed}, plain{weight_type::f32, tensor_layout::plain};

/// Converts, opens and runs; what goes wrong on the way, without the folder's path.
std::string trouble(const model_folder& folder, const convert_options& options) {
  try {
    (void)folder.convert(options);
  } catch (const failure& e) {
    CHECK_FALSE(std::filesystem::exists(folder.output()));
    const std::string said = e.what(), prefix = folder.path("").string();
    return said.starts_with(prefix) ? said.substr(prefix.size()) : said;
  }
  const auto model = dupq::model::open(folder.output());
  REQUIRE(model);
  auto encoder = dupq::bi_encoder::make(*model);
  REQUIRE(encoder);
  const std::vector<std::string> texts{"what is C++?"};
  std::vector<float> vectors(model->dim());
  CHECK(encoder->encode(texts, vectors));
  float squares = 0;
  for (const float v : vectors) squares += v * v;
  CHECK(squares == doctest::Approx(1.0f));
  std::filesystem::remove(folder.output());
  return "";
}

}  // namespace

TEST_CASE("a hidden size of 1") {
  const model_folder folder("bert");
  reshape(folder, {.hidden = 1, .heads = 1});
  for (const convert_options& options : {as_f32, as_f16, as_int8, plain}) CHECK(trouble(folder, options) == "");
}

TEST_CASE("as many layers as there may be, and one more") {
  const model_folder folder("bert");
  reshape(folder, {.hidden = 2, .heads = 1, .inner = 2, .layers = most::layers});  // 6,157 tensors as int8
  for (const convert_options& options : {as_f32, as_int8, plain}) CHECK(trouble(folder, options) == "");
  folder.edit("config.json", "\"num_hidden_layers\": 256", "\"num_hidden_layers\": 257");
  CHECK(trouble(folder, as_f32) == "config.json: num_hidden_layers: must be from 1 to 256, found 257");
}

TEST_CASE("inputs of an integer matrix") {
  const model_folder folder("bert");
  reshape(folder, {.hidden = 1, .heads = 1, .inner = most::integer_inputs + 1, .layers = 1});
  CHECK(trouble(folder, as_int8) == "config.json: intermediate_size: 131587 is too large for int8, at most 131586");
  CHECK(trouble(folder, as_f32) == "");
}

TEST_CASE("characters of a word") {
  const model_folder folder("bert");
  folder.edit("tokenizer_config.json", "BertTokenizer", "PreTrainedTokenizerFast");
  folder.edit("tokenizer.json", "\"max_input_chars_per_word\": 100", "\"max_input_chars_per_word\": 200");
  CHECK(trouble(folder, as_f32) == "");
  folder.edit("tokenizer.json", "\"max_input_chars_per_word\": 200", "\"max_input_chars_per_word\": 201");
  CHECK(trouble(folder, as_f32) == "tokenizer.json: model.max_input_chars_per_word: must be from 1 to 200, found 201");
}

TEST_CASE("added tokens") {
  const auto with = [](std::size_t more) {
    const model_folder folder("bert");
    std::string list;
    for (std::size_t i = 0; i < more; ++i)
      list += "{\"id\": " + std::to_string(479 + i) + ", \"content\": \"<" + std::to_string(i) + ">\"},";
    folder.edit("tokenizer.json", "\"added_tokens\": [", "\"added_tokens\": [" + list);
    reshape(folder, {.vocabulary = 479 + more});
    return trouble(folder, as_f32);
  };
  const std::size_t own = 5;  // those of the golden folder
  CHECK(with(most::added_tokens - own) == "");
  CHECK(with(most::added_tokens - own + 1) == "tokenizer.json: added_tokens: 4097 of them, at most 4096 are supported");
}

TEST_CASE("the shortest texts") {
  const model_folder folder("bert");
  folder.edit("sentence_bert_config.json", "24", "3");
  for (const convert_options& options : {as_f32, as_int8, plain}) CHECK(trouble(folder, options) == "");
}

TEST_CASE("a file that the library would not open is no file") {
  const model_folder folder("bert");
  const std::string out = (folder.output()).string();
  for (const char* path : {out.c_str(), "/dev/null"}) {
    model_output file(path);
    const std::string bytes = "GGUF, or something else after all";
    file.write(std::as_bytes(std::span(bytes)));
    CHECK_THROWS_WITH_AS(file.commit(), doctest::Contains("unsupported GGUF version"), failure);
  }
  CHECK_FALSE(std::filesystem::exists(out));
}
