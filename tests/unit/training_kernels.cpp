// The kernels of training: near the reference in every operation, and the same bytes in every table. And what the
// comparison is worth: mistakes are planted, one at a time, and each is found.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dupq/training/cpu_trainable.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "training_comparison.hpp"

namespace {

/// The reference with one mistake.
class mistaken : public dupq::trainable_reference {
  using right = dupq::trainable_reference;
  using in = dupq::matrix<const float>;
  using out = dupq::matrix<float>;

 public:
  explicit mistaken(std::string_view mistake) : mistake_(mistake) {}

  void product(const dupq::linear<dupq::host_memory>& weight, in x, bool add, out y) const noexcept {
    auto w = weight;
    if (is("product: no bias")) w.bias = nullptr;
    if (is("product: the last output is forgotten")) --w.outputs, --y.columns;
    if (is("product: the last input is forgotten"))  // (panels are [outputs / 16][inputs][16])
      return without_last_input(weight, x, add, y);
    right::product(w, x, is("product: what is there is not added") ? false : add, y);
  }
  void norm(const dupq::layer_norm<dupq::host_memory>& n, out x, float* inverse, out y) const noexcept {
    auto with = n;
    if (is("norm: no epsilon")) with.epsilon = 0;
    const std::vector<float> zeros(n.size);
    if (is("norm: no bias")) with.bias = zeros.data();
    right::norm(with, x, inverse, y);
    if (is("norm: the last number stays")) x.row(0)[n.size - 1] = 1;
    if (is("norm: the last row's inverse is that of the first")) inverse[x.rows - 1] = inverse[0];
    if (is("norm: pads count in the variance"))  // a row of n numbers in lanes of 16
      for (std::size_t r = 0; r < x.rows; ++r)
        inverse[r] *= std::sqrt(static_cast<float>(n.size) / static_cast<float>((n.size + 15) / 16 * 16));
    if (is("norm: y before the gain"))
      for (std::size_t i = 0; i < y.rows * y.columns; ++i) y.data[i] = x.data[i];
  }
  void norm_output(const dupq::layer_norm<dupq::host_memory>& n, in x, out y) const noexcept {
    auto with = n;
    if (is("norm_output: the bias is the gain")) with.bias = with.gain;
    right::norm_output(with, x, y);
    if (is("norm_output: the tail stays")) std::fill_n(y.row(y.rows - 1) + n.size / 16 * 16, n.size % 16, 0.0f);
  }
  void norm_gradient(const dupq::layer_norm<dupq::host_memory>& n, in x, const float* inverse, in dy,
                     out dx) const noexcept {
    const auto count = static_cast<float>(n.size);
    for (std::size_t r = 0; r < x.rows; ++r) {
      float mean = 0, along = 0;
      for (std::size_t i = 0; i < n.size; ++i) {
        const float a = dy.row(r)[i] * n.gain[i];
        mean += a / count;
        along += (is("norm_gradient: no gain in the second mean") ? dy.row(r)[i] : a) * x.row(r)[i] / count;
      }
      if (is("norm_gradient: no mean")) mean = 0;
      if (is("norm_gradient: no second mean")) along = 0;
      if (is("norm_gradient: a wrong sign")) along = -along;
      if (is("norm_gradient: sums, not means")) along *= count;
      const float factor = is("norm_gradient: no inverse") ? 1.0f : inverse[r];
      for (std::size_t i = 0; i < n.size; ++i)
        dx.row(r)[i] = factor * (dy.row(r)[i] * n.gain[i] - mean - x.row(r)[i] * along);
    }
  }
  void norm_sums(in x, in dy, float* gain, float* bias) const noexcept {
    if (is("norm_sums: the last row is forgotten")) --x.rows, --dy.rows;
    right::norm_sums(x, dy, gain, is("norm_sums: one for the other") ? gain : bias);
  }
  void column_sums(in x, float* sums) const noexcept {
    right::column_sums(x, sums);
    if (is("column_sums: the last column is forgotten")) sums[x.columns - 1] = 0;
    if (is("column_sums: the first row twice"))
      for (std::size_t i = 0; i < x.columns; ++i) sums[i] += x.row(0)[i];
  }
  void gelu(in x, out y) const noexcept {
    right::gelu(x, y);
    if (is("gelu: that of tanh"))
      for (std::size_t i = 0; i < x.rows * x.columns; ++i) {
        const float v = x.data[i];
        y.data[i] = v / 2 * (1 + std::tanh(0.7978845608f * (v + 0.044715f * v * v * v)));
      }
  }
  void gelu_gradient(out x, out dy) const noexcept {
    const std::vector<float> before(x.data, x.data + x.rows * x.columns), gradient(dy.data, dy.data + before.size());
    right::gelu_gradient(x, dy);
    for (std::size_t i = 0; i < before.size(); ++i) {
      const double v = static_cast<double>(before[i]);
      if (is("gelu_gradient: without x phi(x)"))
        dy.data[i] = gradient[i] * static_cast<float>(dupq::training_formulas::normal_share(v));
      if (is("gelu_gradient: x stays")) x.data[i] = before[i];
      if (is("gelu_gradient: of gelu(x)"))
        dy.data[i] =
            gradient[i] * static_cast<float>(dupq::training_formulas::gelu_slope(static_cast<double>(x.data[i])));
    }
    if (is("gelu_gradient: the last number stays")) dy.data[before.size() - 1] = gradient.back();
  }
  void tanh_gradient(in y, out dy) const noexcept {
    if (!is("tanh_gradient: y is not squared")) return right::tanh_gradient(y, dy);
    for (std::size_t i = 0; i < y.rows * y.columns; ++i) dy.data[i] *= 1 - y.data[i];
  }
  void add(in x, out y) const noexcept {
    if (is("add: the last number is forgotten")) --x.columns, --y.columns;
    right::add(x, y);
  }
  void drop(dupq::dropout_rule rule, const std::uint32_t* keys, out x) const noexcept {
    if (is("drop: what is kept is not scaled")) rule.scale = 1;
    if (is("drop: one more than the limit")) rule.limit += 65536 / 20;
    if (!is("drop: one key for all rows") && !is("drop: halves exchanged")) return right::drop(rule, keys, x);
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t i = 0; i < x.columns; ++i) {
        const bool halves = is("drop: halves exchanged");
        const std::uint32_t key = halves ? keys[r] : keys[0];
        if (!rule.keeps(key, static_cast<std::uint32_t>(halves ? i ^ 16 : i))) x.row(r)[i] = 0;
        x.row(r)[i] *= rule.scale;
      }
  }
  void attention(dupq::text_block texts, const dupq::attention_shape& shape, dupq::attention_dropout drops, in qkv,
                 float* scratch, out y) const noexcept {
    auto with = shape;
    if (is("attention: no relative bias")) with.relative = nullptr;
    if (is("attention: relative one place off") && with.relative != nullptr) ++with.relative;
    if (is("attention: no dropout")) drops = {};
    if (is("attention: dropout of the first head") && drops.keys != nullptr)
      return one_head(texts, with, drops, qkv, scratch, y);
    const std::uint32_t together[2] = {0, static_cast<std::uint32_t>(texts.tokens())};
    if (is("attention: a text sees its neighbours")) {
      std::vector<float> more(2 * texts.tokens() * texts.tokens() * 2);
      return right::attention({together, 1}, with, drops, qkv, more.data(), y);
    }
    right::attention(texts, with, drops, qkv, scratch, y);
  }
  /// In float, and from the softmax on in plain loops: the formula a second time.
  void attention_gradient(dupq::text_block texts, const dupq::attention_shape& shape, dupq::attention_dropout drops,
                          in qkv, in dy, float* scratch, float* sums, out dqkv) const noexcept {
    if (!mistake_.starts_with("attention_gradient"))
      return right::attention_gradient(texts, shape, drops, qkv, dy, scratch, sums, dqkv);
    const std::size_t d = shape.head_dim, hidden = shape.heads * d, width = 2 * shape.span - 1;
    const double scale = 1 / std::sqrt(static_cast<double>(d));
    std::fill_n(dqkv.data, dqkv.rows * dqkv.columns, 0.0f);
    for (std::size_t t = 0; t < texts.texts; ++t)
      for (std::size_t h = 0; h < shape.heads; ++h)
        for (std::size_t q = texts.offsets[t]; q < texts.offsets[t + 1]; ++q) {
          const std::size_t begin = texts.offsets[t], n = texts.offsets[t + 1] - begin, column = h * d;
          const auto at = [&](std::size_t row, std::size_t part, std::size_t i) {
            return static_cast<double>(qkv.row(row)[part * hidden + column + i]);
          };
          std::vector<double> p(n), dp(n), kept(n);
          double sum = 0, along = 0;
          for (std::size_t k = 0; k < n; ++k) {
            double dot = 0;
            for (std::size_t i = 0; i < d; ++i) dot += at(q, 0, i) * at(begin + k, 1, i) * scale;
            if (shape.relative != nullptr)
              dot += static_cast<double>(shape.relative[h * width + q - begin - k + shape.span - 1]);
            sum += p[k] = std::exp(dot);
          }
          for (std::size_t k = 0; k < n; ++k) {
            p[k] /= sum;
            const auto drop = [&](double x, std::string_view forgotten) {
              if (drops.keys == nullptr || is(forgotten)) return x;
              return dupq::training_formulas::dropped(drops.rule, drops.keys[h * texts.tokens() + q], k, x);
            };
            kept[k] = drop(p[k], "attention_gradient: no dropout in d_v");
            for (std::size_t i = 0; i < d; ++i)
              dp[k] += static_cast<double>(dy.row(q)[column + i]) * at(begin + k, 2, i);
            dp[k] = drop(dp[k], "attention_gradient: no dropout in d_P");
            along += (is("attention_gradient: dropped P in the sum") ? kept[k] : p[k]) * dp[k];
          }
          if (is("attention_gradient: no sum")) along = 0;
          for (std::size_t k = 0; k < n; ++k) {
            const double ds = p[k] * (dp[k] - along);
            const double dq_scale = is("attention_gradient: d_q is not scaled") ? 1 : scale;
            const double dk_scale = is("attention_gradient: d_k with a wrong sign") ? -scale : scale;
            for (std::size_t i = 0; i < d; ++i) {
              float *const to_q = dqkv.row(q) + column + i, *const to_k = dqkv.row(begin + k) + column + i;
              *to_q += static_cast<float>(ds * at(begin + k, 1, i) * dq_scale);
              to_k[hidden] += static_cast<float>(ds * at(q, 0, i) * dk_scale);
              to_k[2 * hidden] += static_cast<float>(kept[k] * static_cast<double>(dy.row(q)[column + i]));
            }
            if (sums == nullptr) continue;
            const auto distance = static_cast<std::ptrdiff_t>(q - begin) - static_cast<std::ptrdiff_t>(k);
            const bool turned = is("attention_gradient: keys less queries");
            float& bucket = sums[static_cast<std::ptrdiff_t>((t * shape.heads + h) * width + shape.span - 1) +
                                 (turned ? -distance : distance)];
            if (bucket == guarded_floats::untouched) bucket = 0;
            bucket += static_cast<float>(is("attention_gradient: scaled relative sums") ? ds * scale : ds);
          }
        }
  }
  void pack(in x, std::size_t first_row, dupq::column_panels<> to) const noexcept {
    if (is("pack: the last row is forgotten")) --x.rows;
    right::pack(x, is("pack: always from the first row") ? 0 : first_row, to);
  }
  void weight_gradient(dupq::column_panels<> dy, dupq::column_panels<> x, std::size_t first, std::size_t last,
                       out dw) const noexcept {
    if (is("weight_gradient: all columns, whatever was asked for")) first = 0;
    right::weight_gradient(dy, x, first, last, dw);
    if (is("weight_gradient: the last output stays")) dw.row(dw.rows - 1)[first * 16] = 0;
    if (is("weight_gradient: the last token twice"))
      for (std::size_t i = first * 16; i < std::min(last * 16, dw.columns); ++i)
        dw.row(0)[i] += dy.data[(dy.rows - 1) * 16] * x.data[(i / 16 * x.rows + x.rows - 1) * 16 + i % 16];
  }

