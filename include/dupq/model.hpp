// A model file, opened and validated: immutable, and shared among threads and encoders.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/arena.hpp"
#include "core/config.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/gguf.hpp"
#include "core/os.hpp"
#include "device/cpu/cpu.hpp"
#include "model/metadata.hpp"
#include "model/rare_settings.hpp"
#include "model/tokenizer_keys.hpp"
#include "model/weights.hpp"

namespace dupq::inline DUPQ_ABI {

struct model_options {
  std::string_view kernels{};  ///< the kernel table to run, one of available_kernels(); empty: the fastest
  /// Whether NaN and infinity among the weights are looked for: the whole file is read then, at the speed of memory.
  /// Without it a packed file of floats is ready at once, however large, and its pages come when they are needed; with
  /// such weights results are NaN or mean nothing, and no worse happens. Everything else is checked in any case.
  bool check_weights = true;
  /// &keep_halves, for encoders on a GPU alone: matrices in half precision stay as the file has them, instead of
  /// becoming floats first. Encoders on a CPU refuse such a model (unsupported).
  matrix_reader halves = nullptr;
  /// What few files ask for, &all_settings, which `open` takes by itself. Without it such a file is refused, and the
  /// program does not contain it.
  const rare_settings* settings = nullptr;
};

/// A model: its numbers, its tokenizer and its weights. What it refers to lies in the file's bytes and, where the
/// file's layout is not the kernels' own, in storage that is filled once.
class model {
 public:
  /// Maps the file and takes storage from the heap. Errors carry the file's name.
  static result<model> open(const char* path, const model_options& options = {}) noexcept {
    auto file = mapped_file::open(path, options.check_weights);
    if (!file) return file.error();
    model_options all = options;
    if (all.settings == nullptr) all.settings = &all_settings;
    model m;
    const auto needed = m.describe(file->bytes(), all);
    if (!needed) return needed.error().in(path);
    void* const storage = os::allocate(*needed);
    if (storage == nullptr) return error(errc::out_of_memory, {}, *needed).in(path);
    m.owned_ = {storage, std::move(*file), path};
    arena from({static_cast<std::byte*>(storage), *needed});
    if (const auto done = m.read(from, all); !done) return done.error().in(path);
    return result<model>(std::move(m));
  }
  static result<model> open(const std::string& path, const model_options& options = {}) noexcept {
    return open(path.c_str(), options);
  }
  /// A std::filesystem::path, whose header need not be included for it. (Names are UTF-8 on every system.)
  template <class Path>
  requires requires(const Path& path) { path.u8string(); }
  static result<model> open(const Path& path, const model_options& options = {}) {
    const auto name = path.u8string();
    return open(reinterpret_cast<const char*>(name.c_str()), options);
  }

  /// Over bytes that outlive the model, for instance in flash, and `storage` of storage_bytes(file) bytes, aligned to
  /// `alignment`, that the model keeps. Nothing is allocated. Errors: all that is wrong with a file; too_small,
  /// not_aligned, unknown_kernels.
  static result<model> load(std::span<const std::byte> file, std::span<std::byte> storage,
                            const model_options& options = {}) noexcept {
    const auto misaligned = reinterpret_cast<std::uintptr_t>(storage.data()) % alignment;
    if (misaligned != 0) return error(errc::not_aligned, "storage", alignment, misaligned);
    model m;
    const auto needed = m.describe(file, options);
    if (!needed) return needed.error();
    if (storage.size() < *needed) return error(errc::too_small, "storage", *needed, storage.size());
    arena from(storage);
    if (const auto done = m.read(from, options); !done) return done.error();
    return result<model>(std::move(m));
  }

  /// Bytes of storage that `load` needs for a file.
  static result<std::size_t> storage_bytes(std::span<const std::byte> file) noexcept {
    return model().describe(file, {}, true);
  }

