// Compares a device to train on with the reference, operation by operation, at sizes around those of vectors and
// panels. What it finds is a list, so that a test can plant a mistake and see that it is found.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/training/reference.hpp>
#include <string>
#include <vector>

/// Floats with room for a panel behind them, which may be read, and whose bytes must stay.
class guarded_floats {
 public:
  explicit guarded_floats(std::size_t n, float value = untouched) : all_(n + dupq::panel_width, behind), size_(n) {
    std::fill_n(all_.begin(), n, value);
  }
  float* data() { return all_.data(); }
  const float* data() const { return all_.data(); }
  std::size_t size() const { return size_; }
  float& operator[](std::size_t i) { return all_[i]; }
  float operator[](std::size_t i) const { return all_[i]; }
  bool guarded() const {
    return std::all_of(all_.begin() + static_cast<std::ptrdiff_t>(size_), all_.end(),
                       [](float x) { return x == behind; });
  }
  dupq::matrix<float> rows(std::size_t columns) { return {data(), columns == 0 ? 0 : size_ / columns, columns}; }
  dupq::matrix<const float> rows(std::size_t columns) const {
    return {data(), columns == 0 ? 0 : size_ / columns, columns};
  }

  static constexpr float untouched = 77.0f;

 private:
  static constexpr float behind = 3.25f;
  std::vector<float> all_;
  std::size_t size_;
};

template <dupq::trainable_device Judged>
class training_comparison {
 public:
  explicit training_comparison(const Judged& judged) : judged_(judged) {}

  /// The operations whose results are not near the reference's, each once; and where first. `few`: at a few sizes.
  std::vector<std::string> complaints(bool few) {
    using sizes = std::vector<std::size_t>;
    for (const std::size_t rows : few ? sizes{7} : sizes{1, 2, 7})
      for (const std::size_t n : few ? sizes{33, 50} : sizes{1, 2, 15, 16, 17, 31, 32, 33, 50}) {
        where_ = std::to_string(rows) + " x " + std::to_string(n);
        products(rows, n);
        norms(rows, n);
        elements(rows, n);
        panels(rows, n);
      }
    attend({2, 17}, 2, 7, true, true);
    if (few) return found_;
    const sizes heads[4] = {{1, 1}, {3, 7}, {2, 16}, {1, 24}};  // and floats of each
    for (const auto& texts : {std::vector<std::uint32_t>{1}, {2, 17}, {16, 3, 33}, {5, 1, 4}})
      for (const auto& shape : heads)
        for (const bool relative : {false, true})
          for (const bool dropout : {false, true}) attend(texts, shape[0], shape[1], relative, dropout);
    return found_;
  }

 private:
  guarded_floats some(std::size_t n, float size = 1.0f) {
    guarded_floats x(n);
    for (std::size_t i = 0; i < n; ++i) {
      seed_ = seed_ * 1664525u + 1013904223u;
      x[i] = (static_cast<float>(seed_ >> 8) / 8388608.0f - 1.0f) * size;
    }
    return x;
  }

