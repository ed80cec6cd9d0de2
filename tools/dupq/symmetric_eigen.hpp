// Eigenvectors of a symmetric matrix, by Jacobi's rotations: slow for large ones, simple and exact for some hundreds of
// rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace dupq_tool {

struct eigen_pairs {
  std::vector<double> values;   ///< the largest first
  std::vector<double> vectors;  ///< [n][n], a row for each value
};

/// Of `a`, [n][n], of which both halves are given.
inline eigen_pairs symmetric_eigen(std::vector<double> a, std::size_t n) {
  std::vector<double> v(n * n);
  for (std::size_t i = 0; i < n; ++i) v[i * n + i] = 1;
  double whole = 0;
  for (const double x : a) whole += x * x;
  const auto rotate = [n](double* x, double* y, double c, double s) {
    for (std::size_t i = 0; i < n; ++i) {
      const double p = x[i], q = y[i];
      x[i] = c * p - s * q;
      y[i] = s * p + c * q;
    }
  };
  constexpr int most_sweeps = 50;
  for (int sweep = 0; sweep < most_sweeps; ++sweep) {
    double rest = 0;
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) rest += a[p * n + q] * a[p * n + q];
    if (!(rest > 1e-26 * whole)) break;
    const double least = std::sqrt(rest) / (static_cast<double>(n) * 100);  // smaller ones wait for a later sweep
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) {
        const double apq = a[p * n + q];
        if (std::abs(apq) <= least) continue;
        const double app = a[p * n + p], aqq = a[q * n + q], theta = (aqq - app) / (2 * apq);
        const double t = (theta < 0 ? -1.0 : 1.0) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        rotate(&a[p * n], &a[q * n], c, s);
        a[p * n + p] = app - t * apq, a[q * n + q] = aqq + t * apq;
        a[p * n + q] = a[q * n + p] = 0;
        for (std::size_t i = 0; i < n; ++i)
          if (i != p && i != q) a[i * n + p] = a[p * n + i], a[i * n + q] = a[q * n + i];
        rotate(&v[p * n], &v[q * n], c, s);
      }
  }
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return a[i * n + i] > a[j * n + j]; });
  eigen_pairs out;
  for (const std::size_t i : order) {
    out.values.push_back(a[i * n + i]);
    out.vectors.insert(out.vectors.end(), v.begin() + static_cast<std::ptrdiff_t>(i * n),
                       v.begin() + static_cast<std::ptrdiff_t>((i + 1) * n));
  }
  return out;
}

}  // namespace dupq_tool
