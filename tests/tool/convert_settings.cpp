// Settings of sentence-transformers' files: obeyed, in their order of precedence, or refused by file and key.
#include <doctest/doctest.h>

#include <dupq/core/config.hpp>
#include <string>

#include "tool/model_folder.hpp"

using namespace dupq_tool;

namespace {

const std::string unknown = ": this setting is not supported; remove it if it changes nothing";

/// A golden folder with one more file, as it is read, or what is said about it.
struct with_file {
  model_folder folder;
  const char* name;

  with_file(const char* golden, const char* file, const char* text) : folder(golden), name(file) {
    folder.write(file, text);
  }
  hf_folder read() const { return read_hf_folder(folder.path("").string()); }
  dupq::config config() const { return read().config; }
  /// Without the name of the file.
  std::string trouble() const {
    const std::string all = folder.trouble(), prefix = std::string(name) + ": ";
    return all.starts_with(prefix) ? all.substr(prefix.size()) : all;
  }
};

with_file sentence(const char* text) { return {"bert", "sentence_bert_config.json", text}; }
with_file whole(const char* text) { return {"bert", "config_sentence_transformers.json", text}; }
with_file pooled(const char* text) { return {"bert", "1_Pooling/config.json", text}; }
/// A cross-encoder as sentence-transformers 6 saves it.
struct cross : with_file {
  explicit cross(const char* text) : with_file("cross", "config_sentence_transformers.json", text) {
    folder.write("modules.json", R"([{"idx": 0, "name": "0", "path": "",
        "type": "sentence_transformers.base.modules.transformer.Transformer"}])");
  }
};

}  // namespace

TEST_CASE("how many tokens a text may have: the call of the tokenizer, its making, max_seq_length, its own limit") {
  CHECK(sentence(R"({"max_seq_length": 30})").config().max_length == 30);
  CHECK(sentence(R"({"max_seq_length": 30, "tokenizer_args": {"model_max_length": 18}})").config().max_length == 18);
  CHECK(sentence(R"({"max_seq_length": 30, "processor_kwargs": {"model_max_length": 40}})").config().max_length == 40);
  CHECK(sentence(R"({"processor_kwargs": {"model_max_length": 18}, "processing_kwargs": {"text": {"max_length": 20}}})")
            .config()
            .max_length == 20);
  CHECK(
      sentence(R"({"processing_kwargs": {"common": {"max_length": 22}, "text": {"max_length": 20, "padding": true}}})")
          .config()
          .max_length == 22);
  CHECK(sentence(R"({"max_seq_length": null})").config().max_length == 40);
  CHECK(sentence(R"({"processing_kwargs": {"text": {"max_length": 41}}})").trouble() ==
        "processing_kwargs.text.max_length: must be from 3 to 40, found 41");
  CHECK(sentence(R"({"processing_kwargs": {"text": {"stride": 4}}})").trouble() ==
        "processing_kwargs.text.stride" + unknown);
  CHECK(sentence(R"({"processing_kwargs": {"text": {"truncation": false}}})").trouble() ==
        "processing_kwargs.text.truncation: only \"longest_first\" is supported");
  CHECK(sentence(R"({"processing_kwargs": {"text": {"add_special_tokens": false}}})").trouble() ==
        "processing_kwargs.text.add_special_tokens: false is not supported");
}

TEST_CASE("sentence_bert_config.json changes config.json and tokenizer_config.json") {
  CHECK(sentence(R"({"config_args": {"layer_norm_eps": 0.01}})").config().norm_epsilon == 0.01f);
  CHECK(sentence(R"({"config_kwargs": {"layer_norm_eps": 0.01, "trust_remote_code": true}})").config().norm_epsilon ==
        0.01f);
  CHECK(sentence(R"({"config_args": {"hidden_act": "silu"}})").trouble() ==
        "config.json with sentence_bert_config.json: config_args: hidden_act: \"silu\" is not supported, only gelu, "
        "gelu_new, gelu_pytorch_tanh, gelu_fast and relu");
  CHECK(sentence(R"({"config_args": {"temperature_scale": 2}})").trouble() ==
        "config.json with sentence_bert_config.json: config_args: temperature_scale" + unknown);
  CHECK(sentence(R"({"config_args": {}, "config_kwargs": {}})").trouble() ==
        "config_kwargs: is there twice, also as config_args");
  CHECK_FALSE(hf_tokenizer_reader::read(sentence(R"({"tokenizer_args": {"do_lower_case": false}})").read()).lowercase);
  CHECK(sentence(R"({"tokenizer_args": {"truncation_side": "left"}})").trouble() ==
        "tokenizer_config.json with sentence_bert_config.json: tokenizer_args: truncation_side: only \"right\" is "
        "supported");
  CHECK(sentence(R"({"model_args": {"torch_dtype": "float16", "add_pooling_layer": false}})").trouble() == "");
  CHECK(sentence(R"({"model_kwargs": {"hidden_dropout_prob": 0.5}})").trouble() ==
        "model_kwargs.hidden_dropout_prob" + unknown);
}

