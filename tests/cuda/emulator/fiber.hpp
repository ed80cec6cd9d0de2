// A fiber: a function with a stack of its own, that runs until it switches back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulator {

inline constexpr std::size_t stack_bytes = 128 * 1024;

#if defined(__x86_64__)

/// Saves the registers that a callee must keep and the stack's top in `*save`; goes on where `load` was saved.
__attribute__((naked, noinline)) inline void switch_stacks([[maybe_unused]] void** save, [[maybe_unused]] void* load) {
  __asm__(
      "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret");
}

class fiber {
 public:
  /// `entry` must not return.
  void start(void (*entry)()) {
    if (stack_ == nullptr) stack_.reset(new std::byte[stack_bytes]);
    const auto end = reinterpret_cast<std::uintptr_t>(stack_.get() + stack_bytes) / 16 * 16;
    auto* const top = reinterpret_cast<void**>(end) - 8;
    for (int i = 0; i < 6; ++i) top[i] = nullptr;
    top[6] = reinterpret_cast<void*>(entry);  // returned to with the stack as after a call
    top[7] = nullptr;
    inside_ = top;
  }
  void enter() { switch_stacks(&outside_, inside_); }
  void leave() { switch_stacks(&inside_, outside_); }

 private:
  std::unique_ptr<std::byte[]> stack_;
  void* inside_ = nullptr;
  void* outside_ = nullptr;
};

#else

class fiber {
 public:
  void start(void (*entry)()) {
    if (stack_ == nullptr) stack_.reset(new std::byte[stack_bytes]);
    getcontext(&inside_);
    inside_.uc_stack.ss_sp = stack_.get();
    inside_.uc_stack.ss_size = stack_bytes;
    makecontext(&inside_, entry, 0);
  }
  void enter() { swapcontext(&outside_, &inside_); }
  void leave() { swapcontext(&inside_, &outside_); }

 private:
  std::unique_ptr<std::byte[]> stack_;
  ucontext_t inside_{}, outside_{};
};

#endif

}  // namespace emulator
