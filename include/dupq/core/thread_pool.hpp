// A pool of threads for an `executor`: sized by the cores that this process may use; idle threads sleep.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "executor.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

namespace dupq::inline DUPQ_ABI {

/// Cores that this process may use: what the scheduler's affinity and a control group's CPU quota leave. At least 1.
inline std::size_t available_cores() noexcept {
  std::size_t cores = std::thread::hardware_concurrency();
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    const auto allowed = static_cast<std::size_t>(CPU_COUNT(&set));
    if (allowed != 0 && (cores == 0 || allowed < cores)) cores = allowed;
  }
  const auto limit = [&](long long quota, long long period) {
    if (quota <= 0 || period <= 0) return;
    const auto whole = static_cast<std::size_t>((quota + period - 1) / period);
    if (whole < cores) cores = whole;
  };
  long long quota = 0, period = 0;
  if (std::FILE* const v2 = std::fopen("/sys/fs/cgroup/cpu.max", "re")) {
    if (std::fscanf(v2, "%lld %lld", &quota, &period) == 2) limit(quota, period);  // "max 100000" reads nothing
    std::fclose(v2);
  } else if (std::FILE* const v1 = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re")) {
    if (std::FILE* const p = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re")) {
      if (std::fscanf(v1, "%lld", &quota) == 1 && std::fscanf(p, "%lld", &period) == 1) limit(quota, period);
      std::fclose(p);
    }
    std::fclose(v1);
  }
#endif
  return cores == 0 ? 1 : cores;
}

/// `workers` threads in all, the calling one among them, so `thread_pool(1)` starts none. One `run` at a time.
class thread_pool {
 public:
  /// 0: as many as there are available cores. Throws std::system_error where the system refuses a thread.
  explicit thread_pool(std::size_t workers = 0) {
    if (workers == 0) workers = available_cores();
    threads_.reserve(workers - 1);
    for (std::size_t i = 1; i < workers; ++i) threads_.emplace_back([this, i] { serve(i); });
  }
  ~thread_pool() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
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
  void run(std::size_t tasks, dupq::executor::body call, void* context) noexcept {
    {
      const std::lock_guard lock(mutex_);
      call_ = call;
      context_ = context;
      tasks_ = tasks;
      next_.store(0, std::memory_order_relaxed);
      busy_ = threads_.size();
      ++round_;
    }
    wake_.notify_all();
    work(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
  }

  void work(std::size_t worker) noexcept {
    for (std::size_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < tasks_;) call_(context_, i, worker);
  }

  void serve(std::size_t worker) noexcept {
    std::size_t seen = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stop_ || round_ != seen; });
        if (stop_) return;
        seen = round_;
      }
      work(worker);
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  dupq::executor::body call_ = nullptr;
  void* context_ = nullptr;
  std::size_t tasks_ = 0;
  std::atomic<std::size_t> next_{0};
  std::size_t busy_ = 0, round_ = 0;
  bool stop_ = false;
};

}  // namespace dupq::inline DUPQ_ABI
