// A model file, opened and validated: immutable, and shared among threads and encoders.
#pragma once

#include <cstddef>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
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
  /// Whether `open` maps the file: quick, and its pages are shared among processes. But who cuts a mapped file short,
  /// or writes over it in place, ends the programs that read it (SIGBUS) or changes their results; a file that is
  /// replaced by renaming another is safe. Without it the file is read once, into memory of the model's own.
  bool map = true;
  /// &keep_halves, for encoders on a GPU alone: matrices in half precision stay as the file has them, instead of
  /// becoming floats first. Encoders on a CPU refuse such a model (unsupported).
  matrix_reader halves = nullptr;
  /// &all_settings, or null: the code for settings that few files have (prompts, other poolings and similarities).
  /// `open` brings it by itself. For `load`, without it such files are refused, and the program is smaller.
  const rare_settings* settings = nullptr;
};

namespace model_detail {

/// What a model consists of. It lies in the model's storage, where it stays when the model moves.
struct contents {
  const gguf::file* file = nullptr;  ///< beside it; null where there is nothing
  const dupq::kernels* table = &scalar_kernels::table;
  const rare_settings* settings = nullptr;
  file_format format;
  dupq::config config;
  std::optional<float> threshold;
  dupq::tokenizer tokenizer;
  transformer<host_memory> weights;
  char path[44] = {};

  /// Parses a file and reads its numbers. The result is how many bytes of storage a model of it needs.
  /// `Rare`: whether there can be options.settings; a program that never has any carries no code for them.
  template <bool Rare = true>
  result<std::size_t> describe(std::span<const std::byte> bytes, const model_options& options, gguf::file& parsed,
                               bool only_count = false) noexcept {
    const float_environment ieee;
    if constexpr (Rare) settings = options.settings;
    table = find_kernels(options.kernels);
    if (table == nullptr) return error(errc::unknown_kernels, options.kernels);
    const auto whole = gguf::file::parse(bytes);
    if (!whole) return whole.error();
    parsed = *whole;
    file = &parsed;
    bool table_alone = false;
    if constexpr (Rare) table_alone = (settings != nullptr || only_count) && static_table::is_in(parsed);
    if (!table_alone) {
      const auto known_format = read_format(parsed);
      if (!known_format) return known_format.error();
      format = *known_format;
    }
    const auto c = table_alone ? static_table::read_config(parsed)
                               : read_config(parsed, format, Rare && (settings != nullptr || only_count));
    if (!c) return c.error();
    config = *c;
    if (table_alone) format = {config.architecture, true};
    if constexpr (Rare)
      if (settings != nullptr)
        if (const auto done = settings->read(parsed, config, table); !done) return done.error();
    const auto stored_threshold = read_threshold(parsed);
    if (!stored_threshold) return stored_threshold.error();
    threshold = *stored_threshold;
    arena counter;
    counter.take<contents>(1);
    counter.take<gguf::file>(1);
    if (const auto done = read<Rare>(counter, {.halves = options.halves}); !done) return done.error();
    if (counter.used() == arena::impossible) return error(errc::out_of_memory, "storage");
    return counter.used();
  }
  /// The tokenizer and the weights; counts what they need where `storage` has no memory.
  template <bool Rare>
  result<void> read(arena& storage, const model_options& options) noexcept {
    const float_environment ieee;
    const bool more = Rare && settings != nullptr;
    tokenizer_reader words(*file, storage, more ? &settings->tokenizers : nullptr);
    const auto t = words.read();
    if (!t) return t.error();
    if (*t) tokenizer = **t;  // nothing while storage is only counted
    if constexpr (Rare)
      if (config.kind == model_kind::static_encoder)
        return !storage.has_memory() ? result<void>() : settings->check_static(*file, config, options.check_weights);
    weight_reader tensors(*file, config, format.packed, storage, options.check_weights, options.halves);
    return tensors.read(weights);
  }
};
static_assert(std::is_trivially_destructible_v<contents>);

/// The contents of a model that has been moved from.
inline constinit const contents nothing;
inline constinit const gguf::file no_file;

}  // namespace model_detail

/// A model: its numbers, its tokenizer and its weights. They lie in the file's bytes and in storage that is filled once
/// and stays where it is, so a model can be moved while encoders use it: the model that it was moved to must then
/// outlive them. A model that has been moved from is empty, and no encoder can be made of it.
class model {
 public:
  /// Maps the file, or reads it, and takes storage from the heap. Errors carry the file's name.
  static result<model> open(const char* path, const model_options& options = {}) noexcept {
    auto file = options.map ? mapped_file::open(path, options.check_weights) : mapped_file::read(path);
    if (!file) return file.error();
    model_options all = options;
    if (all.settings == nullptr) all.settings = &all_settings;
    gguf::file parsed;
    model_detail::contents c;
    const auto needed = c.describe(file->bytes(), all, parsed);
    if (!needed) return needed.error().in(path);
    const error named = error(errc::cannot_open).in(path);
    for (std::size_t i = 0; i < sizeof c.path; ++i) c.path[i] = named.file[i];
    void* const storage = os::allocate(*needed);
    if (storage == nullptr) return error(errc::out_of_memory, "", *needed).in(path);
    model m;
    m.owned_ = {storage, std::move(*file)};
    if (const auto done = m.fill(c, {static_cast<std::byte*>(storage), *needed}, all); !done)
      return done.error().in(path);
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
                            const model_options& options) noexcept {
    return load_with<true>(file, storage, options);
  }
  static result<model> load(std::span<const std::byte> file, std::span<std::byte> storage) noexcept {
    return load_with<false>(file, storage, {});
  }

