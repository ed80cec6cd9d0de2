// The judge of training is judged: every gradient that training/reference.hpp writes down is compared, in double, with
// finite differences of the operation itself.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/training/reference.hpp>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace {

namespace formulas = dupq::training_formulas;
using numbers = std::vector<double>;

class source {
 public:
  numbers some(std::size_t n) {
    numbers x(n);
    for (double& one : x) one = normal_(bits_);
    return x;
  }

 private:
  std::mt19937 bits_{11};
  std::normal_distribution<double> normal_;
};

dupq::matrix<double> rows(numbers& x, std::size_t columns) { return {x.data(), x.size() / columns, columns}; }
dupq::matrix<const double> rows(const numbers& x, std::size_t columns) {
  return {x.data(), x.size() / columns, columns};
}

double dot(const numbers& a, const numbers& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// `loss` is computed anew from `x`, each of whose numbers is moved to either side.
void check_slopes(const std::string& what, numbers& x, const numbers& gradient, const std::function<double()>& loss) {
  INFO(what);
  REQUIRE(gradient.size() == x.size());
  const double step = 1e-4;
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(i);
    const double kept = x[i];
    const auto at = [&](double steps) {
      x[i] = kept + steps * step;
      return loss();
    };
    // Four places, so that the error is that of the fifth derivative.
    const double slope = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step);
    x[i] = kept;
    CHECK(std::fabs(gradient[i] - slope) < 1e-9 * (1 + std::fabs(slope)));
  }
}

}  // namespace

TEST_CASE("training_reference: a product's gradients") {
  source random;
  for (const bool add : {false, true}) {
    constexpr std::size_t tokens = 3, inputs = 5, outputs = 4;
    numbers x = random.some(tokens * inputs), w = random.some(outputs * inputs), b = random.some(outputs);
    numbers before = random.some(tokens * outputs);
    const numbers dy = random.some(tokens * outputs);
    const auto loss = [&] {
      numbers y = before;
      formulas::product<double>([&](std::size_t o, std::size_t i) { return w[o * inputs + i]; }, b.data(),
                                rows(x, inputs), add, rows(y, outputs));
      return dot(y, dy);
    };
    numbers dx(x.size()), dw(w.size()), db(b.size());
    formulas::product<double>([&](std::size_t i, std::size_t o) { return w[o * inputs + i]; }, nullptr,
                              rows(dy, outputs), false, rows(dx, inputs));
    formulas::weight_gradient<double>(
        tokens, [&](std::size_t r, std::size_t o) { return dy[r * outputs + o]; },
        [&](std::size_t r, std::size_t i) { return x[r * inputs + i]; }, 0, inputs, rows(dw, inputs));
    formulas::column_sums<double>({}, rows(dy, outputs), db.data());
    check_slopes("x", x, dx, loss);
    check_slopes("w", w, dw, loss);
    check_slopes("b", b, db, loss);
    check_slopes("y", before, add ? dy : numbers(dy.size()), loss);
  }
}

TEST_CASE("training_reference: a norm's gradients") {
  source random;
  for (const std::size_t n : {2u, 3u, 7u}) {
    constexpr std::size_t tokens = 3;
    constexpr float epsilon = 0.01f;  // large enough to be seen
    numbers x = random.some(tokens * n), gain = random.some(n), bias = random.some(n);
    const numbers dy = random.some(tokens * n);
    const auto loss = [&] {
      numbers normed = x, inverse(tokens), y(x.size());
      formulas::norm<double>(gain.data(), bias.data(), epsilon, rows(normed, n), inverse.data(), rows(y, n));
      numbers again(x.size());
      formulas::norm_output<double>(gain.data(), bias.data(), rows(normed, n), rows(again, n));
      for (std::size_t i = 0; i < y.size(); ++i) CHECK(again[i] == doctest::Approx(y[i]).epsilon(1e-15));
      return dot(y, dy);
    };
    numbers normed = x, inverse(tokens), y(x.size()), dx(x.size()), dgain(n), dbias(n);
    formulas::norm<double>(gain.data(), bias.data(), epsilon, rows(normed, n), inverse.data(), rows(y, n));
    formulas::norm_gradient<double>(gain.data(), rows(normed, n), inverse.data(), rows(dy, n), rows(dx, n));
    formulas::column_sums<double>(rows(normed, n), rows(dy, n), dgain.data());
    formulas::column_sums<double>({}, rows(dy, n), dbias.data());
    check_slopes("x", x, dx, loss);
    check_slopes("gain", gain, dgain, loss);
    check_slopes("bias", bias, dbias, loss);

    numbers in_place = dy;
    formulas::norm_gradient<double>(gain.data(), rows(normed, n), inverse.data(), rows(in_place, n), rows(in_place, n));
    CHECK(in_place == dx);
  }
}

