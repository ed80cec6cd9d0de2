// Where rows of bins and weights of tapes lie: the images of what warpgroups multiply in shared memory, so that one
// bulk copy brings them there.
//
// A bin is 64 rows of whole texts: panels of 64 columns, each 64 rows of 128 bytes, swizzled. Two warpgroups of a block
// take two bins through the same weights. Outputs are numbered within 32 such that the eight that a lane holds of four
// neighbouring products are neighbours (group_column), and so are the depths of what is multiplied from registers.
#pragma once

#include "../bins.hpp"
#include "../layouts.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

inline constexpr int panel_columns = 64;
inline constexpr std::uint32_t panel_bytes = bin_rows * panel_columns * 2;

/// Bytes of a bin with so many columns, a multiple of 64.
DUPQ_HOST_DEVICE constexpr std::uint32_t bin_bytes(int columns) noexcept {
  return static_cast<std::uint32_t>(columns / panel_columns) * panel_bytes;
}
/// Bytes from the start of a bin to 16-byte chunk `chunk` of a row.
DUPQ_HOST_DEVICE constexpr std::uint32_t bin_offset(std::uint32_t row, std::uint32_t chunk) noexcept {
  return chunk / 8 * panel_bytes + swizzled128(row, chunk % 8);
}

/// Number of output `o` (or depth) within its group of 32: the inverse of group_column.
constexpr int group_place(int o) noexcept {
  const int in_group = o % group_outputs;
  return o - in_group + in_group % 8 / 2 * 8 + in_group / 8 * 2 + in_group % 2;
}

/// The tape of queries, keys and values: for each pair of heads of 32 dimensions 64 outputs of each of the three,
/// 32 inputs a stage.
template <int Hidden>
struct qkv_tape {
  static constexpr int outputs = 192;  ///< of a pair of heads
  static constexpr int stage_inputs = 32;
  static constexpr int stage_bytes = outputs * stage_inputs * 2;
  static constexpr int stages_per_pair = Hidden / stage_inputs;
  static constexpr int pairs = Hidden / panel_columns;
  static constexpr int stages = pairs * stages_per_pair;
  static constexpr std::size_t halves = std::size_t{stages} * stage_bytes / 2;

  /// Index of a weight; outputs are those of queries, keys and values, one behind the other.
  static constexpr std::size_t index(int output, int input) noexcept {
    const int which = output / Hidden, column = output % Hidden;
    const int row = which * panel_columns + group_place(column % panel_columns), depth = input % stage_inputs;
    const int stage = column / panel_columns * stages_per_pair + input / stage_inputs;
    return static_cast<std::size_t>(stage) * (stage_bytes / 2) +
           swizzled64(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(depth / 8)) / 2 +
           static_cast<std::size_t>(depth % 8);
  }
};

/// The tape of what follows attention: the output projection, then for each 64 columns of the perceptron their weights
/// and those that they have in the result. Two halves of outputs take turns.
template <int Hidden>
struct mlp_tape {
  static constexpr int outputs = Hidden / 2;  ///< of a stage with 64 inputs
  static constexpr int stage_bytes = outputs * panel_columns * 2;
  static constexpr int projection_stages = Hidden / panel_columns * 2;
  static constexpr int up_inputs = Hidden / 2;  ///< of a stage with 64 outputs
  static constexpr int column_stages = 4;       ///< two with 64 outputs, two with 64 inputs

  DUPQ_HOST_DEVICE static constexpr int stages(int inner) noexcept {
    return projection_stages + inner / panel_columns * column_stages;
  }
  static constexpr std::size_t halves(int inner) noexcept {
    return static_cast<std::size_t>(stages(inner)) * (stage_bytes / 2);
  }
  static constexpr std::size_t projection(int output, int input) noexcept {
    return at(input / panel_columns * 2 + output / outputs, 0, group_place(output % outputs), input % panel_columns);
  }
  static constexpr std::size_t up(int output, int input) noexcept {
    return at(projection_stages + output / panel_columns * column_stages + input / up_inputs,
              input % up_inputs / panel_columns, group_place(output % panel_columns), input % panel_columns);
  }
  static constexpr std::size_t down(int output, int input) noexcept {
    return at(projection_stages + input / panel_columns * column_stages + 2 + output / outputs, 0,
              group_place(output % outputs), group_place(input % panel_columns));
  }

 private:
  static constexpr std::size_t at(int stage, int panel, int row, int depth) noexcept {
    return static_cast<std::size_t>(stage) * (stage_bytes / 2) + static_cast<std::size_t>(panel) * (panel_bytes / 2) +
           swizzled128(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(depth / 8)) / 2 +
           static_cast<std::size_t>(depth % 8);
  }
};

}  // namespace dupq::inline DUPQ_ABI::gpu