TEST_CASE("sentence_bert_config.json's other settings and names") {
  CHECK(sentence(R"({"query_length": 32})").trouble() == "query_length" + unknown);
  CHECK(sentence(R"({"unpad_inputs": true, "do_lower_case": false, "query_length": null})").trouble() == "");
  CHECK(sentence(R"({"transformer_task": "feature-extraction", "module_output_name": "token_embeddings",
      "modality_config": {"text": {"method": "forward", "method_output_name": ["last_hidden_state"]}}})")
            .trouble() == "");
  CHECK(sentence(R"({"modality_config": {"text": {"method_output_name": ["hidden_states", -2]}}})").trouble() ==
        "modality_config.text.method_output_name: only the last layer is supported");
  CHECK(sentence(R"({"modality_config": {"message": {"method": "forward"}}})").trouble() ==
        "modality_config.message: only texts are supported");
  CHECK(sentence(R"({"module_output_name": "scores"})").trouble() ==
        "module_output_name: \"scores\" contradicts config.json, \"token_embeddings\" is expected");
  // The first name that says anything counts.
  const with_file older("bert", "sentence_roberta_config.json", R"({"max_seq_length": 17})");
  CHECK(older.config().max_length == 24);
  older.folder.write("sentence_bert_config.json", "{}");
  CHECK(older.config().max_length == 17);
  older.folder.remove("sentence_bert_config.json");
  CHECK(older.config().max_length == 17);
  older.folder.remove("modules.json");
  older.folder.remove("1_Pooling");
  CHECK(older.folder.trouble() == "modules.json: no such file, though there is sentence_roberta_config.json");
}

TEST_CASE("config_sentence_transformers.json of bi-encoders") {
  const auto all = whole(R"({"__version__": {"pytorch": "2"}, "model_type": "SentenceTransformer", "prompts":
      {"query": "q: ", "document": "", "old": null}, "default_prompt_name": "query", "similarity_fn_name": "dot",
      "truncate_dim": 20})")
                       .read();
  CHECK(all.config.similarity == dupq::similarity::dot);
  CHECK(all.config.truncate_dim == 20);
  CHECK(all.config.dim() == 20);
  CHECK(all.config.pooled_dim() == 32);
  REQUIRE(all.prompts.all.size() == 3);
  CHECK(all.prompts.all[0].second == "q: ");
  CHECK(all.prompts.used == "query");
  CHECK(whole(R"({"truncate_dim": 64})").config().dim() == 32);
  CHECK(whole(R"({"default_prompt_name": "query"})").read().prompts.used.empty());
  CHECK(whole(R"({"prompts": {"document": ""}, "default_prompt_name": "document"})").trouble() == "");
  CHECK(whole(R"({"default_prompt_name": "ask"})").trouble() == "default_prompt_name: \"ask\" is none of the prompts");
  CHECK(whole(R"({"truncate_dim": 0})").trouble() == "truncate_dim: must be from 1 to 2147483647, found 0");
  CHECK(whole(R"({"similarity_fn_name": "maxsim"})").trouble() ==
        "similarity_fn_name: \"maxsim\" is not supported, only cosine, dot, euclidean and manhattan");
  CHECK(whole(R"({"similarity_fn_name": null})").trouble() == "");
  CHECK(whole(R"({"model_type": "CrossEncoder"})").trouble() ==
        "model_type: \"CrossEncoder\" contradicts config.json, \"SentenceTransformer\" is expected");
  CHECK(whole(R"({"activation_fn": "torch.nn.modules.linear.Identity"})").trouble() == "activation_fn" + unknown);
}

TEST_CASE("the activation of a cross-encoder: config_sentence_transformers.json is asked first") {
  using enum dupq::score_activation;
  CHECK(cross(R"({"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.linear.Identity"})")
            .config()
            .activation == identity);
  CHECK(cross(R"({"model_type": "CrossEncoder", "activation_fn": "torch.nn.Identity"})").config().activation ==
        identity);
  CHECK(cross(R"({"model_type": "CrossEncoder", "activation_fn": null, "keep_in_fp32_modules": ["classifier"]})")
            .config()
            .activation == sigmoid);
  CHECK(
      cross(R"({"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.activation.LogSigmoid"})").trouble() ==
      "activation_fn: \"torch.nn.modules.activation.LogSigmoid\" is not supported, only torch's Sigmoid and Identity");
  CHECK(cross(R"({"activation_fn": "torch.nn.modules.linear.Identity"})").trouble() ==
        "model_type: \"SentenceTransformer\" contradicts config.json, \"CrossEncoder\" is expected");
  CHECK(cross(R"({"model_type": "CrossEncoder", "truncate_dim": 3})").trouble() == "truncate_dim" + unknown);
  // A name that does not count need not be known.
  const cross stale(R"({"model_type": "CrossEncoder", "activation_fn": "torch.nn.Sigmoid"})");
  stale.folder.edit("config.json", "torch.nn.modules.activation.Sigmoid", "my.Activation");
  CHECK(stale.config().activation == sigmoid);
}

TEST_CASE("pooling modes in both forms and any order") {
  const auto mode = [](const char* text) { return pooled(text).config().pooling; };
  using dupq::pooling;
  CHECK(mode(R"({"embedding_dimension": 32, "pooling_mode": ["cls", "mean"]})") == pooling{.cls = true, .mean = true});
  CHECK(mode(R"({"embedding_dimension": 32, "pooling_mode": ["mean", "cls"]})") == pooling{.sequence = 0x13});
  CHECK(mode(R"({"word_embedding_dimension": 32, "pooling_mode": "lasttoken", "pooling_mode_cls_token": true})") ==
        pooling{.sequence = 0x6});
  CHECK(mode(R"({"word_embedding_dimension": 32, "pooling_mode_weightedmean_tokens": true,
      "pooling_mode_mean_sqrt_len_tokens": true, "pooling_mode_max_tokens": true})") == pooling{.sequence = 0x542});
  CHECK(mode(R"({"word_embedding_dimension": 32, "pooling_mode_cls_token": false})") == pooling{.mean = true});
  CHECK(pooling{.sequence = 0x542}.modes() == 3);
}
