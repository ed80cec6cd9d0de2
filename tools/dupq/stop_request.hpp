// Ctrl-C that is not followed at once: long work sees that it is asked to stop, and saves what it has first.
#pragma once

#include <csignal>

namespace dupq_tool {

/// While one is there, the first signal that would end the process is only noted. A second one does what signals did
/// before. A signal that the process ignores stays ignored.
class stop_request {
 public:
  stop_request() {
    asked_ = 0;
    for (int i = 0; i < 2; ++i) {
      before_[i] = std::signal(signals[i], note);
      if (before_[i] == SIG_IGN) std::signal(signals[i], SIG_IGN);
    }
  }
  stop_request(const stop_request&) = delete;
  stop_request& operator=(const stop_request&) = delete;
  ~stop_request() { restore(); }

  bool asked() const noexcept { return asked_ != 0; }
  /// Ends the process as the signal that was noted would have.
  void follow() {
    restore();
    std::raise(asked_);
  }

 private:
  static constexpr int signals[2] = {SIGINT, SIGTERM};
  using handler = void (*)(int);

  static void note(int signal) {
    asked_ = signal;
    for (int i = 0; i < 2; ++i)
      if (signals[i] == signal) std::signal(signal, before_[i]);
  }
  static void restore() noexcept {
    for (int i = 0; i < 2; ++i) std::signal(signals[i], before_[i]);
  }

  static inline volatile std::sig_atomic_t asked_ = 0;
  static inline handler before_[2] = {};
};

}  // namespace dupq_tool
