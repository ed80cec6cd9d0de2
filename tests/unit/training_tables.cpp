// Training kernels that no operation of a device shows alone, and all of them in all tables: the bytes of `scalar`, at
// lengths around those of vectors and at addresses that are aligned to nothing but a float.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dupq/training/cpu/tables.hpp>
#include <string_view>
#include <vector>

namespace {

/// Floats one behind an address that is a multiple of 64 bytes, and a guard.
class floats {
 public:
  floats(std::size_t n, std::uint32_t seed, float size = 1.0f) : all_(n + 33), size_(n) {
    begin_ = 16 - reinterpret_cast<std::uintptr_t>(all_.data()) / 4 % 16 + 1;
    for (std::size_t i = 0; i < n; ++i) {
      seed = seed * 1664525u + 1013904223u;
      data()[i] = (static_cast<float>(seed >> 8) / 8388608.0f - 1.0f) * size;
    }
    data()[n] = guard;
  }
  floats(const floats& other) : floats(other.size_, 0) { std::copy_n(other.data(), size_, data()); }
  floats& operator=(const floats&) = delete;
  float* data() { return all_.data() + begin_; }
  const float* data() const { return all_.data() + begin_; }
  std::size_t size() const { return size_; }
  float operator[](std::size_t i) const { return data()[i]; }
  bool guarded() const { return data()[size_] == guard; }

