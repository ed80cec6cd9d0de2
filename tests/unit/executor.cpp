#include <doctest/doctest.h>

#include <cstddef>
#include <dupq/core/executor.hpp>
#include <type_traits>
#include <utility>
#include <vector>

using steps = std::vector<std::pair<std::size_t, std::size_t>>;

TEST_CASE("the default executor runs tasks in turn, all as worker 0") {
  steps seen;
  const dupq::executor serial;
  CHECK(serial.workers == 1);
  serial.run(3, [&](std::size_t task, std::size_t worker) { seen.emplace_back(task, worker); });
  CHECK(seen == steps{{0, 0}, {1, 0}, {2, 0}});
  serial.run(0, [&](std::size_t, std::size_t) { seen.clear(); });
  CHECK(seen.size() == 3);
}

TEST_CASE("a pool's function that may throw is of another type") {
  using throwing = void (*)(void*, std::size_t, dupq::executor::body, void*);
  using quiet = void (*)(void*, std::size_t, dupq::executor::body, void*) noexcept;
  using member = decltype(dupq::executor::run_tasks);
  static_assert(std::is_convertible_v<quiet, member>);
  static_assert(!std::is_convertible_v<throwing, member>);
  using throwing_body = void (*)(void*, std::size_t, std::size_t);
  static_assert(!std::is_convertible_v<throwing_body, dupq::executor::body>);
  static_assert(noexcept(dupq::executor().run(1, [](std::size_t, std::size_t) {})));
}

TEST_CASE("there is always a worker") {
  CHECK(dupq::executor().count() == 1);
  CHECK(dupq::executor{nullptr, nullptr, 7}.count() == 1);
  const auto none = [](void*, std::size_t, dupq::executor::body, void*) noexcept {};
  CHECK(dupq::executor{nullptr, none, 0}.count() == 1);
  CHECK(dupq::executor{nullptr, none, 3}.count() == 3);
}

TEST_CASE("a pool of one's own is three members") {
  struct backwards {
    int runs = 0;
  } pool;
  const dupq::executor own{&pool,
                           [](void* p, std::size_t tasks, dupq::executor::body call, void* context) noexcept {
                             ++static_cast<backwards*>(p)->runs;
                             for (std::size_t i = tasks; i-- > 0;) call(context, i, i % 2);
                           },
                           2};
  steps seen;
  own.run(3, [&](std::size_t task, std::size_t worker) { seen.emplace_back(task, worker); });
  CHECK(seen == steps{{2, 0}, {1, 1}, {0, 0}});
  CHECK(pool.runs == 1);
  own.run(1, [&](std::size_t task, std::size_t worker) { seen = {{task, worker}}; });  // no need to wake anyone
  CHECK(seen == steps{{0, 0}});
  CHECK(pool.runs == 1);
}