TEST_CASE("training_reference: gelu's slope, and that of tanh") {
  numbers x, slope, tanh_slope;
  for (double at = -9; at <= 9; at += 0.0625) {
    x.push_back(at);
    slope.push_back(formulas::gelu_slope(at));
  }
  const auto sum_of = [&](double (*f)(double)) {
    return [&x, f] {
      double sum = 0;
      for (const double one : x) sum += f(one);
      return sum;
    };
  };
  check_slopes("gelu", x, slope, sum_of([](double v) { return formulas::gelu(v); }));
  CHECK(formulas::gelu(1) == doctest::Approx(0.8413447460685429).epsilon(1e-15));
  CHECK(formulas::gelu(-30) == doctest::Approx(0).epsilon(1e-15));

  // In floats, which trainable_reference has: tanh' is 1 - y^2 in terms of the result.
  float y[3] = {0, 0.5f, -0.75f}, dy[3] = {2, 2, 2};
  dupq::trainable_reference{}.tanh_gradient({y, 1, 3}, {dy, 1, 3});
  CHECK(dy[0] == 2);
  CHECK(dy[1] == 1.5f);
  CHECK(dy[2] == 0.875f);
}

TEST_CASE("training_reference: attention's gradients") {
  source random;
  constexpr std::size_t heads = 2, d = 3, hidden = heads * d, tokens = 8, span = 6, width = 2 * span - 1;
  const std::uint32_t offsets[4] = {0, 1, 3, 8};
  const dupq::text_block texts{offsets, 3};
  const dupq::attention_shape shape{heads, d, nullptr, span};
  std::uint32_t keys[heads * tokens];
  for (std::uint32_t i = 0; i < heads * tokens; ++i) keys[i] = dupq::random_key(1, 2, 3, i);
  std::vector<char> scratch(formulas::head_of_text<double>::scratch_bytes(tokens));
  for (const bool with_relative : {false, true})
    for (const bool with_dropout : {false, true}) {
      CAPTURE(with_relative);
      CAPTURE(with_dropout);
      dupq::attention_dropout drops;
      if (with_dropout) drops = {dupq::dropout_rule(0.4f), keys};
      numbers qkv = random.some(tokens * 3 * hidden), relative = random.some(heads * width);
      const numbers dy = random.some(tokens * hidden);
      const auto each = [&](auto&& visit) {
        for (std::size_t t = 0; t < texts.texts; ++t)
          for (std::size_t head = 0; head < heads; ++head)
            visit(t, head,
                  formulas::head_of_text<double>(texts, t, shape, head, with_relative ? relative.data() : nullptr,
                                                 drops, rows(qkv, 3 * hidden), scratch.data()));
      };
      const auto loss = [&] {
        numbers y(tokens * hidden, 1e300);
        each([&](std::size_t, std::size_t, auto head) { head.attend(rows(y, hidden)); });
        return dot(y, dy);
      };
      numbers dqkv(qkv.size(), 1e300), sums(texts.texts * heads * width), drelative(heads * width);
      each([&](std::size_t t, std::size_t h, auto head) {
        head.gradients(rows(dy, hidden), sums.data() + (t * heads + h) * width + span - 1, rows(dqkv, 3 * hidden));
      });
      for (std::size_t i = 0; i < sums.size(); ++i) drelative[i % (heads * width)] += sums[i];
      check_slopes("qkv", qkv, dqkv, loss);
      if (with_relative) check_slopes("relative", relative, drelative, loss);
    }
}

