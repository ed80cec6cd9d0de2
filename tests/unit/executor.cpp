#include <doctest/doctest.h>

#include <cstddef>
#include <dupq/core/executor.hpp>
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

TEST_CASE("a pool of one's own is two members") {
  struct backwards {
    int runs = 0;
  } pool;
  const dupq::executor own{&pool,
                           [](void* p, std::size_t tasks, dupq::executor::body call, void* context) {
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