  const dupq::config& config() const noexcept { return config_; }
  /// Floats of a bi-encoder's vector.
  std::size_t dim() const noexcept { return config_.dim(); }
  /// The score from which on a pair counts as duplicates, where the file has one (`dupq calibrate`).
  std::optional<float> threshold() const noexcept { return threshold_; }
  const dupq::tokenizer& tokenizer() const noexcept { return *tokenizer_; }
  const transformer<host_memory>& weights() const noexcept { return weights_; }
  /// The name of the kernel table in use.
  std::string_view kernels() const noexcept { return table_->name; }
  const dupq::kernels& kernel_table() const noexcept { return *table_; }
  const gguf::file& file() const noexcept { return file_; }
  /// What it was opened with for settings that few files have; null: none.
  const rare_settings* settings() const noexcept { return settings_; }
  bool packed() const noexcept { return format_.packed; }
  /// The tail of the name of the file it was opened from.
  const char* path() const noexcept { return owned_.path; }

 private:
  /// What `open` holds on to. The pointer to what frees it keeps programs without a heap free of one.
  struct ownership {
    void* storage = nullptr;
    mapped_file file;
    char path[44]{};
    void (*release)(void*) noexcept = nullptr;

    ownership() noexcept = default;
    ownership(void* storage_, mapped_file&& file_, std::string_view path_) noexcept
        : storage(storage_), file(std::move(file_)), release(os::release) {
      const error named = error(errc::cannot_open).in(path_);
      for (std::size_t i = 0; i < sizeof path; ++i) path[i] = named.file[i];
    }
    ownership(ownership&& other) noexcept { swap(other); }
    ownership& operator=(ownership&& other) noexcept { return swap(other), *this; }
    ~ownership() {
      if (storage != nullptr) release(storage);
    }
    void swap(ownership& other) noexcept {
      std::swap(storage, other.storage);
      std::swap(file, other.file);
      std::swap(path, other.path);
      std::swap(release, other.release);
    }
  };

  model() noexcept = default;

  /// Parses a file and reads its numbers. The result is how many bytes of storage the rest, which `read` reads, needs.
  result<std::size_t> describe(std::span<const std::byte> file, const model_options& options,
                               bool only_count = false) noexcept {
    settings_ = options.settings;
    table_ = find_kernels(options.kernels);
    if (table_ == nullptr) return error(errc::unknown_kernels, options.kernels);
    const auto parsed = gguf::file::parse(file);
    if (!parsed) return parsed.error();
    file_ = *parsed;
    const auto format = read_format(file_);
    if (!format) return format.error();
    format_ = *format;
    const auto c = read_config(file_, format_, settings_ != nullptr || only_count);
    if (!c) return c.error();
    config_ = *c;
    if (settings_ != nullptr)
      if (const auto done = settings_->read(file_, config_); !done) return done.error();
    const auto threshold = read_threshold(file_);
    if (!threshold) return threshold.error();
    threshold_ = *threshold;
    arena counter;
    if (const auto done = read(counter, {.halves = options.halves}); !done) return done.error();
    return counter.used();
  }
  /// The tokenizer and the weights; counts what they need where `storage` has no memory.
  result<void> read(arena& storage, const model_options& options) noexcept {
    tokenizer_reader words(file_, storage, settings_ == nullptr ? nullptr : settings_->text);
    const auto t = words.read();
    if (!t) return t.error();
    tokenizer_ = *t;
    weight_reader tensors(file_, config_, format_.packed, storage, options.check_weights, options.halves);
    return tensors.read(weights_);
  }

  gguf::file file_;
  const dupq::kernels* table_ = nullptr;
  const rare_settings* settings_ = nullptr;
  file_format format_;
  dupq::config config_;
  std::optional<float> threshold_;
  std::optional<dupq::tokenizer> tokenizer_;
  transformer<host_memory> weights_;
  ownership owned_;
};

}  // namespace dupq::inline DUPQ_ABI
