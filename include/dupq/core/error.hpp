// What went wrong, as a value: `errc`, `error` and `result<T>`. Nothing in the library throws, prints or aborts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// The kinds of failure. `describe` has a sentence for each; `expected` and `found` are filled where it names them.
enum class errc : std::uint16_t {
  // files
  no_such_file,    ///< there is no file of that name
  is_a_directory,  ///< a directory where a file is needed
  cannot_open,     ///< the operating system refuses; `found` is its error number
  cannot_read,     ///< an input or output error; `found` is the error number
  cannot_write,    ///< the disk is full, or the system refuses; `found` is the error number
  out_of_memory,   ///< `expected` bytes were asked for
  // model files
  not_gguf,             ///< wrong magic number
  unsupported_version,  ///< GGUF version `found`, `expected` is read
  truncated,            ///< ends at byte `found`, `expected` are needed
  bad_key,              ///< a key or tensor name that is empty, too long, or not text
  duplicate_key,        ///< the same key or tensor twice
  missing_key,          ///< a key that the model needs is not there
  missing_tensor,       ///< a tensor that the model needs is not there
  wrong_type,           ///< a key or tensor of another type
  wrong_value,          ///< a key's value `found` where `expected` is needed
  out_of_range,         ///< a value `found` beyond the limit `expected`
  wrong_dimensions,     ///< `expected` dimensions, `found` dimensions
  wrong_shape,          ///< an extent of `found` where `expected` is needed
  misaligned,           ///< a tensor's offset `found` is no multiple of `expected`
  overlapping,          ///< a tensor shares bytes with another
  not_finite,           ///< a weight is NaN or infinite; `found` is its index
  unsupported,          ///< well-formed, but not something the library runs
  wrong_kind,           ///< a cross-encoder opened as a bi-encoder, or the reverse
  bad_vocabulary,       ///< the vocabulary's index contradicts its tokens
  unknown_kernels,      ///< no such kernel table, or this CPU cannot run it
  // calls
  moved_from,   ///< the subject, or what is called, has been moved from
  wrong_size,   ///< a span of `found` elements where `expected` are needed
  bad_limit,    ///< a limit of `found` where at least/at most `expected` is possible
  too_small,    ///< storage or workspace of `found` bytes where `expected` are needed
  not_aligned,  ///< a buffer that is not aligned to `expected` bytes
  no_gpu,       ///< there is no GPU, or no driver for it; the subject is what CUDA calls that
  gpu_failed,   ///< CUDA reports error number `found`; the subject is its name
  cancelled,    ///< a callback of the caller's ended the call before all was done
  // splits
  too_few_rows,   ///< a part, or the rows of a label, has `found` rows where `expected` are needed
  too_many_rows,  ///< a part asks for `found` rows where at most `expected` can be had
  bad_fraction,   ///< a part's fraction is not between 0 and 1
  // indexes
  exists_already,  ///< something of that name is there
  in_use,          ///< somebody else writes to it
  damaged,         ///< a file of an index that contradicts itself, or another one of it
  wrong_model,     ///< an index, or a cascade, made with another model: the subject has both names
  no_such_id,      ///< no text has that id
};

/// The sentence for an error code, without its subject and numbers.
constexpr const char* describe(errc code) noexcept;

/// A failure: trivially copyable, it owns copies of (the tails of) the names that it mentions.
struct error {
  errc code{};
  char file[44]{};     ///< tail of the file's name; empty where no file is involved
  char subject[64]{};  ///< tail of the key, tensor or argument
  std::uint64_t expected = 0;
  std::uint64_t found = 0;

