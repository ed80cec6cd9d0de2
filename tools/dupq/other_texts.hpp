// What `dedup --against` names: the texts of another file, or of an index. They have numbers, and lie in parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/core/platform.hpp>
#include <dupq/index/reader.hpp>
#include <dupq/search/packed_rows.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "folded_texts.hpp"
#include "index_input.hpp"
#include "row_output.hpp"
#include "scoring.hpp"
#include "session.hpp"

namespace dupq_tool {

class other_texts {
 public:
  static constexpr std::uint32_t none = folded_texts::none;

  /// Texts whose vectors lie one behind the other.
  struct part {
    dupq::packed_rows rows;
    std::size_t first;                  ///< the number of its first text
    std::vector<std::uint64_t> passed;  ///< a bit a text: those that are not compared; empty: all are

    bool passes(std::size_t row) const noexcept { return !passed.empty() && (passed[row / 64] >> row % 64 & 1) != 0; }
  };

  other_texts() = default;
  other_texts(const other_texts&) = delete;
  other_texts& operator=(const other_texts&) = delete;
  virtual ~other_texts() = default;

  std::span<const part> parts() const noexcept { return parts_; }
  std::size_t size() const noexcept { return parts_.empty() ? 0 : parts_.back().first + parts_.back().rows.rows; }
  /// The number of the first text that equals this one; `none` if there is no such text.
  std::uint32_t find(std::string_view text) const {
    const auto found = numbers().find(text);
    return found == numbers().end() ? none : found->second;
  }
  virtual std::span<const float> vector(std::size_t number) const noexcept = 0;
  virtual std::string_view text(std::size_t number) const = 0;
  /// Writes what users call it: its line, or its id.
  virtual void write_name(row_output& out, std::size_t number) const = 0;
  /// Says on stderr what was odd about them.
  virtual void report(session& s) const = 0;

 protected:
  using number_map = std::unordered_map<std::string_view, std::uint32_t>;
  virtual const number_map& numbers() const noexcept = 0;

  std::vector<part> parts_;
};

/// The distinct texts of a file.
class file_texts final : public other_texts {
 public:
  file_texts(session& s, const arguments& args, const std::string& path)
      : rows_(args, path, row_kind::text),
        all_(read_folded(rows_)),
        dim_(s.dim()),
        vectors_(encode_all(s, all_.texts)),
        packed_(dupq::packed_bytes(all_.texts.size(), dim_) / sizeof(line) + 1),
        cut_(s.truncated()) {
    const dupq::pack_options options{s.model().config().similarity, &s.model().kernel_table(), s.executor()};
    const auto memory = std::as_writable_bytes(std::span(packed_));
    if (!vectors_.empty()) parts_.push_back({take(dupq::pack_rows(vectors_, dim_, memory, options)), 0, {}});
  }

  std::span<const float> vector(std::size_t number) const noexcept override {
    return std::span(vectors_).subspan(number * dim_, dim_);
  }
  std::string_view text(std::size_t number) const override { return all_.texts[number]; }
  void write_name(row_output& out, std::size_t number) const override { out.number(all_.lines[all_.first[number]]); }
  void report(session& s) const override { rows_.report(cut_, s.tokens(), "text"); }

 private:
  struct alignas(dupq::alignment) line {
    std::byte bytes[dupq::alignment];
  };
  const number_map& numbers() const noexcept override { return all_.numbers; }

  row_source rows_;
  folded_texts all_;
  std::size_t dim_;
  std::vector<float> vectors_;
  std::vector<line> packed_;
  std::uint64_t cut_;
};

/// The texts of an index that are not removed, the first of equal ones.
class index_texts final : public other_texts {
 public:
  index_texts(const session& s, const std::string& folder) : reader_(take(dupq::index_reader::open(folder))) {
    check_model(reader_, folder, s);
    if (reader_.rows() >= none) throw failure(folder + ": more than 4,294,967,294 rows");
    for (std::size_t i = 0; i < reader_.segment_count(); ++i) {
      const dupq::index_rows segment = reader_.segment(i);
      part p{segment.rows, segment.first, {segment.removed.begin(), segment.removed.end()}};
      p.passed.resize((p.rows.rows + 63) / 64);
      for (std::size_t row = 0; row < p.rows.rows; ++row)
        if (!p.passes(row) && !numbers_.emplace(text(p.first + row), static_cast<std::uint32_t>(p.first + row)).second)
          p.passed[row / 64] |= std::uint64_t{1} << row % 64;
      parts_.push_back(std::move(p));
    }
  }

  std::span<const float> vector(std::size_t number) const noexcept override { return reader_.vector(number); }
  std::string_view text(std::size_t number) const override { return take(reader_.text(number)); }
  void write_name(row_output& out, std::size_t number) const override { out.text(take(reader_.id(number))); }
  void report(session&) const override {}

 private:
  const number_map& numbers() const noexcept override { return numbers_; }

  dupq::index_reader reader_;
  number_map numbers_;
};

}  // namespace dupq_tool
