// The one file that includes dupq.
#include "similarity.hpp"

#include <dupq/dupq.hpp>
#include <stdexcept>
#include <utility>
#include <variant>

namespace {

/// A dupq::result's value, or an exception: the library throws none, a program may prefer them.
template <class T>
T value_of(dupq::result<T> r) {
  if (r) return std::move(*r);
  char line[320];
  r.error().format(line, sizeof line);
  throw std::runtime_error(line);
}

}  // namespace

struct similarity::implementation {
  using either = std::variant<dupq::bi_encoder, dupq::cross_encoder>;

  explicit implementation(const char* path)
      : model(value_of(dupq::model::open(path))),
        encoder(model.config().kind == dupq::model_kind::bi_encoder
                    ? either(value_of(dupq::bi_encoder::make(model)))
                    : either(value_of(dupq::cross_encoder::make(model)))) {}

  dupq::model model;  // must outlive the encoder, which refers to it
  either encoder;
};

similarity::similarity(const std::string& model_path) : own_(new implementation(model_path.c_str())) {}
similarity::~similarity() = default;

float similarity::operator()(std::string_view a, std::string_view b) {
  return std::visit([&](auto& encoder) { return value_of(encoder.score(a, b)); }, own_->encoder);
}
