// Stratified splits, index for index those of scikit-learn's train_test_split(..., stratify=labels, random_state=seed),
// so that rows held out in Python stay held out here.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <span>
#include <utility>

#include "core/error.hpp"
#include "core/labels.hpp"
#include "core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// How large a part of a split is: absent, a number of rows (any integer; a negative one counts as 0), or a fraction of
/// the rows (any floating-point number).
class share {
 public:
  constexpr share() noexcept = default;
  template <std::integral T>
  constexpr share(T rows) noexcept : form_(form::count), rows_(rows < 0 ? 0 : static_cast<std::size_t>(rows)) {}
  template <std::floating_point T>
  constexpr share(T fraction) noexcept : form_(form::fraction), fraction_(static_cast<double>(fraction)) {}

  constexpr bool absent() const noexcept { return form_ == form::absent; }
  constexpr bool is_fraction() const noexcept { return form_ == form::fraction; }
  constexpr double fraction() const noexcept { return fraction_; }
  constexpr std::size_t rows() const noexcept { return rows_; }

 private:
  enum class form : std::uint8_t { absent, count, fraction };
  form form_ = form::absent;
  std::size_t rows_ = 0;
  double fraction_ = 0;
};

/// The sizes of a split in two. One absent: the rest of the rows; both absent: a quarter for the test.
struct split_sizes {
  share train_size{};
  share test_size{};
};

/// The sizes of a split in three. Rows beyond their sum are left out.
struct three_way_sizes {
  share train{};
  share validation{};
  share test{};
};

/// The rows of up to three parts, in the order in which scikit-learn returns them; a split in two has no validation
/// part.
class split {
 public:
  std::span<const std::size_t> train() const noexcept { return part(0, train_); }
  std::span<const std::size_t> validation() const noexcept { return part(train_, validation_); }
  std::span<const std::size_t> test() const noexcept { return part(train_ + validation_, test_); }

 private:
  /// Nothing where the rows have been moved away.
  std::span<const std::size_t> part(std::size_t first, std::size_t n) const noexcept {
    return rows_ ? std::span<const std::size_t>(rows_.get() + first, n) : std::span<const std::size_t>();
  }

  friend result<split> train_test_split(dupq::labels, const split_sizes&, std::uint32_t) noexcept;
  friend result<split> three_way_split(dupq::labels, const three_way_sizes&, std::uint32_t) noexcept;
  split(std::unique_ptr<std::size_t[]> rows, std::size_t train, std::size_t validation, std::size_t test) noexcept
      : rows_(std::move(rows)), train_(train), validation_(validation), test_(test) {}

  std::unique_ptr<std::size_t[]> rows_;
  std::size_t train_;
  std::size_t validation_;
  std::size_t test_;
};

namespace split_detail {

/// The part of numpy.random.RandomState(seed) that splits need, with the same numbers.
class random_state {
 public:
  explicit random_state(std::uint32_t seed) noexcept : bits_(seed) {}

  /// RandomState.shuffle: from the last element down, each changes places with one at or before it.
  void shuffle(std::size_t* values, std::size_t n) noexcept {
    for (std::size_t i = n; i-- > 1;) std::swap(values[i], values[at_most(i)]);
  }

 private:
  /// A random number in 0..max: as many random bits as max has, drawn again while they make a larger number.
  std::size_t at_most(std::uint64_t max) noexcept {
    std::uint64_t mask = max;
    for (int shift = 1; shift < 64; shift *= 2) mask |= mask >> shift;
    for (;;) {
      std::uint64_t value = bits_();
      if (max > 0xFFFFFFFFu) value = value << 32 | bits_();
      if ((value & mask) <= max) return static_cast<std::size_t>(value & mask);
    }
  }