TEST_CASE("training_reference: dropout is its own gradient") {
  source random;
  constexpr std::size_t columns = 40;
  const dupq::dropout_rule rule(0.3f);
  numbers x = random.some(2 * columns), dx(2 * columns);
  const numbers dy = random.some(2 * columns);
  const std::uint32_t keys[2] = {5, 6};
  const auto dropped = [&](const numbers& from) {
    numbers to(from.size());
    for (std::size_t i = 0; i < from.size(); ++i)
      to[i] = formulas::dropped(rule, keys[i / columns], i % columns, from[i]);
    return to;
  };
  check_slopes("x", x, dropped(dy), [&] { return dot(dropped(x), dy); });
}

TEST_CASE("training_reference: in floats it is the same as in double") {
  // The panels that weights and gradients lie in are read where the device says.
  source random;
  const dupq::trainable_reference reference;
  for (const std::size_t inputs : {3u, 16u, 21u})
    for (const std::size_t outputs : {2u, 16u, 35u}) {
      constexpr std::size_t tokens = 5;
      const numbers w = random.some(outputs * inputs), x = random.some(tokens * inputs),
                    dy = random.some(tokens * outputs);
      const auto narrow = [](const numbers& from) { return std::vector<float>(from.begin(), from.end()); };
      std::vector<float> panels(dupq::round_up(outputs, 16) * inputs), x_f = narrow(x), dy_f = narrow(dy);
      for (std::size_t o = 0; o < outputs; ++o)
        for (std::size_t i = 0; i < inputs; ++i)
          panels[(o / 16 * inputs + i) * 16 + o % 16] = static_cast<float>(w[o * inputs + i]);
      dupq::linear<dupq::host_memory> weight;
      weight.panels = panels.data(), weight.outputs = outputs, weight.inputs = inputs;
      std::vector<float> y(tokens * outputs), dw(outputs * inputs, 7.0f);
      reference.product(weight, {x_f.data(), tokens, inputs}, false, {y.data(), tokens, outputs});
      for (std::size_t r = 0; r < tokens; ++r)
        for (std::size_t o = 0; o < outputs; ++o) {
          double sum = 0;
          for (std::size_t i = 0; i < inputs; ++i) sum += x[r * inputs + i] * w[o * inputs + i];
          CHECK(static_cast<double>(y[r * outputs + o]) == doctest::Approx(sum).epsilon(1e-5));
        }

      using panels_of = dupq::column_panels<>;
      std::vector<float> x_panels(panels_of::floats(tokens, inputs)), dy_panels(panels_of::floats(tokens, outputs));
      const panels_of xs{x_panels.data(), tokens, inputs}, dys{dy_panels.data(), tokens, outputs};
      reference.pack({x_f.data(), 2, inputs}, 0, xs);
      reference.pack({x_f.data() + 2 * inputs, tokens - 2, inputs}, 2, xs);
      reference.pack({dy_f.data(), tokens, outputs}, 0, dys);
      const std::size_t first = inputs > 16 ? 1 : 0;
      reference.weight_gradient(dys, xs, first, xs.count(), {dw.data(), outputs, inputs});
      for (std::size_t o = 0; o < outputs; ++o)
        for (std::size_t i = 0; i < inputs; ++i) {
          double sum = 0;
          for (std::size_t r = 0; r < tokens; ++r) sum += dy[r * outputs + o] * x[r * inputs + i];
          CHECK(static_cast<double>(dw[o * inputs + i]) == doctest::Approx(i < first * 16 ? 7.0 : sum).epsilon(1e-5));
        }
    }
}
