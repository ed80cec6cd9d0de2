// Where work runs: an `executor` refers to something that runs n independent tasks. The default runs them in turn.
#pragma once

#include <cstddef>
#include <type_traits>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// A non-owning handle. Bring your own pool by filling in the two members; `thread_pool.hpp` has one.
struct executor {
  /// A task's body: called once for each task in 0..tasks-1 with the number of the worker, below `workers`, that runs
  /// it; two calls at a time never have the same worker.
  using body = void (*)(void* context, std::size_t task, std::size_t worker);

  void* pool = nullptr;
  /// Runs all tasks and returns when they are done; null: in turn on the calling thread.
  void (*run_tasks)(void* pool, std::size_t tasks, body call, void* context) = nullptr;
  std::size_t workers = 1;

  template <class F>
  void run(std::size_t tasks, F&& task) const {
    if (run_tasks == nullptr || tasks <= 1) {
      for (std::size_t i = 0; i < tasks; ++i) task(i, std::size_t{0});
      return;
    }
    run_tasks(
        pool, tasks,
        [](void* context, std::size_t i, std::size_t worker) {
          (*static_cast<std::remove_reference_t<F>*>(context))(i, worker);
        },
        const_cast<void*>(static_cast<const void*>(&task)));
  }
};

}  // namespace dupq::inline DUPQ_ABI