  /// Bytes of storage that `load` needs for a file.
  static result<std::size_t> storage_bytes(std::span<const std::byte> file) noexcept {
    gguf::file parsed;
    return model_detail::contents().describe(file, {}, parsed, true);
  }
  /// The same for `load` with options: files that only options.settings can read are not refused.
  static result<std::size_t> storage_bytes(std::span<const std::byte> file, const model_options& options) noexcept {
    gguf::file parsed;
    return model_detail::contents().describe(file, options, parsed);
  }

  model(model&& other) noexcept
      : contents_(std::exchange(other.contents_, &model_detail::nothing)), owned_(std::move(other.owned_)) {}
  model& operator=(model&& other) noexcept {
    model moved(std::move(other));
    std::swap(contents_, moved.contents_);
    owned_.swap(moved.owned_);
    return *this;
  }

  /// The same model without what it owns: it must not outlive this one, or what this one is moved to.
  model view() const noexcept {
    model same;
    same.contents_ = contents_;
    return same;
  }
  /// Whether there is nothing in it: it has been moved from.
  bool empty() const noexcept { return contents_ == &model_detail::nothing; }

  const dupq::config& config() const noexcept { return contents_->config; }
  /// Floats of a bi-encoder's vector.
  std::size_t dim() const noexcept { return config().dim(); }
  /// The score from which on a pair counts as duplicates, where the file has one (`dupq calibrate`).
  std::optional<float> threshold() const noexcept { return contents_->threshold; }
  const dupq::tokenizer& tokenizer() const noexcept { return contents_->tokenizer; }
  const transformer<host_memory>& weights() const noexcept { return contents_->weights; }
  /// The name of the kernel table in use.
  std::string_view kernels() const noexcept { return kernel_table().name; }
  const dupq::kernels& kernel_table() const noexcept { return *contents_->table; }
  const gguf::file& file() const noexcept { return empty() ? model_detail::no_file : *contents_->file; }
  /// The same; the model must not be empty.
  const gguf::file& opened_file() const noexcept { return *contents_->file; }
  /// What it was opened with for settings that few files have; null: none.
  const rare_settings* settings() const noexcept { return contents_->settings; }
  bool packed() const noexcept { return contents_->format.packed; }
  /// The tail of the name of the file it was opened from.
  const char* path() const noexcept { return contents_->path; }

 private:
  /// What `open` holds on to. The pointer to what frees it keeps programs without a heap free of one.
  struct ownership {
    void* storage = nullptr;
    mapped_file file;
    void (*release)(void*) noexcept = nullptr;

    ownership() noexcept = default;
    ownership(void* storage_, mapped_file&& file_) noexcept
        : storage(storage_), file(std::move(file_)), release(os::release) {}
    ownership(ownership&& other) noexcept { swap(other); }
    ownership& operator=(ownership&& other) noexcept { return swap(other), *this; }
    ~ownership() {
      if (storage != nullptr) release(storage);
    }
    void swap(ownership& other) noexcept {
      std::swap(storage, other.storage);
      std::swap(file, other.file);
      std::swap(release, other.release);
    }
  };

  model() noexcept = default;

  template <bool Rare>
  static result<model> load_with(std::span<const std::byte> file, std::span<std::byte> storage,
                                 const model_options& options) noexcept {
    const auto misaligned = reinterpret_cast<std::uintptr_t>(storage.data()) % alignment;
    if (misaligned != 0) return error(errc::not_aligned, "storage", alignment, misaligned);
    gguf::file parsed;
    model_detail::contents c;
    const auto needed = c.describe<Rare>(file, options, parsed);
    if (!needed) return needed.error();
    if (storage.size() < *needed) return error(errc::too_small, "storage", *needed, storage.size());
    model m;
    if (const auto done = m.fill<Rare>(c, storage, options); !done) return done.error();
    return result<model>(std::move(m));
  }

  /// Puts what has been read of a file into storage, and reads the rest.
  template <bool Rare = true>
  result<void> fill(const model_detail::contents& read, std::span<std::byte> storage,
                    const model_options& options) noexcept {
    arena from(storage);
    auto* const all = ::new (static_cast<void*>(from.take<model_detail::contents>(1))) model_detail::contents(read);
    all->file = ::new (static_cast<void*>(from.take<gguf::file>(1))) gguf::file(*read.file);
    contents_ = all;
    return all->read<Rare>(from, options);
  }

  const model_detail::contents* contents_ = &model_detail::nothing;
  ownership owned_;
};

}  // namespace dupq::inline DUPQ_ABI
