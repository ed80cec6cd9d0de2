// What results of a GPU have to be, on a chip and in the emulator: near the CPU's, and the same bits whatever stands
// beside a text.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <dupq/dupq.hpp>
#include <random>
#include <string>
#include <vector>

namespace cuda_test {

/// How far vectors are apart.
struct closeness {
  double component = 0;  ///< the largest difference, over the vector's largest component where that is above 1
  double cosine = 1;     ///< the least of a pair
};

/// Vectors of `dim` floats against the true ones; NaN is far.
inline closeness compare(const std::vector<float>& truth, const std::vector<float>& found, std::size_t dim) {
  REQUIRE(found.size() == truth.size());
  closeness c;
  for (std::size_t begin = 0; begin < truth.size(); begin += dim) {
    double difference = 0, largest = 1, product = 0, squares = 0, others = 0;
    for (std::size_t i = begin; i < begin + dim; ++i) {
      const double a{truth[i]}, b{found[i]}, d = std::fabs(a - b);
      difference = d <= difference ? difference : d;
      largest = std::max(largest, std::fabs(a));
      product += a * b, squares += a * a, others += b * b;
    }
    const double cosine = squares == 0 && others == 0 ? 1 : product / std::sqrt(squares * others);
    c.component = difference / largest <= c.component ? c.component : difference / largest;
    c.cosine = cosine >= c.cosine ? c.cosine : cosine;
  }
  return c;
}
/// The same for results that must be near. One float each: scores or logits, which have no cosine.
inline closeness check_near(const std::vector<float>& truth, const std::vector<float>& found, std::size_t dim,
                            double most = 2e-3) {
  const closeness c = compare(truth, found, dim);
  CHECK(c.component < most);
  if (dim > 1) CHECK(c.cosine >= 0.9999);
  return c;
}

inline std::vector<std::size_t> random_order(std::size_t n) {
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  return order;
}
/// The items of a list, of `each` elements, in another order.
template <class T>
std::vector<T> reordered(const std::vector<T>& list, const std::vector<std::size_t>& order, std::size_t each = 1) {
  std::vector<T> moved(list.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    std::copy_n(list.begin() + static_cast<std::ptrdiff_t>(order[i] * each), each,
                moved.begin() + static_cast<std::ptrdiff_t>(i * each));
  return moved;
}

template <class Result>
void require(const Result& made) {
  if (!made) dupq::print_error(made.error());
  REQUIRE(made);
}
template <class Encoder>
std::vector<float> encode(Encoder& encoder, const std::vector<std::string>& texts, std::size_t dim) {
  std::vector<float> out(texts.size() * dim);
  const auto done = encoder.encode(texts, out);
  if (!done) dupq::print_error(done.error());
  REQUIRE(done);
  return out;
}
template <class Encoder>
std::vector<float> score(Encoder& encoder, const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<float> out(a.size());
  const auto done = encoder.score(a, b, out);
  if (!done) dupq::print_error(done.error());
  REQUIRE(done);
  return out;
}

/// Vectors by `whole` against the true ones, against themselves when repeated and in another order (in the emulator,
/// whose seeds go on, under other schedules too), and against those by `parts`, whose batches are smaller.
template <class Encoder>
closeness check_vectors(Encoder& whole, Encoder& parts, const std::vector<std::string>& texts,
                        const std::vector<float>& truth) {
  const std::size_t dim = truth.size() / texts.size();
  const auto found = encode(whole, texts, dim);
  const auto order = random_order(texts.size());
  const bool repeats = encode(whole, texts, dim) == found,
             any_order = encode(whole, reordered(texts, order), dim) == reordered(found, order, dim),
             any_batch = encode(parts, texts, dim) == found;
  CHECK(repeats);
  CHECK(any_order);
  CHECK(any_batch);
  return check_near(truth, found, dim);
}
/// The same of the scores of pairs.
template <class Encoder>
closeness check_scores(Encoder& whole, Encoder& parts, const std::vector<std::string>& a,
                       const std::vector<std::string>& b, const std::vector<float>& truth, double most = 2e-3) {
  const auto found = score(whole, a, b);
  const auto order = random_order(a.size());
  const bool repeats = score(whole, a, b) == found,
             any_order = score(whole, reordered(a, order), reordered(b, order)) == reordered(found, order),
             any_batch = score(parts, a, b) == found;
  CHECK(repeats);
  CHECK(any_order);
  CHECK(any_batch);
  return check_near(truth, found, 1, most);
}

/// Encoders of one or two texts a pass: the same as above, and the same bits for texts or pairs alone.
template <class Encoder>
closeness check_few(Encoder& two, const std::vector<std::string>& texts, const std::vector<float>& truth) {
  const std::size_t dim = truth.size() / texts.size();
  const auto all = encode(two, texts, dim);
  std::vector<float> alone;
  for (const auto& text : texts) {
    const auto one = encode(two, std::vector{text}, dim);
    alone.insert(alone.end(), one.begin(), one.end());
  }
  const bool any_text_beside = alone == all;
  CHECK(any_text_beside);
  return check_vectors(two, two, texts, truth);
}
template <class Encoder>
closeness check_few(Encoder& two, const std::vector<std::string>& a, const std::vector<std::string>& b,
                    const std::vector<float>& truth, double most = 2e-3) {
  const auto all = score(two, a, b);
  std::vector<float> alone;
  for (std::size_t i = 0; i < a.size(); ++i) alone.push_back(score(two, {a[i]}, {b[i]})[0]);
  const bool any_pair_beside = alone == all;
  CHECK(any_pair_beside);
  return check_scores(two, two, a, b, truth, most);
}

}  // namespace cuda_test
