// What verbs need of an encoder: one interface for both kinds of model, on the CPU and on a GPU.
#pragma once

#include <cstdint>
#include <dupq/cascade.hpp>
#include <dupq/core/error.hpp>
#include <dupq/core/executor.hpp>
#include <dupq/core/texts.hpp>
#include <dupq/encoder.hpp>
#include <dupq/model.hpp>
#include <dupq/static_encoder.hpp>
#include <memory>
#include <span>
#include <utility>

namespace dupq_tool {

class text_encoder {
 public:
  virtual ~text_encoder() = default;
  virtual dupq::result<void> score(dupq::texts first, dupq::texts second, std::span<float> scores) = 0;
  /// Only bi-encoders have vectors; wrong_kind from others.
  virtual dupq::result<void> encode(dupq::texts list, std::span<float> vectors) = 0;
  virtual std::uint64_t truncated() const = 0;
  /// Of a cascade: pairs that its cross-encoder saw, and pairs that it cut.
  virtual std::uint64_t judged() const { return 0; }
  virtual std::uint64_t cut_pairs() const { return 0; }
};

/// One of the library's encoders, seen as a text_encoder.
template <class Encoder>
class encoder_of final : public text_encoder {
 public:
  explicit encoder_of(Encoder&& e) : encoder_(std::move(e)) {}

  dupq::result<void> score(dupq::texts first, dupq::texts second, std::span<float> scores) override {
    return encoder_.score(first, second, scores);
  }
  dupq::result<void> encode(dupq::texts list, std::span<float> vectors) override {
    if constexpr (requires { encoder_.encode(list, vectors); })
      return encoder_.encode(list, vectors);
    else
      return dupq::error(dupq::errc::wrong_kind, "a bi_encoder is needed, not a cross_encoder");
  }
  std::uint64_t truncated() const override { return encoder_.truncated(); }

 private:
  Encoder encoder_;
};

/// A cascade, seen as a text_encoder.
template <class Cascade>
class cascade_of final : public text_encoder {
 public:
  explicit cascade_of(Cascade&& c) : cascade_(std::move(c)) {}

  dupq::result<void> score(dupq::texts first, dupq::texts second, std::span<float> scores) override {
    return cascade_.score(first, second, scores);
  }
  dupq::result<void> encode(dupq::texts, std::span<float>) override {
    return dupq::error(dupq::errc::wrong_kind, "a bi_encoder is needed, not a cascade");
  }
  std::uint64_t truncated() const override { return cascade_.bi().truncated(); }
  std::uint64_t judged() const override { return cascade_.judged(); }
  std::uint64_t cut_pairs() const override { return cascade_.cross().truncated(); }

 private:
  Cascade cascade_;
};

template <class Bi, class Cross>
dupq::result<std::unique_ptr<text_encoder>> make_cascade(const dupq::model& bi, const dupq::model& cross,
                                                         const dupq::cascade_options& options) {
  using cascade = dupq::basic_cascade<Bi, Cross>;
  auto made = cascade::make(bi, cross, options);
  if (!made) return made.error();
  return std::unique_ptr<text_encoder>(std::make_unique<cascade_of<cascade>>(std::move(*made)));
}

/// The encoder of a model's kind: a Bi or a Cross.
template <class Bi, class Cross>
dupq::result<std::unique_ptr<text_encoder>> make_encoder(const dupq::model& m, const dupq::encoder_options& options) {
  using made = std::unique_ptr<text_encoder>;
  const auto as_text_encoder = [](auto encoder) -> dupq::result<made> {
    if (!encoder) return encoder.error();
    return made(std::make_unique<encoder_of<std::remove_reference_t<decltype(*encoder)>>>(std::move(*encoder)));
  };
  if (m.config().kind == dupq::model_kind::cross_encoder) return as_text_encoder(Cross::make(m, options));
  if (m.config().kind == dupq::model_kind::static_encoder)
    return as_text_encoder(dupq::static_encoder::make(m, options));
  return as_text_encoder(Bi::make(m, options));
}

/// On the current GPU. Only where the tool is built with CUDA: it is compiled by nvcc, in cuda_encoder.cu.
dupq::result<std::unique_ptr<text_encoder>> make_cuda_encoder(const dupq::model& m,
                                                              const dupq::encoder_options& options);
dupq::result<std::unique_ptr<text_encoder>> make_cuda_cascade(const dupq::model& bi, const dupq::model& cross,
                                                              const dupq::cascade_options& options);

}  // namespace dupq_tool
