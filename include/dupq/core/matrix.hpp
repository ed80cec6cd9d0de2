// A non-owning, row-major view of floats, tagged with the memory that it lives in.
#pragma once

#include <cstddef>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// Memory that this process reads and writes directly. A device with memory of its own has its own tag, so that a host
/// pointer cannot reach its kernels.
struct host_memory {};

/// `rows` x `columns`; row r begins at data + r * stride.
template <class T, class Memory = host_memory>
struct matrix {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;

  constexpr matrix() noexcept = default;
  constexpr matrix(T* data_, std::size_t rows_, std::size_t columns_, std::size_t stride_) noexcept
      : data(data_), rows(rows_), columns(columns_), stride(stride_) {}
  constexpr matrix(T* data_, std::size_t rows_, std::size_t columns_) noexcept
      : matrix(data_, rows_, columns_, columns_) {}

  constexpr T* row(std::size_t r) const noexcept { return data + r * stride; }
  constexpr matrix some_rows(std::size_t first, std::size_t n) const noexcept {
    return {row(first), n, columns, stride};
  }
  constexpr operator matrix<const T, Memory>() const noexcept { return {data, rows, columns, stride}; }
};

}  // namespace dupq::inline DUPQ_ABI