 private:
  static constexpr float guard = 123.0f;
  std::vector<float> all_;
  std::size_t size_, begin_;
};

/// All that one kernel writes, for the table whose name it takes; see `same`.
using outputs = std::vector<floats>;

template <class Call>
void same(std::string_view what, const outputs& before, Call&& call) {
  CAPTURE(what);
  outputs expected = before;
  call(dupq::scalar_kernels::training_table, expected);
  for (const dupq::kernels* table : dupq::available_kernels()) {
    const std::string_view name = table->name;
    CAPTURE(name);
    outputs got = before;
    call(dupq::training_of(*table), got);
    for (std::size_t i = 0; i < got.size(); ++i) {
      CHECK((got[i].size() == 0 || std::memcmp(got[i].data(), expected[i].data(), got[i].size() * sizeof(float)) == 0));
      CHECK(got[i].guarded());
    }
  }
}

dupq::adamw_factors factors() { return dupq::adamw_at({}, 2e-3, 3, 2.5, true); }

/// One number's step in double, with what a mistake may change.
struct moved {
  double p, m, v;
};
moved adamw_of(const dupq::adamw_factors& f, double g, moved at, std::string_view mistake) {
  const auto wide = [](float x) { return static_cast<double>(x); };
  g *= mistake == "not clipped" ? 1 : wide(f.scale);
  const double p = mistake == "no decay" ? at.p : at.p * wide(f.decay);
  const double m = wide(f.beta1) * at.m + wide(f.rest1) * g;
  const double v = wide(f.beta2) * at.v + wide(f.rest2) * (mistake == "no square" ? std::fabs(g) : g * g);
  const double root = std::sqrt(v) * (mistake == "no correction of the root" ? 1 : wide(f.root));
  const double divisor = mistake == "epsilon under the root"
                             ? std::sqrt(v * wide(f.root) * wide(f.root) + wide(f.epsilon))
                             : root + wide(f.epsilon);
  const double sign = mistake == "uphill" ? -1 : 1;
  return {p - sign * wide(f.rate) * (mistake == "the moment before" ? at.m : m) / divisor, m, v};
}

/// Whether the kernel's step is the one in double, within rounding.
bool is_adamw(const dupq::training_kernels& k, std::string_view mistake) {
  const floats p(35, 1);
  floats m(35, 2, 0.1f), v(35, 4, 0.01f), g(35, 3);
  for (std::size_t i = 0; i < v.size(); ++i) {
    const float size = i % 3 == 0 ? 1e-7f : 1.0f;  // small ones show where epsilon is
    m.data()[i] *= size, g.data()[i] *= size;
    v.data()[i] = i == 5 ? 0 : std::fabs(v[i]) * size * size;
  }
  floats got_p = p, got_m = m, got_v = v;
  k.adamw(p.size(), factors(), g.data(), got_p.data(), got_m.data(), got_v.data());
  const auto near = [](float got, double want) {
    return std::fabs(static_cast<double>(got) - want) < 3e-7 * std::fabs(want);
  };
  for (std::size_t i = 0; i < p.size(); ++i) {
    const moved want =
        adamw_of(factors(), static_cast<double>(g[i]),
                 {static_cast<double>(p[i]), static_cast<double>(m[i]), static_cast<double>(v[i])}, mistake);
    // The step itself, not the parameter that hides it.
    const double step = want.p - static_cast<double>(p[i]),
                 done = static_cast<double>(got_p[i]) - static_cast<double>(p[i]);
    if (!near(got_m[i], want.m) || !near(got_v[i], want.v) || std::fabs(done - step) > 2e-7) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("training_tables: the same bytes in every table") {
  for (std::size_t n = 0; n <= 50; ++n)
    for (const std::size_t rows : {1u, 2u, 5u}) {
      CAPTURE(n);
      CAPTURE(rows);
      const std::size_t all = rows * n;
      const floats x(all, 1), dy(all, 2), gain(n, 3), bias(n, 4), inverse(rows, 5), wide(all, 6, 7.0f);
      std::vector<std::uint32_t> keys(rows + 64);
      for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = dupq::random_key(1, 2, 3, i);
      const dupq::dropout_rule rule(0.3f);
      using table = dupq::training_kernels;
      if (n != 0) {
        same("norm", {x, inverse, x}, [&](const table& k, outputs& o) {
          k.norm(rows, n, gain.data(), bias.data(), 1e-5f, o[0].data(), o[1].data(), o[2].data());
        });
        same("norm_gradient", {x}, [&](const table& k, outputs& o) {
          k.norm_gradient(rows, n, gain.data(), x.data(), inverse.data(), dy.data(), o[0].data());
        });
      }
      same("norm_output", {x}, [&](const table& k, outputs& o) {
        k.norm_output(rows, n, gain.data(), bias.data(), x.data(), o[0].data());
      });
      same("column_sums", {gain, bias},
           [&](const table& k, outputs& o) { k.column_sums(rows, n, x.data(), dy.data(), o[0].data(), o[1].data()); });
      same("column_sums of one", {bias},
           [&](const table& k, outputs& o) { k.column_sums(rows, n, nullptr, dy.data(), nullptr, o[0].data()); });
      same("gelu", {x}, [&](const table& k, outputs& o) { k.gelu(all, wide.data(), o[0].data()); });
      same("gelu_gradient", {wide, dy},
           [&](const table& k, outputs& o) { k.gelu_gradient(all, o[0].data(), o[1].data()); });
      same("drop", {x}, [&](const table& k, outputs& o) { k.drop(rows, n, rule, keys.data(), o[0].data()); });
      const std::size_t stride = dupq::round_up(n, 16);
      const floats p(rows * stride, 7), dp(rows * stride, 8);
      same("drop_columns", {p}, [&](const table& k, outputs& o) {
        k.drop_columns(rows, n, stride, rule, keys.data(), dp.data(), o[0].data());
      });
      same("softmax_gradient", {dp},
           [&](const table& k, outputs& o) { k.softmax_gradient(rows, stride, 0.25f, p.data(), o[0].data()); });
      floats v(all, 9, 0.01f);
      for (std::size_t i = 0; i < all; ++i) v.data()[i] = std::fabs(v[i]);
      same("adamw", {x, bias.size() == all ? bias : floats(all, 10), v}, [&](const table& k, outputs& o) {
        k.adamw(all, factors(), dy.data(), o[0].data(), o[1].data(), o[2].data());
      });
      same("adamw without a gradient", {x, floats(all, 10, 1e-29f), v}, [&](const table& k, outputs& o) {
        k.adamw(all, factors(), nullptr, o[0].data(), o[1].data(), o[2].data());
      });
      same("add_to", {x}, [&](const table& k, outputs& o) { k.add_to(all, dy.data(), o[0].data()); });
      same("multiply", {x}, [&](const table& k, outputs& o) { k.multiply(all, 0.99f, o[0].data()); });
      const double sum = dupq::scalar_kernels::training_table.squares(all, x.data());
      double plain = 0;
      for (std::size_t i = 0; i < all; ++i) plain += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      CHECK(sum == doctest::Approx(plain).epsilon(1e-14));
      for (const dupq::kernels* one : dupq::available_kernels())
        CHECK(dupq::training_of(*one).squares(all, x.data()) == sum);
    }
}

TEST_CASE("training_tables: a step of AdamW, and that each mistake in it would be seen") {
  for (const dupq::kernels* table : dupq::available_kernels()) {
    const dupq::training_kernels& k = dupq::training_of(*table);
    CHECK(is_adamw(k, "none"));
    for (const std::string_view mistake : {"not clipped", "no decay", "no square", "no correction of the root",
                                           "epsilon under the root", "uphill", "the moment before"}) {
      CAPTURE(mistake);
      CHECK_FALSE(is_adamw(k, mistake));
    }
  }
}

TEST_CASE("training_tables: a row that was used once keeps moving, and its moments never become denormals") {
  for (const dupq::kernels* table : dupq::available_kernels()) {
    const dupq::training_kernels& k = dupq::training_of(*table);
    float g[17], p[17], m[17] = {}, v[17] = {};
    std::fill_n(g, 17, 1e-3f);
    std::fill_n(p, 17, 1.0f);
    for (std::uint64_t t = 1; t <= 5000; ++t) {
      const auto f = dupq::adamw_at({.weight_decay = 0}, 1e-3, t, 0, true);
      const float before = p[16];
      k.adamw(17, f, t == 1 ? g : nullptr, p, m, v);
      if (t < 100) CHECK(p[16] < before);
      for (const float x : m) CHECK((x == 0 || std::fabs(x) >= dupq::least_first));
    }
    CHECK(m[0] == 0);
    CHECK(m[16] == 0);
    CHECK(p[0] == p[16]);
  }
}
