// The tiny models of this folder, converted and opened.
#pragma once

#include <convert.hpp>
#include <cstdlib>
#include <dupq/dupq.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "support/fixtures.hpp"
#include "unit/temporary_folder.hpp"

namespace golden {

inline const std::string folder = DUPQ_TEST_DIR;

inline std::string expected(const std::string& name) { return folder + "/expected/" + name; }

/// Converts a model of this folder, or of settings/: then it is one of these with other settings ("bert-order"). The
/// file is removed in the end.
class converted {
 public:
  explicit converted(const std::string& name, dupq_tool::convert_options options = {}) {
    path_ = directory_.file(name + ".gguf");
    std::filesystem::path from = folder + "/" + name;
    if (const std::filesystem::path settings = folder + "/settings/" + name; std::filesystem::exists(settings)) {
      using std::filesystem::copy_options;
      from = directory_.path() / "source";
      std::filesystem::copy(folder + "/" + name.substr(0, name.find('-')), from, copy_options::recursive);
      std::filesystem::copy(settings, from, copy_options::recursive | copy_options::overwrite_existing);
    }
    dupq_tool::convert(from.string(), path_, options);
  }
  converted(const converted&) = delete;
  converted& operator=(const converted&) = delete;

  const char* path() const { return path_.c_str(); }

  dupq::model open(std::string_view kernels = {}) const { return open({.kernels = kernels}); }
  dupq::model open(const dupq::model_options& options) const {
    auto m = dupq::model::open(path(), options);
    if (!m) {
      dupq::print_error(m.error());
      REQUIRE(false);
    }
    return std::move(*m);
  }

 private:
  temporary_folder directory_;
  std::string path_;
};

inline std::vector<std::string> texts() { return fixtures::read_texts(folder + "/texts.txt"); }

/// The pairs of this folder: first texts, second texts.
struct pair_list {
  std::vector<std::string> a, b;
};
inline pair_list pairs() {
  pair_list p;
  const auto all = fixtures::read_texts(folder + "/pairs.txt");
  REQUIRE(all.size() % 2 == 0);
  for (std::size_t i = 0; i < all.size(); ++i) (i % 2 == 0 ? p.a : p.b).push_back(all[i]);
  return p;
}

template <class Device = dupq::cpu>
std::vector<float> vectors(const dupq::model& m, const std::vector<std::string>& of,
                           const dupq::encoder_options& options = {}) {
  auto encoder = dupq::basic_bi_encoder<Device>::make(m, options);
  REQUIRE(encoder);
  std::vector<float> out(of.size() * m.dim());
  REQUIRE(encoder->encode(of, out));
  return out;
}

template <class Device = dupq::cpu>
std::vector<float> logits(const dupq::model& m, const pair_list& of, const dupq::encoder_options& options = {}) {
  auto encoder = dupq::basic_cross_encoder<Device>::make(m, options);
  REQUIRE(encoder);
  std::vector<float> out(of.a.size());
  REQUIRE(encoder->logits(of.a, of.b, out));
  return out;
}

}  // namespace golden
