// Models of families that become BERT or MPNet when they are converted (families/), with their tokenizers.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "models.hpp"

namespace golden {

namespace fs = std::filesystem;

/// A folder of families/ with a tokenizer, which a test may change, and its conversions.
class family {
 public:
  explicit family(const std::string& name) : name_(name), folder_(directory_.path() / name) {
    const auto has = [&](const char* part) { return name.find(part) != name.npos; };
    const std::string words = has("mpnet")      ? "/mpnet/"
                              : has("-bpe")     ? "/subwords/bpe/"
                              : has("-unigram") ? "/subwords/unigram/"
                                                : "/bert/";
    fs::copy(folder + "/families/" + name, folder_, fs::copy_options::recursive);
    fs::copy(folder + words + "tokenizer.json", folder_ / "tokenizer.json");
  }
  std::string file(const std::string& file) const { return (folder_ / file).string(); }
  bool has_own_words() const { return name_.find("-bpe") != name_.npos || name_.find("-unigram") != name_.npos; }
  std::string prompt() const { return name_ == "bert-unigram" ? "query: " : ""; }
  std::string made(const std::string& file) const { return folder + "/families/" + name_ + "/" + file; }

  void edit(const std::string& name, const std::string& from, const std::string& to) const {
    std::ifstream in(file(name));
    std::string text = (std::stringstream() << in.rdbuf()).str();
    const std::size_t at = text.find(from);
    REQUIRE_MESSAGE(at != text.npos, name << ": " << from);
    std::ofstream(file(name)) << text.replace(at, from.size(), to);
  }
  /// Puts another post_processor into tokenizer.json, where `decoder` follows it.
  void process(const std::string& json) const {
    std::ifstream in(file("tokenizer.json"));
    std::string text = (std::stringstream() << in.rdbuf()).str();
    const std::size_t at = text.find("\"post_processor\""), end = text.find("\"decoder\"");
    REQUIRE((at != text.npos && end != text.npos && at < end));
    std::ofstream(file("tokenizer.json")) << text.replace(at, end - at, "\"post_processor\": " + json + ", ");
  }
  dupq_tool::convert_summary convert(const dupq_tool::convert_options& options = {}) const {
    return dupq_tool::convert(folder_.string(), model_path(), options);
  }
  dupq::model open(const dupq_tool::convert_options& options = {}, std::string_view kernels = {}) const {
    convert(options);
    auto m = dupq::model::open(model_path(), {.kernels = kernels});
    if (!m) dupq::print_error(m.error());
    REQUIRE(m);
    return std::move(*m);
  }
  std::string trouble(const dupq_tool::convert_options& options = {}) const {
    try {
      convert(options);
    } catch (const dupq_tool::failure& e) {
      const std::string what = e.what();
      return what.substr(what.find(": ") + 2);
    }
    return "";
  }

 private:
  std::string model_path() const { return directory_.file("model.gguf"); }

  temporary_folder directory_;
  std::string name_;
  fs::path folder_;
};

}  // namespace golden
