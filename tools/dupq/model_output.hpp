// A model file that is written: it is opened, as any model is, before it takes its name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/core/platform.hpp>
#include <dupq/model.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "output_file.hpp"

namespace dupq_tool {

/// A model over bytes in memory, which must outlive it, with storage from the heap.
class model_in_memory {
 public:
  /// `name`: what it is called in messages. `kernels`: the table to run; empty: the fastest.
  explicit model_in_memory(std::span<const std::byte> file, const std::string& name = "", std::string_view kernels = {})
      : storage_(needed(file, name) / sizeof(line) + 1),
        loaded_(dupq::model::load(file, std::as_writable_bytes(std::span(storage_)),
                                  {.kernels = kernels, .settings = &dupq::all_settings})) {
    if (!loaded_) throw failure(loaded_.error().in(name));
  }
  const dupq::model& operator*() const noexcept { return *loaded_; }

 private:
  struct alignas(dupq::alignment) line {
    std::byte bytes[dupq::alignment];
  };
  static std::size_t needed(std::span<const std::byte> file, const std::string& name) {
    const auto bytes = dupq::model::storage_bytes(file, {.settings = &dupq::all_settings});
    if (!bytes) throw failure(bytes.error().in(name));
    return *bytes;
  }

  std::vector<line> storage_;
  dupq::result<dupq::model> loaded_;
};

/// Writes a model file piece by piece. One that the library would not open is a failure, and no file.
class model_output {
 public:
  /// `bytes`: how many will come, where that is known.
  explicit model_output(const std::string& path, std::uint64_t bytes = 0) : out_(path) {
    if (!out_.seekable()) kept_.reserve(static_cast<std::size_t>(bytes));
  }

  void write(std::span<const std::byte> bytes) {
    if (out_.seekable())
      out_.write(bytes.data(), bytes.size());
    else
      kept_.insert(kept_.end(), bytes.begin(), bytes.end());  // a pipe gets nothing until the whole file was checked
  }

  void commit(const dupq::model_options& options = {}) {
    if (out_.seekable()) {
      out_.flush();
      if (const auto model = dupq::model::open(out_.temporary().c_str(), options); !model)
        throw failure(model.error().in(out_.name()));
    } else {
      (void)model_in_memory(kept_, out_.name());
      // In pieces, since output_file copies what it is given into its buffer as a whole.
      constexpr std::size_t piece = std::size_t{1} << 20;
      for (std::size_t at = 0; at < kept_.size(); at += piece)
        out_.write(kept_.data() + at, std::min(piece, kept_.size() - at));
    }
    out_.commit();
  }

 private:
  output_file out_;
  std::vector<std::byte> kept_;
};

}  // namespace dupq_tool
