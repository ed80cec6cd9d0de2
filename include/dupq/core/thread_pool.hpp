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

class crew;

/// What one thread asks a pool to run. It lives on that thread's stack, until all tasks are done.
struct call {
  executor::body body;
  void* context;
  std::size_t tasks;
  call* parent;              ///< the call of the same pool whose task made this one, or null
  std::size_t spare_worker;  ///< the maker's number in `parent`; here the maker is worker 0 and nobody has that number
  std::size_t begun = 0, done = 0;
  std::atomic<bool> waiting{false};  ///< its maker has nothing to do: all tasks are begun, and no child needs help
  call* younger = nullptr;           ///< the next call that has tasks to begin
};

/// The task that a thread is in: whose, and which worker of it the thread is.
struct place {
  const crew* pool = nullptr;
  call* of = nullptr;
  std::size_t worker = 0;
};
inline thread_local constinit place current;

/// The threads and what they share. Tasks are large, so they are handed out under one mutex.
///
/// Within a call every thread has a number of its own. The maker is 0; a thread of the crew has the same number in all
/// calls that it did not make. While a maker waits for its last tasks it helps the calls that they have made, its
/// children: there it takes the number that the child's maker has left free. So it never works for strangers, whose
/// tasks might keep it from returning, and no two threads have the same number.
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

  void run(std::size_t tasks, executor::body body, void* context) noexcept {
    if (elsewhere()) {
      for (std::size_t i = 0; i < tasks; ++i) body(context, i, 0);
      return;
    }
    if (tasks == 0) return;
    call mine{body, context, tasks, parent(), current.worker};
    std::unique_lock lock(mutex_);
    call** last = &oldest_;
    while (*last != nullptr) last = &(*last)->younger;
    *last = &mine;
    idle_ = false;
    for (std::size_t i = 1; i < std::min(tasks, workers()); ++i) wake_.notify_one();
    if (mine.parent != nullptr) rouse(*mine.parent);
    work(lock, mine, 0);
    while (mine.done != mine.tasks) {
      if (call* const child = child_of(mine)) {
        work(lock, *child, child->spare_worker);
        continue;
      }
      mine.waiting = true;
      spin_while(lock, mine.waiting);
      makers_.wait(lock, [&mine] { return !mine.waiting; });
    }
  }

  /// How many threads would help with a call that the calling thread makes now.
  std::size_t idle() const noexcept {
    if (elsewhere()) return 0;
    const call* const here = parent();
    const std::size_t maker = here != nullptr && here->waiting.load(std::memory_order_relaxed) ? 1 : 0;
    return resting_.load(std::memory_order_relaxed) + maker;
  }

 private:
  crew() noexcept : forks_(os::forks()) {}

  /// The call of this pool whose task the calling thread is in, if any.
  call* parent() const noexcept { return current.pool == this ? current.of : nullptr; }

  /// Runs tasks of a call until none of them is left to begin.
  void work(std::unique_lock<std::mutex>& lock, call& of, std::size_t worker) noexcept {
    const place outside = current;
    current = {this, &of, worker};
    while (of.begun < of.tasks) {
      const std::size_t task = of.begun++;
      if (of.begun == of.tasks) drop(of);
      lock.unlock();
      of.body(of.context, task, worker);
      lock.lock();
      if (++of.done == of.tasks) rouse(of);
    }
    current = outside;
  }

  /// The oldest call with tasks to begin that a task of `of` has made, if any.
  call* child_of(const call& of) const noexcept {
    call* at = oldest_;
    while (at != nullptr && at->parent != &of) at = at->younger;
    return at;
  }

  /// Lets the maker of a call look again at what there is to do, if it waits.
  void rouse(call& of) noexcept {
    if (!of.waiting) return;
    of.waiting = false;
    makers_.notify_all();
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
      ++resting_;
      if (!stop_ && oldest_ == nullptr) spin_while(lock, idle_);
      wake_.wait(lock, [this] { return stop_ || oldest_ != nullptr; });
      --resting_;
      if (stop_) return;
      work(lock, *oldest_, worker);
    }
  }

  const unsigned forks_;
  std::mutex mutex_;
  std::condition_variable wake_, makers_;  ///< for the crew's threads, and for the makers of calls
  std::vector<std::thread> threads_;
  call* oldest_ = nullptr;               ///< of the calls that have tasks to begin
  std::atomic<bool> idle_{true};         ///< there is none; for threads that wait for one
  std::atomic<std::size_t> resting_{0};  ///< threads of the crew that wait for a call
  bool stop_ = false;
};

}  // namespace pool_detail

/// `workers` threads in all, the calling one among them, so `thread_pool(1)` starts none. Any number of threads may
/// use it at a time, and a task may use it again: each call works on its own tasks, and threads that have nothing to do
/// help the oldest call. A thread that waits for its call helps the calls that this one's tasks have made.
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
            workers(), [](void* crew) noexcept { return static_cast<const pool_detail::crew*>(crew)->idle(); }};
  }

 private:
  std::unique_ptr<pool_detail::crew> crew_;
};

}  // namespace dupq::inline DUPQ_ABI
