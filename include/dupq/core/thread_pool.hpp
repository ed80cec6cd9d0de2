// A pool of threads for an `executor`: sized by the cores that this process may use; idle threads sleep after 50 us.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "available_cores.hpp"
#include "executor.hpp"
#include "os.hpp"

namespace dupq::inline DUPQ_ABI {
namespace pool_detail {

/// What one thread asks a pool to run. It lives on that thread's stack, until all tasks are done.
struct call {
  executor::body body;
  void* context;
  std::size_t tasks;
  std::size_t begun = 0, done = 0;
  std::atomic<bool> running{true};  ///< some task is not done; for the thread that waits for it
  call* younger = nullptr;          ///< the next call that has tasks to begin
};

/// The threads and what they share. Tasks are large, so they are handed out under one mutex.
class crew {
 public:
  explicit crew(std::size_t workers) : crew() {  // so that a throw joins the threads so far
    threads_.reserve(workers - 1);
    for (std::size_t i = 1; i < workers; ++i) threads_.emplace_back([this, i] { serve(i); });
  }
  ~crew() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      idle_ = false;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }

  std::size_t workers() const noexcept { return threads_.size() + 1; }
  /// Whether this process was forked off the one that has the threads.
  bool elsewhere() const noexcept { return forks_ != os::forks(); }

  /// The calling thread is worker 0 of its call, and the others have their own numbers in all calls.
  void run(std::size_t tasks, executor::body body, void* context) noexcept {
    if (elsewhere()) {
      for (std::size_t i = 0; i < tasks; ++i) body(context, i, 0);
      return;
    }
    if (tasks == 0) return;
    call mine{body, context, tasks};
    std::unique_lock lock(mutex_);
    call** last = &oldest_;
    while (*last != nullptr) last = &(*last)->younger;
    *last = &mine;
    idle_ = false;
    for (std::size_t i = 1; i < std::min(tasks, workers()); ++i) wake_.notify_one();
    work(lock, mine, 0);
    if (mine.done != mine.tasks) spin_while(lock, mine.running);
    done_.wait(lock, [&mine] { return mine.done == mine.tasks; });
  }

 private:
  crew() noexcept : forks_(os::forks()) {}

  /// Runs tasks of a call until none of them is left to begin.
  void work(std::unique_lock<std::mutex>& lock, call& of, std::size_t worker) noexcept {
    while (of.begun < of.tasks) {
      const std::size_t task = of.begun++;
      if (of.begun == of.tasks) drop(of);
      lock.unlock();
      of.body(of.context, task, worker);
      lock.lock();
      if (++of.done != of.tasks) continue;
      of.running = false;
      done_.notify_all();
    }
  }

  void drop(const call& begun) noexcept {
    call** at = &oldest_;
    while (*at != &begun) at = &(*at)->younger;
    *at = begun.younger;
    idle_ = oldest_ == nullptr;
  }

  /// Waits up to 50 us without sleeping, and without the lock: a thread takes as long as that to wake up, which counts
  /// where calls are short and follow each other.
  static void spin_while(std::unique_lock<std::mutex>& lock, const std::atomic<bool>& waiting) noexcept {
    lock.unlock();
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(50);
    while (waiting.load(std::memory_order_relaxed) && std::chrono::steady_clock::now() < end) {
    }
    lock.lock();
  }

  void serve(std::size_t worker) noexcept {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (!stop_ && oldest_ == nullptr) spin_while(lock, idle_);
      wake_.wait(lock, [this] { return stop_ || oldest_ != nullptr; });
      if (stop_) return;
      work(lock, *oldest_, worker);
    }
  }

  const unsigned forks_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  call* oldest_ = nullptr;        ///< of the calls that have tasks to begin
  std::atomic<bool> idle_{true};  ///< there is none; for threads that wait for one
  bool stop_ = false;
};

}  // namespace pool_detail

/// `workers` threads in all, the calling one among them, so `thread_pool(1)` starts none. Any number of threads may
/// use it at a time, and a task may use it again: each call works on its own tasks, and threads that have nothing to do
/// help the oldest call.
///
/// A process that fork() makes has none of the threads: there each call runs its tasks itself, one after another, and
/// the pool may be destroyed. (A thread that forks inside a task must not come back from that task in the new process.)
class thread_pool {
 public:
  /// 0: as many as there are available cores. Throws std::system_error where the system refuses a thread.
  explicit thread_pool(std::size_t workers = 0)
      : crew_(std::make_unique<pool_detail::crew>(workers == 0 ? available_cores() : workers)) {}
  ~thread_pool() {
    // In a forked process the crew describes threads that are not there, and ending it would wait for them forever.
    if (crew_->elsewhere()) static_cast<void>(crew_.release());
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  std::size_t workers() const noexcept { return crew_->workers(); }

  /// The handle to give to encoders; the pool must outlive it.
  dupq::executor executor() noexcept {
    return {crew_.get(),
            [](void* crew, std::size_t tasks, dupq::executor::body body, void* context) noexcept {
              static_cast<pool_detail::crew*>(crew)->run(tasks, body, context);
            },
            workers()};
  }

 private:
  std::unique_ptr<pool_detail::crew> crew_;
};

}  // namespace dupq::inline DUPQ_ABI
