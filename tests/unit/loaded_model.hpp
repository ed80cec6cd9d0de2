// Models from bytes, in buffers of exactly the size that the library asks for.
#pragma once

#include <doctest/doctest.h>

#include <dupq/bi_encoder.hpp>
#include <dupq/cross_encoder.hpp>
#include <string>
#include <vector>

#include "gguf_builder.hpp"

namespace dupq_test {

/// A model and what it refers to.
class loaded_model {
 public:
  explicit loaded_model(const std::string& file, const dupq::model_options& options = {})
      : file_(file),
        storage_(storage_bytes(options)),
        loaded_(dupq::model::load(file_.span(), storage_.span(), options)) {}

  bool ok() const { return loaded_.has_value(); }
  const dupq::error& error() const {
    REQUIRE(!ok());
    return loaded_.error();
  }
  const dupq::model& operator*() const {
    if (!ok()) {
      char line[320];
      loaded_.error().format(line, sizeof line);
      REQUIRE_MESSAGE(false, line);
    }
    return *loaded_;
  }
  const dupq::model* operator->() const { return &**this; }

 private:
  std::size_t storage_bytes(const dupq::model_options& options) const {
    const auto needed = dupq::model::storage_bytes(file_.span(), options);
    return needed ? *needed : 0;
  }

  aligned_bytes file_, storage_;
  dupq::result<dupq::model> loaded_;
};

/// The error of a file that must not load.
inline dupq::error refused(const std::string& file) { return loaded_model(file).error(); }

/// A few vectors, or scores, that show whether two models are the same.
inline std::vector<float> outputs(const dupq::model& m, const dupq::encoder_options& options = {}) {
  const std::vector<std::string> a{"what is C++?", "", "hello hello hello what is a c hello"}, b{"is", "hello", "a"};
  std::vector<float> out(m.config().kind == dupq::model_kind::bi_encoder ? a.size() * m.dim() : a.size());
  if (m.config().kind == dupq::model_kind::bi_encoder) {
    auto encoder = dupq::bi_encoder::make(m, options);
    REQUIRE(encoder);
    REQUIRE(encoder->encode(a, out));
  } else {
    auto encoder = dupq::cross_encoder::make(m, options);
    REQUIRE(encoder);
    REQUIRE(encoder->score(a, b, out));
  }
  return out;
}

}  // namespace dupq_test
