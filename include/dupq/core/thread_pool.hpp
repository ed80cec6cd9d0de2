// A pool of threads for an `executor`: sized by the cores that this process may use; idle threads sleep after 50 us.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "available_cores.hpp"
#include "executor.hpp"

namespace dupq::inline DUPQ_ABI {

/// `workers` threads in all, the calling one among them, so `thread_pool(1)` starts none. One `run` at a time.
class thread_pool {
 public:
  /// 0: as many as there are available cores. Throws std::system_error where the system refuses a thread.
  explicit thread_pool(std::size_t workers = 0) : thread_pool(nullptr) {  // so that a throw joins the threads so far
    if (workers == 0) workers = available_cores();
    threads_.reserve(workers - 1);
    for (std::size_t i = 1; i < workers; ++i) threads_.emplace_back([this, i] { serve(i); });
  }
  ~thread_pool() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      idle_ = false;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  std::size_t workers() const noexcept { return threads_.size() + 1; }

  /// The handle to give to encoders; the pool must outlive it.
  dupq::executor executor() noexcept {
    return {this,
            [](void* pool, std::size_t tasks, dupq::executor::body call, void* context) {
              static_cast<thread_pool*>(pool)->run(tasks, call, context);
            },
            workers()};
  }

 private:
  explicit thread_pool(std::nullptr_t) noexcept {}

  // Tasks are handed out under the mutex: they are large, and a thread that wakes up late has nothing to answer for.
  void run(std::size_t tasks, dupq::executor::body call, void* context) noexcept {
    std::unique_lock lock(mutex_);
    call_ = call;
    context_ = context;
    next_ = finished_ = 0;
    tasks_ = tasks;
    idle_ = tasks == 0;
    running_ = tasks != 0;
    for (std::size_t i = 1; i < std::min(tasks, workers()); ++i) wake_.notify_one();
    work(lock, 0);
    if (finished_ != tasks_) spin_while(lock, running_);
    done_.wait(lock, [this] { return finished_ == tasks_; });
  }

  /// Runs tasks until none is left to begin.
  void work(std::unique_lock<std::mutex>& lock, std::size_t worker) noexcept {
    while (next_ < tasks_) {
      const std::size_t task = next_++;
      if (next_ == tasks_) idle_ = true;
      lock.unlock();
      call_(context_, task, worker);
      lock.lock();
      if (++finished_ != tasks_) continue;
      running_ = false;
      done_.notify_one();
    }
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
      if (!stop_ && next_ == tasks_) spin_while(lock, idle_);
      wake_.wait(lock, [this] { return stop_ || next_ < tasks_; });
      if (stop_) return;
      work(lock, worker);
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  dupq::executor::body call_ = nullptr;
  void* context_ = nullptr;
  std::size_t tasks_ = 0, next_ = 0, finished_ = 0;  ///< of the run at hand: all of them, begun but for these, done
  std::atomic<bool> idle_{true}, running_{false};    ///< no task is left to begin; one is not done; for those who spin
  bool stop_ = false;
};

}  // namespace dupq::inline DUPQ_ABI