  error() = default;
  // None is inlined, and there are several, so that each of the many places where something can be wrong is short in a
  // program that is compiled for size: a const char* is one argument, a view is two and a call that counts its letters.
  DUPQ_NOINLINE explicit error(errc code_, std::string_view subject_ = {}) noexcept : code(code_) {
    copy_tail(subject, sizeof subject, subject_);
  }
  DUPQ_NOINLINE error(errc code_, const char* subject_) noexcept : error(code_, std::string_view(subject_)) {}
  DUPQ_NOINLINE error(errc code_, std::string_view subject_, std::uint64_t expected_, std::uint64_t found_ = 0) noexcept
      : error(code_, subject_) {
    expected = expected_, found = found_;
  }
  DUPQ_NOINLINE error(errc code_, const char* subject_, std::uint64_t expected_, std::uint64_t found_ = 0) noexcept
      : error(code_, std::string_view(subject_), expected_, found_) {}
  error(errc, std::nullptr_t, std::uint64_t, std::uint64_t = 0) = delete;  // {} would be a null pointer

  /// The same error, attributed to a file.
  error in(std::string_view path) const noexcept {
    error e = *this;
    copy_tail(e.file, sizeof e.file, path);
    return e;
  }

  /// Writes "file: subject: what happened" and a NUL into `out` (cut at `size`); returns the length without the NUL.
  std::size_t format(char* out, std::size_t size) const noexcept;
  /// The same line as a string, for programs that have a heap.
  std::string message() const {
    char line[320];
    return {line, format(line, sizeof line)};
  }

 private:
  static void copy_tail(char* to, std::size_t room, std::string_view from) noexcept {
    const bool cut = from.size() > room - 1;
    if (cut) from.remove_prefix(from.size() - (room - 1));
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = cut && i < 3 ? '.' : from[i];
    to[from.size()] = '\0';
  }
};
static_assert(std::is_trivially_copyable_v<error> && sizeof(error) == 128);

/// Ends the program where the caller has read what is not there: the value of a failure, or the error of a success. In
/// every build, since units of one program that differ in NDEBUG share inline functions.
inline void trap_unless(bool there) noexcept {
  if (!there) __builtin_trap();
}

/// Either a value or an error. Reading the wrong one traps.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) noexcept : ok_(true) { ::new (static_cast<void*>(&value_)) T(std::move(value)); }
  result(const dupq::error& e) noexcept : ok_(false) { ::new (static_cast<void*>(&error_)) dupq::error(e); }
  result(result&& other) noexcept : ok_(other.ok_) {
    if (ok_)
      ::new (static_cast<void*>(&value_)) T(std::move(other.value_));
    else
      ::new (static_cast<void*>(&error_)) dupq::error(other.error_);
  }
  result& operator=(result&& other) noexcept {
    if (this != &other) {
      this->~result();
      ::new (static_cast<void*>(this)) result(std::move(other));
    }
    return *this;
  }
  ~result() {
    if (ok_) value_.~T();
  }

  bool has_value() const noexcept { return ok_; }
  explicit operator bool() const noexcept { return ok_; }
  T& operator*() & noexcept { return trap_unless(ok_), value_; }
  const T& operator*() const& noexcept { return trap_unless(ok_), value_; }
  T&& operator*() && noexcept { return trap_unless(ok_), std::move(value_); }
  T& value() & noexcept { return **this; }
  const T& value() const& noexcept { return **this; }
  T&& value() && noexcept { return *std::move(*this); }
  /// The value, or `otherwise` where there is an error.
  T value_or(T otherwise) const& { return ok_ ? value_ : std::move(otherwise); }
  T value_or(T otherwise) && { return ok_ ? std::move(value_) : std::move(otherwise); }
  T* operator->() noexcept { return trap_unless(ok_), &value_; }
  const T* operator->() const noexcept { return trap_unless(ok_), &value_; }
  const dupq::error& error() const noexcept { return trap_unless(!ok_), error_; }

 private:
  bool ok_;
  union {
    T value_;
    dupq::error error_;
  };
};

/// Success, or an error: what a call returns that gives nothing else. `if (auto done = f(); !done) ... done.error()`.
template <>
class [[nodiscard]] result<void> {
 public:
  result() noexcept : ok_(true), none_() {}
  result(const dupq::error& e) noexcept : ok_(false), error_(e) {}

  bool has_value() const noexcept { return ok_; }
  explicit operator bool() const noexcept { return ok_; }
  const dupq::error& error() const noexcept { return trap_unless(!ok_), error_; }

 private:
  bool ok_;
  union {
    char none_;  // nothing of an error is written where there is none
    dupq::error error_;
  };
};

