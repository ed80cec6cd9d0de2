// The judge of training's operations: each formula of trainable_device.hpp in plain loops and in double, with the C
// library's functions.
//
// The formulas are templates over the numbers that they read and write. With double they are exact enough to be judged
// themselves, by finite differences; with float they make `trainable_reference`, which judges the CPU.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <type_traits>

#include "trainable_device.hpp"

namespace dupq::inline DUPQ_ABI {

namespace training_formulas {

/// y = x W^T + bias, plus y where `add`; weight(o, i) is W's, and `bias` may be null.
template <class T, class Weight>
void product(Weight&& weight, const T* bias, std::type_identity_t<matrix<const T>> x, bool add, matrix<T> y) noexcept {
  for (std::size_t r = 0; r < x.rows; ++r)
    for (std::size_t o = 0; o < y.columns; ++o) {
      double sum = bias == nullptr ? 0.0 : static_cast<double>(bias[o]);
      for (std::size_t i = 0; i < x.columns; ++i) sum += static_cast<double>(x.row(r)[i]) * weight(o, i);
      y.row(r)[o] = static_cast<T>(add ? sum + static_cast<double>(y.row(r)[o]) : sum);
    }
}

/// x^ = (x - mean(x)) inverse in place, with inverse = 1 / sqrt(var(x) + epsilon); y = x^ gain + bias.
template <class T>
void norm(const T* gain, const T* bias, float epsilon, matrix<T> x, T* inverse, matrix<T> y) noexcept {
  const auto n = static_cast<double>(x.columns);
  for (std::size_t r = 0; r < x.rows; ++r) {
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < x.columns; ++i) mean += static_cast<double>(x.row(r)[i]) / n;
    for (std::size_t i = 0; i < x.columns; ++i) {
      const double apart = static_cast<double>(x.row(r)[i]) - mean;
      variance += apart * apart / n;
    }
    const double factor = 1 / std::sqrt(variance + static_cast<double>(epsilon));
    for (std::size_t i = 0; i < x.columns; ++i) {
      const double normed = (static_cast<double>(x.row(r)[i]) - mean) * factor;
      x.row(r)[i] = static_cast<T>(normed);
      y.row(r)[i] = static_cast<T>(normed * static_cast<double>(gain[i]) + static_cast<double>(bias[i]));
    }
    inverse[r] = static_cast<T>(factor);
  }
}

/// y = x^ gain + bias
template <class T>
void norm_output(const T* gain, const T* bias, std::type_identity_t<matrix<const T>> x, matrix<T> y) noexcept {
  for (std::size_t r = 0; r < x.rows; ++r)
    for (std::size_t i = 0; i < x.columns; ++i)
      y.row(r)[i] = static_cast<T>(static_cast<double>(x.row(r)[i]) * static_cast<double>(gain[i]) +
                                   static_cast<double>(bias[i]));
}

/// With a = d_y gain: d_x = inverse (a - mean(a) - x^ mean(a x^)).
template <class T>
void norm_gradient(const T* gain, std::type_identity_t<matrix<const T>> x, const T* inverse,
                   std::type_identity_t<matrix<const T>> dy, matrix<T> dx) noexcept {
  const auto n = static_cast<double>(x.columns);
  for (std::size_t r = 0; r < x.rows; ++r) {
    const auto a = [&](std::size_t i) { return static_cast<double>(dy.row(r)[i]) * static_cast<double>(gain[i]); };
    double mean = 0, along = 0;
    for (std::size_t i = 0; i < x.columns; ++i) {
      mean += a(i) / n;
      along += a(i) * static_cast<double>(x.row(r)[i]) / n;
    }
    for (std::size_t i = 0; i < x.columns; ++i)  // (d_x may be where d_y is)
      dx.row(r)[i] =
          static_cast<T>(static_cast<double>(inverse[r]) * (a(i) - mean - static_cast<double>(x.row(r)[i]) * along));
  }
}

/// Column sums of d_y x (where `x` has rows; else of d_y).
template <class T>
void column_sums(std::type_identity_t<matrix<const T>> x, std::type_identity_t<matrix<const T>> dy, T* sums) noexcept {
  for (std::size_t i = 0; i < dy.columns; ++i) {
    double sum = 0;
    for (std::size_t r = 0; r < dy.rows; ++r)
      sum += static_cast<double>(dy.row(r)[i]) * (x.data == nullptr ? 1.0 : static_cast<double>(x.row(r)[i]));
    sums[i] = static_cast<T>(sum);
  }
}

/// Phi, the normal distribution's cumulative function, without cancellation in its lower tail.
inline double normal_share(double x) noexcept { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
inline double gelu(double x) noexcept { return x * normal_share(x); }
/// Phi(x) + x phi(x)
inline double gelu_slope(double x) noexcept {
  return normal_share(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
}

/// What dropout makes of number j of the row with this key; its own gradient.
inline double dropped(const dropout_rule& rule, std::uint32_t key, std::size_t j, double x) noexcept {
  return rule.keeps(key, static_cast<std::uint32_t>(j)) ? x * static_cast<double>(rule.scale) : 0.0;
}

/// d_W = d_Y^T X, its columns first .. last - 1; dy(r, o) and x(r, i) are over `rows` rows.
template <class T, class Gradient, class Input>
void weight_gradient(std::size_t rows, Gradient&& dy, Input&& x, std::size_t first, std::size_t last,
                     matrix<T> dw) noexcept {
  for (std::size_t o = 0; o < dw.rows; ++o)
    for (std::size_t i = first; i < last; ++i) {
      double sum = 0;
      for (std::size_t r = 0; r < rows; ++r) sum += dy(r, o) * x(r, i);
      dw.row(o)[i] = static_cast<T>(sum);
    }
}

/// One head of one text: its softmax, and the gradients through it. Queries and keys count from the text's beginning;
/// `scratch` holds a probability and a score's gradient of each query and key.
template <class T>
class head_of_text {
 public:
  static constexpr std::size_t scratch_bytes(std::size_t tokens) noexcept {
    return 2 * sizeof(double) * tokens * tokens;
  }

  head_of_text(text_block texts, std::size_t text, const attention_shape& shape, std::size_t head, const T* relative,
               const attention_dropout& drops, matrix<const T> qkv, void* scratch) noexcept
      : first_(texts.offsets[text]),
        n_(texts.offsets[text + 1] - first_),
        d_(shape.head_dim),
        column_(head * d_),
        hidden_(shape.heads * d_),
        relative_(relative == nullptr ? nullptr : relative + head * (2 * shape.span - 1) + shape.span - 1),
        rule_(drops.rule),
        keys_(drops.keys == nullptr ? nullptr : drops.keys + head * texts.tokens() + first_),
        qkv_(qkv),
        scratch_(static_cast<std::byte*>(scratch)) {
    for (std::size_t q = 0; q < n_; ++q) {
      double highest = -HUGE_VAL, sum = 0;
      for (std::size_t k = 0; k < n_; ++k) {
        keep(0, q, k, score(q, k));
        highest = std::max(highest, kept(0, q, k));
      }
      for (std::size_t k = 0; k < n_; ++k) {
        keep(0, q, k, std::exp(kept(0, q, k) - highest));
        sum += kept(0, q, k);
      }
      for (std::size_t k = 0; k < n_; ++k) keep(0, q, k, kept(0, q, k) / sum);
    }
  }

  void attend(matrix<T> y) const noexcept {
    for (std::size_t q = 0; q < n_; ++q)
      for (std::size_t i = 0; i < d_; ++i) {
        double sum = 0;
        for (std::size_t k = 0; k < n_; ++k) sum += drop(q, k, probability(q, k)) * at(k, 2, i);
        y.row(first_ + q)[column_ + i] = static_cast<T>(sum);
      }
  }

  /// `sums` begins at distance 0 and reaches as far down as up; or it is null.
  void gradients(matrix<const T> dy, T* sums, matrix<T> dqkv) noexcept {
    for (std::size_t q = 0; q < n_; ++q) {
      double along = 0;
      for (std::size_t k = 0; k < n_; ++k) {
        keep(1, q, k, probability_gradient(dy, q, k));
        along += probability(q, k) * kept(1, q, k);
      }
      for (std::size_t k = 0; k < n_; ++k) keep(1, q, k, probability(q, k) * (kept(1, q, k) - along));
    }
    const auto score_gradient = [&](std::size_t q, std::size_t k) { return kept(1, q, k); };
    const double scale = 1 / std::sqrt(static_cast<double>(d_));
    for (std::size_t t = 0; t < n_; ++t)
      for (std::size_t i = 0; i < d_; ++i) {
        double query = 0, key = 0, value = 0;
        for (std::size_t other = 0; other < n_; ++other) {
          query += score_gradient(t, other) * at(other, 1, i) * scale;
          key += score_gradient(other, t) * at(other, 0, i) * scale;
          value += drop(other, t, probability(other, t)) * static_cast<double>(dy.row(first_ + other)[column_ + i]);
        }
        T* const row = dqkv.row(first_ + t) + column_ + i;
        row[0] = static_cast<T>(query), row[hidden_] = static_cast<T>(key), row[2 * hidden_] = static_cast<T>(value);
      }
    if (sums == nullptr) return;
    const auto n = static_cast<std::ptrdiff_t>(n_);
    for (std::ptrdiff_t distance = 1 - n; distance < n; ++distance) {
      double sum = 0;
      for (std::ptrdiff_t k = 0; k < n; ++k)
        if (k + distance >= 0 && k + distance < n)
          sum += score_gradient(static_cast<std::size_t>(k + distance), static_cast<std::size_t>(k));
      sums[distance] = static_cast<T>(sum);
    }
  }

 private:
  /// Of token t: its query (part 0), key or value.
  double at(std::size_t t, std::size_t part, std::size_t i) const noexcept {
    return static_cast<double>(qkv_.row(first_ + t)[part * hidden_ + column_ + i]);
  }
  double score(std::size_t q, std::size_t k) const noexcept {
    double dot = 0;
    for (std::size_t i = 0; i < d_; ++i) dot += at(q, 0, i) * at(k, 1, i);
    dot /= std::sqrt(static_cast<double>(d_));
    return relative_ == nullptr ? dot : dot + static_cast<double>(*(relative_ + q - k));
  }
  double probability(std::size_t q, std::size_t k) const noexcept { return kept(0, q, k); }
  double drop(std::size_t q, std::size_t k, double x) const noexcept {
    return keys_ == nullptr ? x : dropped(rule_, keys_[q], k, x);
  }
  double probability_gradient(matrix<const T> dy, std::size_t q, std::size_t k) const noexcept {
    double dot = 0;
    for (std::size_t i = 0; i < d_; ++i) dot += static_cast<double>(dy.row(first_ + q)[column_ + i]) * at(k, 2, i);
    return drop(q, k, dot);
  }
  // Numbers in double, in scratch that may be aligned for floats only.
  void keep(std::size_t which, std::size_t q, std::size_t k, double x) noexcept {
    std::memcpy(scratch_ + ((which * n_ + q) * n_ + k) * sizeof x, &x, sizeof x);
  }
  double kept(std::size_t which, std::size_t q, std::size_t k) const noexcept {
    double x;
    std::memcpy(&x, scratch_ + ((which * n_ + q) * n_ + k) * sizeof x, sizeof x);
    return x;
  }

  std::size_t first_, n_, d_, column_, hidden_;
  const T* relative_;
  dropout_rule rule_;
  const std::uint32_t* keys_;
  matrix<const T> qkv_;
  std::byte* scratch_;
};

}  // namespace training_formulas

/// Meets `trainable_device`; see there for what each operation computes. Slow, and close to exact: results are rounded
/// to float only where they are stored.
class trainable_reference {
 public:
  void product(const linear<host_memory>& weight, matrix<const float> x, bool add, matrix<float> y) const noexcept {
    const auto at = [&](std::size_t o, std::size_t i) {
      return static_cast<double>(weight.panels[(o / panel_width * weight.inputs + i) * panel_width + o % panel_width]);
    };
    training_formulas::product<float>(at, weight.bias, {x.data, x.rows, weight.inputs, x.stride}, add,
                                      {y.data, y.rows, weight.outputs, y.stride});
  }
  void norm(const layer_norm<host_memory>& norm, matrix<float> x, float* inverse, matrix<float> y) const noexcept {
    training_formulas::norm<float>(norm.gain, norm.bias, norm.epsilon, x, inverse, y);
  }
  void norm_output(const layer_norm<host_memory>& norm, matrix<const float> x, matrix<float> y) const noexcept {
    training_formulas::norm_output<float>(norm.gain, norm.bias, x, y);
  }
  void norm_gradient(const layer_norm<host_memory>& norm, matrix<const float> x, const float* inverse,
                     matrix<const float> dy, matrix<float> dx) const noexcept {
    training_formulas::norm_gradient<float>(norm.gain, x, inverse, dy, dx);
  }
  void norm_sums(matrix<const float> x, matrix<const float> dy, float* gain, float* bias) const noexcept {
    training_formulas::column_sums<float>(x, dy, gain);
    training_formulas::column_sums<float>({}, dy, bias);
  }
  void column_sums(matrix<const float> x, float* sums) const noexcept {
    training_formulas::column_sums<float>({}, x, sums);
  }
  void gelu(matrix<const float> x, matrix<float> y) const noexcept {
    each(y, [&](float& to, std::size_t r, std::size_t i) {
      to = static_cast<float>(training_formulas::gelu(static_cast<double>(x.row(r)[i])));
    });
  }
  void gelu_gradient(matrix<float> x, matrix<float> dy) const noexcept {
    each(dy, [&](float& to, std::size_t r, std::size_t i) {
      const auto at = static_cast<double>(x.row(r)[i]);
      to = static_cast<float>(static_cast<double>(to) * training_formulas::gelu_slope(at));
      x.row(r)[i] = static_cast<float>(training_formulas::gelu(at));
    });
  }
  void add(matrix<const float> x, matrix<float> y) const noexcept {
    each(y, [&](float& to, std::size_t r, std::size_t i) { to = to + x.row(r)[i]; });
  }
  void tanh_gradient(matrix<const float> y, matrix<float> dy) const noexcept {
    each(dy, [&](float& to, std::size_t r, std::size_t i) {
      const auto at = static_cast<double>(y.row(r)[i]);
      to = static_cast<float>(static_cast<double>(to) * (1 - at * at));
    });
  }
  void drop(dropout_rule rule, const std::uint32_t* keys, matrix<float> x) const noexcept {
    each(x, [&](float& to, std::size_t r, std::size_t i) {
      to = static_cast<float>(training_formulas::dropped(rule, keys[r], i, static_cast<double>(to)));
    });
  }

  void attention(text_block texts, const attention_shape& shape, attention_dropout drops, matrix<const float> qkv,
                 float* scratch, matrix<float> y) const noexcept {
    for (std::size_t t = 0; t < texts.texts; ++t)
      for (std::size_t head = 0; head < shape.heads; ++head)
        training_formulas::head_of_text<float>(texts, t, shape, head, shape.relative, drops, qkv, scratch).attend(y);
  }
  void attention_gradient(text_block texts, const attention_shape& shape, attention_dropout drops,
                          matrix<const float> qkv, matrix<const float> dy, float* scratch, float* relative_sums,
                          matrix<float> dqkv) const noexcept {
    const std::size_t width = 2 * shape.span - 1;
    for (std::size_t t = 0; t < texts.texts; ++t)
      for (std::size_t head = 0; head < shape.heads; ++head)
        training_formulas::head_of_text<float>(texts, t, shape, head, shape.relative, drops, qkv, scratch)
            .gradients(
                dy,
                relative_sums == nullptr ? nullptr : relative_sums + (t * shape.heads + head) * width + shape.span - 1,
                dqkv);
  }

  void pack(matrix<const float> x, std::size_t first_row, column_panels<> to) const noexcept {
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t i = 0; i < round_up(to.columns, panel_width); ++i)
        to.data[place(to, first_row + r, i)] = i < to.columns ? x.row(r)[i] : 0.0f;
  }
  void weight_gradient(column_panels<> dy, column_panels<> x, std::size_t first, std::size_t last,
                       matrix<float> dw) const noexcept {
    const auto in = [](const column_panels<>& panels) {
      return [&panels](std::size_t r, std::size_t i) { return static_cast<double>(panels.data[place(panels, r, i)]); };
    };
    training_formulas::weight_gradient<float>(x.rows, in(dy), in(x), first * panel_width,
                                              std::min(last * panel_width, x.columns),
                                              {dw.data, dy.columns, dw.columns, dw.stride});
  }

  static constexpr std::uint64_t attention_scratch(const attention_shape&, std::size_t tokens) noexcept {
    return training_formulas::head_of_text<float>::scratch_bytes(tokens) / sizeof(float);
  }

 private:
  template <class Each>
  static void each(matrix<float> x, Each&& visit) noexcept {
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t i = 0; i < x.columns; ++i) visit(x.row(r)[i], r, i);
  }
  static constexpr std::size_t place(const column_panels<>& panels, std::size_t row, std::size_t column) noexcept {
    return (column / panel_width * panels.rows + row) * panel_width + column % panel_width;
  }
};

static_assert(trainable_device<trainable_reference>);

}  // namespace dupq::inline DUPQ_ABI