  std::mt19937 bits_;
};

/// How many rows each of the two labels has. A label without rows is no class.
struct class_rows {
  std::size_t of[2] = {0, 0};
  std::size_t total() const noexcept { return of[0] + of[1]; }
};

/// How many of `draws` rows come from each class: in proportion, rounded down; the rows still missing go to the largest
/// remainders, equal ones in random order (scikit-learn's _approximate_mode).
inline class_rows proportional(const class_rows& from, std::size_t draws, random_state& random) noexcept {
  class_rows drawn;
  double remainder[2];
  for (int c = 0; c < 2; ++c) {
    const double exact =
        static_cast<double>(from.of[c]) / static_cast<double>(from.total()) * static_cast<double>(draws);
    drawn.of[c] = static_cast<std::size_t>(exact);
    remainder[c] = exact - std::floor(exact);
  }
  const std::size_t missing = draws - drawn.total();
  std::size_t order[2] = {0, 1};
  if (remainder[1] > remainder[0]) std::swap(order[0], order[1]);
  if (missing != 0 && remainder[0] == remainder[1]) random.shuffle(order, 2);
  for (std::size_t i = 0; i < missing && i < 2; ++i) ++drawn.of[order[i]];
  return drawn;
}

/// A part's rows out of `n`, as a share names them; fractions are rounded by `round`.
inline result<std::size_t> rows_of(const share& s, std::size_t n, const char* part, double (*round)(double)) noexcept {
  if (s.is_fraction()) {
    if (!(s.fraction() > 0 && s.fraction() < 1)) return error(errc::bad_fraction, part);
    return static_cast<std::size_t>(round(s.fraction() * static_cast<double>(n)));
  }
  if (s.rows() == 0) return error(errc::too_few_rows, part, 1, 0);
  if (s.rows() >= n) return error(errc::too_many_rows, part, n == 0 ? 0 : n - 1, s.rows());
  return s.rows();
}

struct two_sizes {
  std::size_t train, test;
};

/// scikit-learn's _validate_shuffle_split.
inline result<two_sizes> check_sizes(split_sizes sizes, std::size_t n) noexcept {
  if (sizes.train_size.absent() && sizes.test_size.absent()) sizes.test_size = 0.25;
  if (sizes.train_size.is_fraction() && sizes.test_size.is_fraction() &&
      sizes.train_size.fraction() + sizes.test_size.fraction() > 1)
    return error(errc::bad_fraction, "train_size + test_size");
  two_sizes rows{0, 0};
  if (!sizes.test_size.absent()) {
    const auto test = rows_of(sizes.test_size, n, "test_size", [](double x) { return std::ceil(x); });
    if (!test) return test.error();
    rows.test = *test;
  }
  if (!sizes.train_size.absent()) {
    const auto train = rows_of(sizes.train_size, n, "train_size", [](double x) { return std::floor(x); });
    if (!train) return train.error();
    rows.train = *train;
  }
  if (sizes.train_size.absent()) rows.train = n - rows.test;
  if (sizes.test_size.absent()) rows.test = n - rows.train;
  if (rows.train + rows.test > n)
    return error(errc::too_many_rows, "train_size + test_size", n, rows.train + rows.test);
  return rows;
}

}  // namespace split_detail

/// train_test_split(range(n), train_size=..., test_size=..., stratify=labels, random_state=seed). What scikit-learn
/// refuses is an error: a label with one row, a part smaller than the number of labels, sizes beyond the rows.
inline result<split> train_test_split(dupq::labels labels, const split_sizes& sizes, std::uint32_t seed) noexcept {
  using namespace split_detail;
  const float_environment ieee;
  const std::size_t n = labels.size();
  const auto rows = check_sizes(sizes, n);
  if (!rows) return rows.error();
  class_rows counts;
  for (std::size_t i = 0; i < n; ++i) ++counts.of[labels[i] ? 1 : 0];
  for (std::size_t c = 0; c < 2; ++c)
    if (counts.of[c] == 1) return error(errc::too_few_rows, c == 0 ? "label 0" : "label 1", 2, 1);
  const std::size_t classes = std::size_t{counts.of[0] != 0} + std::size_t{counts.of[1] != 0};
  const std::size_t least = std::max<std::size_t>(classes, 1);
  if (rows->train < least) return error(errc::too_few_rows, "train part", least, rows->train);
  if (rows->test < least) return error(errc::too_few_rows, "test part", least, rows->test);

  std::unique_ptr<std::size_t[]> by_class(new (std::nothrow) std::size_t[n]);
  std::unique_ptr<std::size_t[]> parts(new (std::nothrow) std::size_t[rows->train + rows->test]);
  if (!by_class || !parts) return error(errc::out_of_memory, "split", n * sizeof(std::size_t));
  std::size_t next[2] = {0, counts.of[0]};
  for (std::size_t i = 0; i < n; ++i) by_class[next[labels[i] ? 1 : 0]++] = i;

  random_state random(seed);
  const class_rows train = proportional(counts, rows->train, random);
  const class_rows left{{counts.of[0] - train.of[0], counts.of[1] - train.of[1]}};
  const class_rows test = proportional(left, rows->test, random);
  std::size_t* to_train = parts.get();
  std::size_t* to_test = parts.get() + rows->train;
  std::size_t* from = by_class.get();
  for (std::size_t c = 0; c < 2; from += counts.of[c], ++c) {
    random.shuffle(from, counts.of[c]);
    to_train = std::copy_n(from, train.of[c], to_train);
    to_test = std::copy_n(from + train.of[c], test.of[c], to_test);
  }
  random.shuffle(parts.get(), rows->train);
  random.shuffle(parts.get() + rows->train, rows->test);
  return split(std::move(parts), rows->train, 0, rows->test);
}

