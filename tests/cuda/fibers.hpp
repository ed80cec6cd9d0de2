// One fiber for every thread of a block, and a scheduler that picks the next one at random by seed.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace emulator {

/// Runs a function as many threads that take turns where they wait. Fibers are made once and used again.
class fibers {
 public:
  /// Runs `body` on n threads until all are done, or until stop(). False: some wait for what can no longer happen.
  bool run(unsigned n, std::uint64_t seed, const std::function<void()>& body) {
    body_ = &body;
    random_ = seed * 0x9E3779B97F4A7C15u + 1;
    stopped_ = false;
    while (all_.size() < n) all_.push_back(std::make_unique<fiber>());
    ready_.clear();
    for (current_ = 0; current_ < n; ++current_) {
      if (!all_[current_]->reusable) start(*all_[current_]);
      all_[current_]->reusable = false;
      ready_.push_back(current_);
    }
    done_ = 0;
    if (_setjmp(main_) == 0) next();
    return stopped_ || done_ == n;
  }

  unsigned current() const { return current_; }
  /// The current thread waits until it is woken.
  void wait() {
    if (_setjmp(all_[current_]->context) == 0) next();
  }
  void wake(unsigned thread) { ready_.push_back(thread); }
  /// Abandons all threads and returns from run().
  [[noreturn]] void stop() {
    stopped_ = true;
    _longjmp(main_, 1);
  }

 private:
  static constexpr std::size_t stack_bytes = 128 << 10;
  struct fiber {
    std::unique_ptr<std::byte[]> stack{new std::byte[stack_bytes]};
    ucontext_t first, starter;
    jmp_buf context;
    bool reusable = false;  ///< it has finished its last run, and begins the next one when it is resumed
  };

  static void entry(unsigned low, unsigned high) {
    reinterpret_cast<fibers*>(static_cast<std::uintptr_t>(low) | static_cast<std::uintptr_t>(std::uint64_t{high} << 32))
        ->loop();
  }
  [[noreturn]] void loop() {
    if (_setjmp(all_[current_]->context) == 0) setcontext(&all_[current_]->starter);
    for (;;) {
      (*body_)();
      ++done_;
      all_[current_]->reusable = true;
      wait();
    }
  }
  void start(fiber& f) {
    getcontext(&f.first);
    f.first.uc_stack.ss_sp = f.stack.get();
    f.first.uc_stack.ss_size = stack_bytes;
    f.first.uc_link = nullptr;
    const std::uint64_t self = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&f.first, reinterpret_cast<void (*)()>(&fibers::entry), 2, static_cast<unsigned>(self),
                static_cast<unsigned>(self >> 32));
    swapcontext(&f.starter, &f.first);
  }
  [[noreturn]] void next() {
    if (ready_.empty()) _longjmp(main_, 1);
    random_ ^= random_ << 13, random_ ^= random_ >> 7, random_ ^= random_ << 17;
    const std::size_t pick = static_cast<std::size_t>((random_ >> 32) * ready_.size() >> 32);
    current_ = ready_[pick];
    ready_[pick] = ready_.back();
    ready_.pop_back();
    _longjmp(all_[current_]->context, 1);
  }

  std::vector<std::unique_ptr<fiber>> all_;
  std::vector<unsigned> ready_;
  const std::function<void()>* body_ = nullptr;
  std::uint64_t random_ = 1;
  unsigned current_ = 0, done_ = 0;
  bool stopped_ = false;
  jmp_buf main_;
};

}  // namespace emulator
