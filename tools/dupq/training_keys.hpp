// What a model file says of the training that it comes from: `dupq train` writes it, `dupq info` and `export` tell it.
#pragma once

#include <cmath>
#include <cstdint>
#include <dupq/core/gguf.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "key_changes.hpp"

namespace dupq_tool {

/// The same for every number of threads and every kernel table, and whether or not the training was interrupted.
struct training_record {
  std::string base;           ///< the file or the folder that was trained, without the way to it
  std::string loss;           ///< as `--loss` names it; "..., as in the notebook"
  float epochs = 0;           ///< how often all pairs were learnt from, up to the weights of this file
  std::uint64_t steps = 0;    ///< up to the weights of this file
  std::uint64_t seed = 0;     ///< of the order, dropout and a new head
  std::optional<float> f1{};  ///< on the validation pairs, at the threshold that they chose

  /// As keys of a file: those of another training go.
  std::vector<key_change> keys() const {
    std::vector<key_change> all{{base_key, base},   {loss_key, loss}, {epochs_key, epochs},
                                {steps_key, steps}, {seed_key, seed}, {f1_key}};
    if (f1) all.back().value = *f1;
    return all;
  }

  /// What a file has; nothing where it was not made by a training. A key of another type is a failure.
  static std::optional<training_record> read(const dupq::gguf::file& file, const std::string& path) {
    using dupq::gguf::value_type;
    const auto find = [&](const char* key, value_type type) {
      const auto v = file.find(key);
      if (v && v->type != type) throw failure(path + ": " + key + ": wrong type");
      return v;
    };
    const auto text = [&](const char* key) {
      const auto v = find(key, value_type::string);
      return v ? std::string(v->text()) : std::string();
    };
    const auto number = [&](const char* key) {
      const auto v = find(key, value_type::u64);
      return v ? dupq::gguf::load<std::uint64_t>(v->bytes.data()) : 0;
    };
    const auto real = [&](const char* key) -> std::optional<float> {
      const auto v = find(key, value_type::f32);
      if (!v) return {};
      const auto x = dupq::gguf::load<float>(v->bytes.data());
      if (!std::isfinite(x)) throw failure(path + ": " + key + ": no finite number");
      return x;
    };
    const training_record all{text(base_key),    text(loss_key),   real(epochs_key).value_or(0),
                              number(steps_key), number(seed_key), real(f1_key)};
    if (all.loss.empty()) return {};
    return all;
  }

 private:
  static constexpr const char *base_key = "dupq.training.base", *loss_key = "dupq.training.loss",
                              *epochs_key = "dupq.training.epochs", *steps_key = "dupq.training.steps",
                              *seed_key = "dupq.training.seed", *f1_key = "dupq.training.f1";
};

}  // namespace dupq_tool
