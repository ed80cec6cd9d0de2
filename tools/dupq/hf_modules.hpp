// modules.json, and the configurations of the modules behind the transformer: pooling, a linear layer, normalisation.
#pragma once

#include <algorithm>
#include <dupq/core/config.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// The modes that a pooling module's config.json names: in its new form a name or a list of them, in its old one a flag
/// for each. Where a file has both, the new form counts.
inline std::vector<std::string> pooling_names(const json_node& json) {
  constexpr std::pair<const char*, const char*> flags[] = {
      {"pooling_mode_cls_token", "cls"},
      {"pooling_mode_max_tokens", "max"},
      {"pooling_mode_mean_tokens", "mean"},
      {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
      {"pooling_mode_weightedmean_tokens", "weightedmean"},
      {"pooling_mode_lasttoken", "lasttoken"}};
  std::vector<std::string> names;
  bool any = false;
  for (const auto& [key, name] : flags) {
    any = any || json.get(key);
    if (json.flag_or(key, false)) names.emplace_back(name);
  }
  if (const auto named = json.get("pooling_mode")) {
    if (named->is_text()) return {named->text()};
    names.clear();
    for (const json_node& name : named->items()) names.push_back(name.text());
    if (names.empty()) named->fail("names no mode");
    return names;
  }
  if (!any) json.fail("pooling_mode: missing");
  if (names.empty()) names.emplace_back("mean");  // as sentence-transformers reads it
  return names;
}

/// cls, max and mean in this order are flags of their own, which every program can run; all else is a sequence.
inline dupq::pooling pooling_of(const std::vector<dupq::pooling_mode>& modes) {
  dupq::pooling flags, list;
  std::size_t last = 0;
  bool plain = true;
  for (std::size_t i = 0; i < modes.size(); ++i) {
    const auto number = static_cast<std::uint32_t>(modes[i]);
    plain = plain && number > last && number <= static_cast<std::uint32_t>(dupq::pooling_mode::mean);
    last = number;
    bool& flag = modes[i] == dupq::pooling_mode::cls   ? flags.cls
                 : modes[i] == dupq::pooling_mode::max ? flags.max
                                                       : flags.mean;
    flag = true;
    list.sequence |= number << (4 * i);
  }
  return plain ? flags : list;
}

/// Pooling's config.json.
inline void read_pooling(const json_node& json, dupq::config& config) {
  for (const char* key : {"embedding_dimension", "word_embedding_dimension"})
    if (const auto v = json.get(key); v && v->count() != config.hidden)
      v->fail(std::to_string(v->count()) + " contradicts config.json's hidden_size " + std::to_string(config.hidden));
  if (!json.get("embedding_dimension")) (void)json.at("word_embedding_dimension");
  std::vector<dupq::pooling_mode> modes;
  for (const std::string& name : pooling_names(json)) {
    using enum dupq::pooling_mode;
    constexpr dupq::pooling_mode all[] = {cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken};
    const auto found = std::find_if(std::begin(all), std::end(all), [&](auto m) { return dupq::name(m) == name; });
    if (found == std::end(all)) json.fail("pooling_mode: " + json::quote(name) + " is not supported");
    modes.push_back(*found);
  }
  if (modes.size() > dupq::pooling::most_modes)
    json.fail("pooling_mode: at most " + std::to_string(dupq::pooling::most_modes) + " modes are supported");
  config.pooling = pooling_of(modes);
  config.pool_prompt = json.flag_or("include_prompt", true);
  json.finish();
}

/// Normalize's config.json, which older versions do not write.
inline void check_normalize(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return;
  const json_node json = json_node::open(path);
  for (const char* key : {"module_input_name", "module_output_name"})
    if (const auto v = json.get(key); v && v->text() != "sentence_embedding")
      v->fail(json::quote(v->text()) + " is not supported");
  json.finish();
}

/// Dense's config.json.
inline void read_dense(const json_node& json, dupq::config& config) {
  if (const json_node inputs = json.at("in_features"); inputs.count() != config.pooled_dim())
    inputs.fail(std::to_string(inputs.count()) + " contradicts the pooling's " + std::to_string(config.pooled_dim()));
  // Every workspace has room for so many.
  const std::uint64_t room = std::uint64_t{8} * config.hidden - config.pooled_dim();
  config.dense_dim = json.at("out_features").count(1, static_cast<std::uint32_t>(room));
  const json_node activation = json.at("activation_function");
  const std::string& path = activation.text();
  config.dense_tanh = path == "torch.nn.modules.activation.Tanh";
  if (!config.dense_tanh && path != "torch.nn.modules.linear.Identity")
    activation.fail(json::quote(path) + " is not supported, only torch's Tanh and Identity");
  for (const char* key : {"module_input_name", "module_output_name"})
    if (const auto v = json.get(key); v && v->text() != "sentence_embedding")
      v->fail(json::quote(v->text()) + " is not supported");
  json.finish({"bias"});  // the weights show it
}

/// Reads modules.json: where the transformer, the pooling, the linear layer and the normalisation are.
class hf_modules {
 public:
  explicit hf_modules(const std::filesystem::path& root) : path_(root / "modules.json") {
    if (!std::filesystem::exists(path_)) return;
    std::size_t next = 0;
    const json_node json = json_node::open(path_);
    for (const json_node& module : json.items()) {
      const json_node type = module.at("type");
      const std::string name = type.text().substr(type.text().rfind('.') + 1);
      const json_node folder = module.at("path");
      if (!type.text().starts_with("sentence_transformers.")) type.fail(unsupported(type));
      if (name == "Dropout") continue;  // does nothing but in training
      const auto is_next = std::find(kinds + next, std::end(kinds), name);
      if (is_next == std::end(kinds) && std::find(kinds, std::end(kinds), name) == std::end(kinds))
        type.fail(unsupported(type));
      const auto place = static_cast<std::size_t>(is_next - kinds);
      if (place == std::size(kinds) || (place > 0 && !folders_[place == 1 ? 0 : 1]))
        type.fail(json::quote(type.text()) + " is out of place: Transformer, Pooling, Dense, Normalize is the order");
      next = place + 1;
      const std::filesystem::path relative = os::path_of(folder.text());
      if (relative.has_root_path() || std::find(relative.begin(), relative.end(), "..") != relative.end())
        folder.fail("must lie inside the model's folder");
      folders_[place] = root / relative;
    }
    json.finish({"idx", "name", "kwargs"});
    if (!present()) throw failure(os::name_of(path_) + ": lists no module");
    if (folders_[3]) return;
    if (!folders_[4]) folders_[4] = folders_[2];  // without Dense one is like two
    folders_[2].reset();
  }

  const std::filesystem::path& path() const noexcept { return path_; }
  bool present() const noexcept { return folders_[0].has_value(); }
  const std::filesystem::path* transformer() const noexcept { return at(0); }
  const std::filesystem::path* pooling() const noexcept { return at(1); }
  /// Of what goes into the linear layer.
  const std::filesystem::path* normalize_before() const noexcept { return at(2); }
  const std::filesystem::path* linear() const noexcept { return at(3); }
  const std::filesystem::path* normalize() const noexcept { return at(4); }

 private:
  static constexpr std::string_view kinds[] = {"Transformer", "Pooling", "Normalize", "Dense", "Normalize"};

  static std::string unsupported(const json_node& type) {
    return json::quote(type.text()) + " is not supported, only Transformer, Pooling, Dense and Normalize";
  }
  const std::filesystem::path* at(std::size_t i) const noexcept { return folders_[i] ? &*folders_[i] : nullptr; }

  std::filesystem::path path_;
  std::optional<std::filesystem::path> folders_[std::size(kinds)];
};

}  // namespace dupq_tool