/// Three parts by up to three calls of train_test_split with one seed: `keep` = as many rows as the parts have together
/// (no call when that is all rows), then keep into train and the rest, then the rest into validation and test.
/// Fractions are rounded to the nearest number of rows; those that add up to 1 leave no row out.
inline result<split> three_way_split(dupq::labels labels, const three_way_sizes& sizes, std::uint32_t seed) noexcept {
  using namespace split_detail;
  const float_environment ieee;
  const share* const shares[3] = {&sizes.train, &sizes.validation, &sizes.test};
  constexpr const char* names[3] = {"train", "validation", "test"};
  const std::size_t n = labels.size();
  std::size_t rows[3];
  double fractions = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto part = rows_of(*shares[i], n, names[i], [](double x) { return std::round(x); });
    if (!part) return part.error();
    rows[i] = *part;
    fractions += shares[i]->fraction();
  }
  if (fractions > 1 + 1e-9) return error(errc::bad_fraction, "train + validation + test");
  if (fractions > 1 - 1e-9) rows[0] = n - std::min(n, rows[1] + rows[2]);
  const std::size_t kept = rows[0] + rows[1] + rows[2];
  if (kept > n) return error(errc::too_many_rows, "train + validation + test", n, kept);

  // Row numbers and labels of what is split next: first all that is kept, then what is not for training.
  std::unique_ptr<std::size_t[]> row(new (std::nothrow) std::size_t[kept]);
  std::unique_ptr<bool[]> label(new (std::nothrow) bool[kept]);
  if (!row || !label) return error(errc::out_of_memory, "split", kept * sizeof(std::size_t));
  for (std::size_t i = 0; i < kept; ++i) row[i] = i;
  if (kept < n) {
    const auto keep = train_test_split(labels, {.train_size = kept}, seed);
    if (!keep) return keep.error();
    std::copy_n(keep->train().data(), kept, row.get());
  }
  for (std::size_t i = 0; i < kept; ++i) label[i] = labels[row[i]];

  auto first = train_test_split(std::span(label.get(), kept), {.train_size = rows[0]}, seed);
  if (!first) return first.error();
  const std::size_t held_out = rows[1] + rows[2];
  for (std::size_t& i : std::span(first->rows_.get(), kept)) i = row[i];
  const std::size_t* const rest = first->test().data();
  for (std::size_t i = 0; i < held_out; ++i) label[i] = labels[rest[i]];
  const auto second = train_test_split(std::span(label.get(), held_out), {.train_size = rows[1]}, seed);
  if (!second) return second.error();

  std::copy_n(first->train().data(), rows[0], row.get());
  for (std::size_t i = 0; i < held_out; ++i) row[rows[0] + i] = rest[second->rows_[i]];
  return split(std::move(row), rows[0], rows[1], rows[2]);
}

/// The split of the Quora notebook: 50,000 rows of the file (all of a shorter one), 80 % of them for training, the rest
/// in halves for validation and test.
inline result<split> notebook_split(dupq::labels labels, std::uint32_t seed = 42) noexcept {
  const std::size_t n = std::min<std::size_t>(labels.size(), 50000);
  const std::size_t held_out = (n + 4) / 5;
  const std::size_t test = (held_out + 1) / 2;
  return three_way_split(labels, {.train = n - held_out, .validation = held_out - test, .test = test}, seed);
}

}  // namespace dupq::inline DUPQ_ABI