 private:
  bool is(std::string_view mistake) const {
    asked_ |= mistake == mistake_;
    return mistake == mistake_;
  }
  void without_last_input(const dupq::linear<dupq::host_memory>& weight, in x, bool add, out y) const {
    std::vector<float> shorter(x.data, x.data + x.rows * x.columns);
    for (std::size_t r = 0; r < x.rows; ++r) shorter[r * x.columns + x.columns - 1] = 0;
    right::product(weight, {shorter.data(), x.rows, x.columns}, add, y);
  }
  void one_head(dupq::text_block texts, const dupq::attention_shape& shape, dupq::attention_dropout drops, in qkv,
                float* scratch, out y) const {
    std::vector<std::uint32_t> keys(shape.heads * texts.tokens());
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = drops.keys[i % texts.tokens()];
    drops.keys = keys.data();
    right::attention(texts, shape, drops, qkv, scratch, y);
  }

  std::string_view mistake_;

 public:
  mutable bool asked_ = false;  ///< whether the mistake is known at all
};

constexpr std::string_view mistakes[] = {
    "product: no bias",
    "product: the last output is forgotten",
    "product: the last input is forgotten",
    "product: what is there is not added",
    "norm: no epsilon",
    "norm: no bias",
    "norm: the last number stays",
    "norm: the last row's inverse is that of the first",
    "norm: pads count in the variance",
    "norm: y before the gain",
    "norm_output: the bias is the gain",
    "norm_output: the tail stays",
    "norm_gradient: no gain in the second mean",
    "norm_gradient: no mean",
    "norm_gradient: no second mean",
    "norm_gradient: a wrong sign",
    "norm_gradient: sums, not means",
    "norm_gradient: no inverse",
    "norm_sums: the last row is forgotten",
    "norm_sums: one for the other",
    "column_sums: the last column is forgotten",
    "column_sums: the first row twice",
    "gelu: that of tanh",
    "gelu_gradient: without x phi(x)",
    "gelu_gradient: x stays",
    "gelu_gradient: of gelu(x)",
    "gelu_gradient: the last number stays",
    "tanh_gradient: y is not squared",
    "add: the last number is forgotten",
    "drop: what is kept is not scaled",
    "drop: one more than the limit",
    "drop: one key for all rows",
    "drop: halves exchanged",
    "attention: no relative bias",
    "attention: relative one place off",
    "attention: no dropout",
    "attention: dropout of the first head",
    "attention: a text sees its neighbours",
    "attention_gradient: no dropout in d_v",
    "attention_gradient: no dropout in d_P",
    "attention_gradient: dropped P in the sum",
    "attention_gradient: no sum",
    "attention_gradient: d_q is not scaled",
    "attention_gradient: d_k with a wrong sign",
    "attention_gradient: keys less queries",
    "attention_gradient: scaled relative sums",
    "pack: the last row is forgotten",
    "pack: always from the first row",
    "weight_gradient: all columns, whatever was asked for",
    "weight_gradient: the last output stays",
    "weight_gradient: the last token twice",
};

void expect_none(const std::string& name, const std::vector<std::string>& found) {
  CAPTURE(name);
  for (const std::string& one : found) FAIL_CHECK(one);
}

}  // namespace

TEST_CASE("training_kernels: every table is near the reference") {
  for (const dupq::kernels* table : dupq::available_kernels())
    expect_none(table->name, complaints(dupq::cpu_trainable(*table)));
}

TEST_CASE("training_kernels: the comparison finds every planted mistake, and it alone") {
  expect_none("reference", complaints(dupq::trainable_reference{}, true));
  expect_none("formulas without a mistake", complaints(mistaken("attention_gradient, written anew"), true));
  for (const std::string_view mistake : mistakes) {
    CAPTURE(mistake);
    const mistaken device(mistake);
    const auto found = complaints(device, true);
    CHECK(device.asked_);
    REQUIRE(found.size() == 1);
    CHECK(found[0].substr(0, found[0].find(':')) == mistake.substr(0, mistake.find(':')));
  }
}
