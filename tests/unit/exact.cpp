#include <doctest/doctest.h>

#include <dupq/device/cpu/cpu.hpp>
#include <dupq/device/cpu/exact.hpp>

TEST_CASE("every table passes, and one that sums otherwise does not") {
  for (const dupq::kernels* table : dupq::available_kernels()) CHECK(dupq::exact_arithmetic(*table));
  dupq::kernels other = dupq::scalar_kernels::table;
  other.mean = [](std::size_t rows, std::size_t n, std::size_t stride, const float* x, float* y) noexcept {
    for (std::size_t i = 0; i < n; ++i) {
      float sum = 0;
      for (std::size_t r = rows; r-- > 0;) sum = sum + x[r * stride + i];  // backwards
      y[i] = sum / static_cast<float>(rows);
    }
  };
  CHECK_FALSE(dupq::exact_arithmetic(other));
}