  void complain(const char* what, const std::string& how) {
    const auto same = [&](const std::string& one) { return one.starts_with(std::string(what) + ":"); };
    if (std::none_of(found_.begin(), found_.end(), same)) found_.push_back(std::string(what) + ": " + where_ + how);
  }
  /// Errors are measured by the size of all numbers together: those near 0 are differences of larger ones. All inputs
  /// are near 1.
  void near(const char* what, const guarded_floats& got, const guarded_floats& want, std::size_t first = 0,
            std::size_t width = 1, std::size_t stride = 1) {
    const auto counts = [&](std::size_t i) { return i % stride >= first && i % stride < first + width; };
    double squares = 0, n = 0;
    for (std::size_t i = 0; i < want.size(); ++i)
      if (counts(i) && want[i] != guarded_floats::untouched)
        squares += static_cast<double>(want[i]) * static_cast<double>(want[i]), ++n;
    const double size = std::max(0.25, n == 0 ? 0 : std::sqrt(squares / n));
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double apart = std::fabs(static_cast<double>(got[i]) - static_cast<double>(want[i]));
      if (counts(i) && !(apart <= 4e-6 * size))
        return complain(what, ", number " + std::to_string(i) + ": " + std::to_string(got[i]) + " instead of " +
                                  std::to_string(want[i]));
    }
    if (!got.guarded()) complain(what, ": writes behind its last row");
  }

  void products(std::size_t rows, std::size_t inputs) {
    for (const std::size_t outputs : {1u, 15u, 16u, 17u, 40u})
      for (const bool add : {false, true})
        for (const bool biased : {false, true}) {
          const auto x = some(rows * inputs), bias = some(outputs);
          guarded_floats w(dupq::round_up(outputs, dupq::panel_width) * inputs, 0.0f);
          const auto values = some(outputs * inputs);
          for (std::size_t o = 0; o < outputs; ++o)
            for (std::size_t i = 0; i < inputs; ++i) w[(o / 16 * inputs + i) * 16 + o % 16] = values[o * inputs + i];
          dupq::linear<dupq::host_memory> weight;
          weight.panels = w.data(), weight.outputs = outputs, weight.inputs = inputs;
          if (biased) weight.bias = bias.data();
          auto got = some(rows * outputs), want = got;
          judged_.product(weight, x.rows(inputs), add, got.rows(outputs));
          reference_.product(weight, x.rows(inputs), add, want.rows(outputs));
          near("product", got, want);
        }
  }

  void norms(std::size_t rows, std::size_t n) {
    const auto gain = some(n), bias = some(n), dy = some(rows * n);
    const dupq::layer_norm<dupq::host_memory> norm{gain.data(), bias.data(), n, 1e-2f};
    auto got = some(rows * n), want = got;
    for (std::size_t i = 0; i < got.size(); ++i) got[i] = want[i] = got[i] + 0.5f;  // a mean that is not 0
    guarded_floats got_inverse(rows), inverse(rows), got_y(rows * n), y(rows * n);
    judged_.norm(norm, got.rows(n), got_inverse.data(), got_y.rows(n));
    reference_.norm(norm, want.rows(n), inverse.data(), y.rows(n));
    near("norm", got, want);
    near("norm", got_inverse, inverse);
    near("norm", got_y, y);

    guarded_floats again(rows * n);
    judged_.norm_output(norm, want.rows(n), again.rows(n));
    near("norm_output", again, y);

    guarded_floats got_dx(rows * n), dx(rows * n), got_gain(n), d_gain(n), got_bias(n), d_bias(n);
    const guarded_floats& x = want;
    reference_.norm_gradient(norm, x.rows(n), inverse.data(), dy.rows(n), dx.rows(n));
    judged_.norm_gradient(norm, x.rows(n), inverse.data(), dy.rows(n), got_dx.rows(n));
    near("norm_gradient", got_dx, dx);
    auto in_place = dy;
    judged_.norm_gradient(norm, x.rows(n), inverse.data(), in_place.rows(n), in_place.rows(n));
    near("norm_gradient", in_place, dx);
    judged_.norm_sums(x.rows(n), dy.rows(n), got_gain.data(), got_bias.data());
    reference_.norm_sums(x.rows(n), dy.rows(n), d_gain.data(), d_bias.data());
    near("norm_sums", got_gain, d_gain);
    near("norm_sums", got_bias, d_bias);
    guarded_floats sums(n);
    judged_.column_sums(dy.rows(n), sums.data());
    near("column_sums", sums, d_bias);
  }

  void elements(std::size_t rows, std::size_t n) {
    const auto x = some(rows * n, 6.0f), dy = some(rows * n);
    guarded_floats got(rows * n), want(rows * n);
    judged_.gelu(x.rows(n), got.rows(n));
    reference_.gelu(x.rows(n), want.rows(n));
    near("gelu", got, want);

    auto got_x = x, want_x = x, got_dx = dy, want_dx = dy;
    judged_.gelu_gradient(got_x.rows(n), got_dx.rows(n));
    reference_.gelu_gradient(want_x.rows(n), want_dx.rows(n));
    near("gelu_gradient", got_x, want_x);
    near("gelu_gradient", got_dx, want_dx);

    const auto y = some(rows * n);
    got_dx = want_dx = dy;
    judged_.tanh_gradient(y.rows(n), got_dx.rows(n));
    reference_.tanh_gradient(y.rows(n), want_dx.rows(n));
    near("tanh_gradient", got_dx, want_dx);

    got_dx = want_dx = dy;
    judged_.add(y.rows(n), got_dx.rows(n));
    reference_.add(y.rows(n), want_dx.rows(n));
    near("add", got_dx, want_dx);

    std::vector<std::uint32_t> keys(rows);
    for (std::size_t r = 0; r < rows; ++r) keys[r] = dupq::random_key(1, 2, n, r);
    got_dx = want_dx = dy;
    judged_.drop(dupq::dropout_rule(0.3f), keys.data(), got_dx.rows(n));
    reference_.drop(dupq::dropout_rule(0.3f), keys.data(), want_dx.rows(n));
    near("drop", got_dx, want_dx);
  }

  void panels(std::size_t tokens, std::size_t inputs) {
    using dupq::column_panels, dupq::panel_width;
    for (const std::size_t outputs : {1u, 16u, 17u, 37u}) {
      const auto x = some(tokens * inputs), dy = some(tokens * outputs);
      const auto packed = [&](const auto& device, const guarded_floats& from, std::size_t columns) {
        guarded_floats to(static_cast<std::size_t>(column_panels<>::floats(tokens, columns)));
        const std::size_t half = tokens / 2;  // in two parts, the second one first
        device.pack(from.rows(columns).some_rows(half, tokens - half), half, {to.data(), tokens, columns});
        device.pack(from.rows(columns).some_rows(0, half), 0, {to.data(), tokens, columns});
        return to;
      };
      auto xs = packed(reference_, x, inputs), dys = packed(reference_, dy, outputs);
      auto got = packed(judged_, x, inputs);
      for (std::size_t r = 0; r < tokens; ++r)  // what is beyond the last column may be any number
        for (std::size_t i = inputs; i < dupq::round_up(inputs, panel_width); ++i) {
          const std::size_t at = (i / panel_width * tokens + r) * panel_width + i % panel_width;
          if (std::isfinite(got[at])) got[at] = xs[at];
          xs[at] = got[at];
        }
      near("pack", got, xs);

      const column_panels<> d{dys.data(), tokens, outputs}, in{xs.data(), tokens, inputs};
      for (std::size_t first = 0; first < in.count(); ++first)
        for (std::size_t last = first + 1; last <= in.count(); ++last) {
          guarded_floats got_dw(outputs * inputs), dw(outputs * inputs);
          judged_.weight_gradient(d, in, first, last, got_dw.rows(inputs));
          reference_.weight_gradient(d, in, first, last, dw.rows(inputs));
          near("weight_gradient", got_dw, dw);
        }
    }
  }

  void attend(const std::vector<std::uint32_t>& lengths, std::size_t heads, std::size_t head_dim, bool relative,
              bool dropout) {
    where_ = "texts of";
    std::vector<std::uint32_t> offsets{0};
    for (const std::uint32_t n : lengths) {
      offsets.push_back(offsets.back() + n);
      where_ += " " + std::to_string(n);
    }
    where_ += ", " + std::to_string(heads) + " heads of " + std::to_string(head_dim) + (relative ? ", relative" : "") +
              (dropout ? ", dropout" : "");
    constexpr std::size_t span = 35, width = 2 * span - 1;
    const dupq::text_block texts{offsets.data(), lengths.size()};
    const std::size_t tokens = texts.tokens(), hidden = heads * head_dim;
    const auto biases = some(heads * width, 2.0f), qkv = some(tokens * 3 * hidden, 1.5f), dy = some(tokens * hidden);
    const dupq::attention_shape shape{heads, head_dim, relative ? biases.data() : nullptr, span};
    std::vector<std::uint32_t> keys(heads * tokens);
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = dupq::random_key(3, tokens, head_dim, i);
    dupq::attention_dropout drops;
    if (dropout) drops = {dupq::dropout_rule(0.25f), keys.data()};
    const std::size_t longest = *std::max_element(lengths.begin(), lengths.end());
    const auto scratch_of = [&](const auto& device) {
      return guarded_floats(static_cast<std::size_t>(device.attention_scratch(shape, longest)));
    };
    auto own = scratch_of(judged_), other = scratch_of(reference_);

    guarded_floats got(tokens * hidden), want(tokens * hidden);
    judged_.attention(texts, shape, drops, qkv.rows(3 * hidden), own.data(), got.rows(hidden));
    reference_.attention(texts, shape, drops, qkv.rows(3 * hidden), other.data(), want.rows(hidden));
    near("attention", got, want);

    guarded_floats got_d(tokens * 3 * hidden), want_d(tokens * 3 * hidden);
    guarded_floats got_sums(lengths.size() * heads * width), want_sums(lengths.size() * heads * width);
    const auto sums_of = [&](guarded_floats& sums) { return relative ? sums.data() : nullptr; };
    judged_.attention_gradient(texts, shape, drops, qkv.rows(3 * hidden), dy.rows(hidden), own.data(),
                               sums_of(got_sums), got_d.rows(3 * hidden));
    reference_.attention_gradient(texts, shape, drops, qkv.rows(3 * hidden), dy.rows(hidden), other.data(),
                                  sums_of(want_sums), want_d.rows(3 * hidden));
    for (std::size_t part = 0; part < 3; ++part)
      near("attention_gradient", got_d, want_d, part * hidden, hidden, 3 * hidden);
    near("attention_gradient", got_sums, want_sums);
    if (!own.guarded()) complain("attention_gradient", ": writes behind its scratch");
  }

  const Judged& judged_;
  dupq::trainable_reference reference_;
  std::vector<std::string> found_;
  std::string where_;
  std::uint32_t seed_ = 5;
};

template <dupq::trainable_device Judged>
std::vector<std::string> complaints(const Judged& judged, bool few = false) {
  return training_comparison<Judged>(judged).complaints(few);
}
