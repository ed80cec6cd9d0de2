// Where work runs: an `executor` refers to something that runs n independent tasks. The default runs them in turn.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// A non-owning handle. Bring your own pool by filling in the first three members, or all; `thread_pool.hpp` has one.
/// Nothing in the library throws, so a pool whose function may throw does not fit the type.
struct executor {
  /// A task's body: called once for each task in 0..tasks-1 with the number of the worker, below `workers`, that runs
  /// it; two calls at a time never have the same worker.
  using body = void (*)(void* context, std::size_t task, std::size_t worker) noexcept;

  void* pool = nullptr;
  /// Runs all tasks and returns when they are done; null: in turn on the calling thread.
  void (*run_tasks)(void* pool, std::size_t tasks, body call, void* context) noexcept = nullptr;
  std::size_t workers = 1;
  /// Optional, for a pool whose tasks may use it again: how many other workers have nothing to do at this moment and
  /// would take tasks from the caller, which may be a task itself. An encoder that has fewer batches left than there
  /// are workers then shares the rest with the idle ones. Null: tasks never use the pool again.
  std::size_t (*idle)(void* pool) noexcept = nullptr;

  /// How many workers there are, the calling thread among them.
  constexpr std::size_t count() const noexcept { return run_tasks == nullptr ? 1 : std::max<std::size_t>(workers, 1); }
  /// How many of them a run that begins now may count on: the caller and, where the pool can say, those that are idle.
  std::size_t available() const noexcept {
    if (run_tasks == nullptr || idle == nullptr) return count();
    return 1 + std::min(idle(pool), count() - 1);
  }

  /// Calls task(i, worker) for each i in 0..tasks-1. A task that throws ends the program.
  template <class F>
  void run(std::size_t tasks, F&& task) const noexcept {
    if (run_tasks == nullptr || tasks <= 1) {
      for (std::size_t i = 0; i < tasks; ++i) task(i, std::size_t{0});
      return;
    }
    run_tasks(
        pool, tasks,
        [](void* context, std::size_t i, std::size_t worker) noexcept {
          (*static_cast<std::remove_reference_t<F>*>(context))(i, worker);
        },
        const_cast<void*>(static_cast<const void*>(&task)));
  }
};

}  // namespace dupq::inline DUPQ_ABI