constexpr const char* describe(errc code) noexcept {
  switch (code) {
    case errc::no_such_file: return "no such file";
    case errc::is_a_directory: return "is a directory";
    case errc::cannot_open: return "cannot be opened";
    case errc::cannot_read: return "cannot be read";
    case errc::cannot_write: return "cannot be written";
    case errc::out_of_memory: return "not enough memory";
    case errc::not_gguf: return "not a GGUF model file";
    case errc::unsupported_version: return "unsupported GGUF version";
    case errc::truncated: return "the file ends too early";
    case errc::bad_key: return "malformed name";
    case errc::duplicate_key: return "appears twice";
    case errc::missing_key: return "missing key";
    case errc::missing_tensor: return "missing tensor";
    case errc::wrong_type: return "wrong type";
    case errc::wrong_value: return "wrong value";
    case errc::out_of_range: return "out of range";
    case errc::wrong_dimensions: return "wrong number of dimensions";
    case errc::wrong_shape: return "wrong shape";
    case errc::misaligned: return "misaligned data";
    case errc::overlapping: return "shares bytes with another tensor";
    case errc::not_finite: return "holds NaN or infinity";
    case errc::unsupported: return "not supported";
    case errc::wrong_kind: return "the wrong kind of model";
    case errc::bad_vocabulary: return "the vocabulary's index contradicts its tokens";
    case errc::unknown_kernels: return "no such kernels on this CPU";
    case errc::moved_from: return "has been moved from";
    case errc::wrong_size: return "wrong number of elements";
    case errc::bad_limit: return "impossible limit";
    case errc::too_small: return "too small";
    case errc::not_aligned: return "not aligned";
    case errc::no_gpu: return "no GPU that CUDA can use";
    case errc::gpu_failed: return "the GPU failed";
    case errc::cancelled: return "cancelled by the caller";
    case errc::too_few_rows: return "too few rows";
    case errc::too_many_rows: return "too many rows";
    case errc::bad_fraction: return "the fraction is not between 0 and 1";
    case errc::exists_already: return "exists already";
    case errc::in_use: return "in use";
    case errc::damaged: return "damaged";
    case errc::wrong_model: return "another model";
    case errc::no_such_id: return "no such id";
  }
  return "unknown error";
}

inline std::size_t error::format(char* out, std::size_t size) const noexcept {
  std::size_t n = 0;
  const auto put = [&](std::string_view s) {
    for (char c : s)
      if (n + 1 < size) out[n++] = c;
  };
  const auto number = [&](std::uint64_t v) {
    char digits[20];
    std::size_t k = 0;
    do digits[k++] = static_cast<char>('0' + v % 10);
    while ((v /= 10) != 0);
    while (k != 0) put({&digits[--k], 1});
  };
  // "24, at most 16": what was found, and what would have been right.
  const auto found_and = [&](std::string_view relation) { number(found), put(relation), number(expected); };
  if (file[0] != '\0') put(file), put(": ");
  if (subject[0] != '\0') put(subject), put(": ");
  put(describe(code));
  if (expected != found) {
    put(" (");
    switch (code) {
      case errc::cannot_open:
      case errc::cannot_read:
      case errc::cannot_write:
      case errc::gpu_failed: put("error "), number(found); break;
      case errc::out_of_memory: number(expected), put(" bytes"); break;
      case errc::not_finite: put("element "), number(found); break;
      case errc::out_of_range:
      case errc::bad_limit: found_and(found > expected ? ", at most " : ", at least "); break;
      case errc::too_many_rows: found_and(", at most "); break;
      case errc::too_few_rows:
      case errc::too_small:
      case errc::truncated: found_and(", at least "); break;
      case errc::misaligned: found_and(", no multiple of "); break;
      case errc::not_aligned: number(expected), put(" bytes"); break;
      default:
        if (expected != 0)
          found_and(", not ");
        else
          number(found);
    }
    put(")");
  }
  if (size != 0) out[n] = '\0';
  return n;
}

}  // namespace dupq::inline DUPQ_ABI
