// What a caller can watch while a list of texts or vectors is worked on: how far it is, which texts were cut, and a way
// to stop.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>

#include "error.hpp"
#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

template <class Signature>
class callback;

/// Refers to something that can be called, which must outlive it: a lambda in the argument of a call does. Empty by
/// default. It must not throw.
template <class Result, class... Arguments>
class callback<Result(Arguments...)> {
 public:
  constexpr callback() noexcept = default;
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, callback> && std::is_invocable_r_v<Result, F&, Arguments...>)
      callback(F&& f)
  noexcept {
    using target = std::remove_reference_t<F>;
    if constexpr (std::is_function_v<target>) {
      target_ = reinterpret_cast<void*>(&f);
      call_ = [](void* t, Arguments... a) -> Result { return (*reinterpret_cast<target*>(t))(a...); };
    } else {
      target_ = const_cast<void*>(static_cast<const void*>(std::addressof(f)));
      call_ = [](void* t, Arguments... a) -> Result { return (*static_cast<target*>(t))(a...); };
    }
  }

  explicit operator bool() const noexcept { return call_ != nullptr; }
  Result operator()(Arguments... a) const { return call_(target_, a...); }

 private:
  void* target_ = nullptr;
  Result (*call_)(void*, Arguments...) = nullptr;
};

/// For one call that takes a list. Both are called by the threads that do the work, but never by two at a time.
struct call_options {
  /// Items done, of all, a growing number whose last is `total`. Returning false ends the call soon, with
  /// errc::cancelled unless all was done: what is done by then is in the output, the rest of it is as it was.
  callback<bool(std::size_t done, std::size_t total)> on_progress{};
  /// Text i (or pair i) was longer than limits.text_tokens, and what was over is not seen by the model. Once for each.
  callback<void(std::size_t i)> on_truncated{};
};

/// For calls that nobody watches: it is compiled to nothing.
struct unwatched {
  static constexpr bool go_on() noexcept { return true; }
  static constexpr void done(std::size_t) noexcept {}
  static constexpr void cut(std::size_t) noexcept {}
  static result<void> outcome() noexcept { return {}; }
};

/// A call's progress. Any number of threads may tell it what they did.
class watch {
 public:
  watch(const call_options& options, std::size_t total) noexcept : options_(options), total_(total) {}

  bool go_on() const noexcept { return !stopped_.load(std::memory_order_relaxed); }

  void done(std::size_t items) noexcept {
    done_.fetch_add(items, std::memory_order_relaxed);
    // While another thread reports this one need not wait: these items are in done_, so a later report counts them.
    if (!options_.on_progress || busy_.test_and_set(std::memory_order_acquire)) return;
    report();
    busy_.clear(std::memory_order_release);
  }

  void cut(std::size_t i) noexcept {
    if (!options_.on_truncated) return;
    while (busy_.test_and_set(std::memory_order_acquire)) continue;
    options_.on_truncated(i);
    busy_.clear(std::memory_order_release);
  }

  /// When all threads are done.
  result<void> outcome() noexcept {
    const std::size_t all = done_.load(std::memory_order_relaxed);
    if (options_.on_progress && go_on() && reported_ != all) report();
    if (all != total_) return error(errc::cancelled);
    return {};
  }

 private:
  void report() noexcept {
    reported_ = done_.load(std::memory_order_relaxed);
    if (!options_.on_progress(reported_, total_)) stopped_.store(true, std::memory_order_relaxed);
  }

  const call_options& options_;
  std::size_t total_, reported_ = 0;
  std::atomic<std::size_t> done_{0};
  std::atomic<bool> stopped_{false};
  std::atomic_flag busy_{};  ///< a callback runs
};

/// For bi-encoders that score pairs: they encode texts, of which 2i and 2i + 1 are those of pair i. A pair is reported
/// as cut once, though both of its texts may be. `done` does nothing: a pair is done when it has its score.
template <class Watch>
class watch_of_texts {
 public:
  explicit watch_of_texts(Watch& pairs) noexcept : pairs_(pairs) {}

  bool go_on() const noexcept { return pairs_.go_on(); }
  void done(std::size_t) const noexcept {}
  void cut(std::size_t text) noexcept {
    if (text / 2 != last_cut_) pairs_.cut(last_cut_ = text / 2);
  }
  result<void> outcome() noexcept { return pairs_.outcome(); }

 private:
  Watch& pairs_;
  std::size_t last_cut_ = ~std::size_t{0};
};

}  // namespace dupq::inline DUPQ_ABI
