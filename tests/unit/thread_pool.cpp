#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <dupq/core/thread_pool.hpp>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace {

/// Where threads wait for each other, but not for ever.
struct meeting {
  std::atomic<int> here = 0;
  std::atomic<bool> met = false;

  void wait_for(int threads) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    ++here;
    while (here < threads && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    if (here == threads) met = true;
  }
};

}  // namespace

TEST_CASE("every task runs once") {
  for (const std::size_t workers : {1u, 2u, 3u, 8u}) {
    dupq::thread_pool pool(workers);
    CHECK(pool.workers() == workers);
    CHECK(pool.executor().workers == workers);
    for (const std::size_t tasks : {0u, 1u, 2u, 7u, 1000u}) {
      std::vector<std::atomic<int>> runs(tasks);
      pool.executor().run(tasks, [&](std::size_t task, std::size_t) { ++runs[task]; });
      for (const auto& r : runs) CHECK(r == 1);
    }
  }
}

TEST_CASE("two calls at a time never have the same worker") {
  dupq::thread_pool pool(4);
  std::atomic<int> inside[4]{};
  std::atomic<bool> clash = false, stranger = false;
  std::atomic<int> together = 0, most = 0;
  pool.executor().run(200, [&](std::size_t, std::size_t worker) {
    if (worker >= 4) return (void)(stranger = true);
    if (inside[worker]++ != 0) clash = true;
    int now = ++together;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    --together;
    --inside[worker];
  });
  CHECK(!clash);
  CHECK(!stranger);
  CHECK(most > 1);  // tasks did run side by side
}

TEST_CASE("results of a run are visible when it returns") {
  dupq::thread_pool pool(3);
  for (std::size_t round = 1; round < 300; ++round) {
    std::vector<std::size_t> out(16);
    pool.executor().run(out.size(), [&](std::size_t task, std::size_t) { out[task] = round * task; });
    std::size_t sum = 0;
    for (const std::size_t v : out) sum += v;
    REQUIRE(sum == round * 120);
  }
}

TEST_CASE("the caller works too, and alone in a pool of one") {
  dupq::thread_pool pool(1);
  std::set<std::thread::id> threads;
  pool.executor().run(10, [&](std::size_t, std::size_t worker) {
    CHECK(worker == 0);
    threads.insert(std::this_thread::get_id());
  });
  CHECK(threads == std::set{std::this_thread::get_id()});
}

TEST_CASE("pools within pools, and pools that never ran, end") {
  for (int i = 0; i < 20; ++i) const dupq::thread_pool idle(4);
  dupq::thread_pool outer(2);
  std::atomic<int> done = 0;
  outer.executor().run(4, [&](std::size_t, std::size_t) {
    dupq::thread_pool inner(2);
    inner.executor().run(5, [&](std::size_t, std::size_t) { ++done; });
  });
  CHECK(done == 20);
}

TEST_CASE("threads use one pool at a time, each call with its own tasks and workers") {
  dupq::thread_pool pool(3);
  std::atomic<bool> clash = false, wrong = false;
  const auto use = [&](std::size_t seed) {
    for (std::size_t round = 0; round < 2000; ++round) {
      const std::size_t tasks = (round * 7 + seed) % 9;
      std::atomic<std::size_t> sum = 0;
      std::atomic<int> inside[3]{};
      pool.executor().run(tasks, [&](std::size_t task, std::size_t worker) {
        if (inside[worker]++ != 0) clash = true;
        sum += task + 1;
        --inside[worker];
      });
      if (sum != tasks * (tasks + 1) / 2) wrong = true;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) threads.emplace_back(use, t);
  for (auto& thread : threads) thread.join();
  CHECK(!clash);
  CHECK(!wrong);
}

TEST_CASE("a task may use its pool again") {
  dupq::thread_pool pool(3);
  std::atomic<int> done = 0;
  for (int round = 0; round < 200; ++round)
    pool.executor().run(5, [&](std::size_t, std::size_t) {
      pool.executor().run(
          4, [&](std::size_t, std::size_t) { pool.executor().run(2, [&](std::size_t, std::size_t) { ++done; }); });
    });
  CHECK(done == 200 * 5 * 4 * 2);
}

TEST_CASE("threads that are free help a task that uses the pool again") {
  dupq::thread_pool pool(2);
  std::atomic<int> together = 0, most = 0;
  pool.executor().run(2, [&](std::size_t task, std::size_t) {
    if (task != 0) return;  // this thread is free at once
    pool.executor().run(20, [&](std::size_t, std::size_t) {
      int now = ++together;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      --together;
    });
  });
  CHECK(most == 2);
}

TEST_CASE("a thread that waits for its call helps the calls that this one's tasks make, as a worker of its own") {
  dupq::thread_pool pool(3);
  for (int round = 0; round < 300; ++round) {
    // Three threads meet in the outer call. One of the crew then makes an inner call of three tasks, each of which
    // waits for the other two, so that the outer call's maker and the other thread of the crew must take one each.
    meeting outer, inner;
    std::atomic<int> inside[3]{};
    std::atomic<bool> clash = false;
    pool.executor().run(3, [&](std::size_t, std::size_t worker) {
      outer.wait_for(3);
      if (worker != 1) return;
      pool.executor().run(3, [&](std::size_t, std::size_t own) {
        if (own >= 3 || inside[own]++ != 0) clash = true;
        inner.wait_for(3);
      });
    });
    REQUIRE(outer.met);
    REQUIRE(inner.met);
    REQUIRE(!clash);
  }
}

TEST_CASE("a pool says how many of its workers are idle") {
  dupq::thread_pool pool(3);
  const dupq::executor executor = pool.executor();
  const auto becomes = [&](std::size_t expected) {  // threads take a while to come to rest
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (executor.idle(executor.pool) != expected && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
    return executor.idle(executor.pool) == expected;
  };
  CHECK(becomes(2));
  CHECK(executor.available() == 3);
  meeting all, seen;
  std::atomic<bool> right = true;
  executor.run(3, [&](std::size_t, std::size_t worker) {
    all.wait_for(3);
    if (executor.idle(executor.pool) != 0) right = false;
    seen.wait_for(3);
    // The others end: one is a thread of the crew, the other waits for this call, and only its own tasks' calls may
    // count on it.
    if (worker != 2) return;
    if (!becomes(2)) right = false;
    std::size_t stranger = 9;
    std::thread([&] { stranger = executor.idle(executor.pool); }).join();
    if (stranger != 1) right = false;
  });
  CHECK(right);
  CHECK(becomes(2));
}

TEST_CASE("runs of few tasks and of many follow each other at once") {
  dupq::thread_pool pool(4);
  std::atomic<std::size_t> ran = 0;
  std::size_t expected = 0;
  for (std::size_t round = 0; round < 5000; ++round) {
    const std::size_t tasks = round % 7;
    pool.executor().run(tasks, [&](std::size_t task, std::size_t) { ran += task + 1; });
    expected += tasks * (tasks + 1) / 2;
    REQUIRE(ran == expected);
  }
}

TEST_CASE("idle threads sleep") {
  dupq::thread_pool pool(4);
  pool.executor().run(4, [](std::size_t, std::size_t) {});
  const std::clock_t before = std::clock();  // processor time of all threads
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(std::clock() - before < CLOCKS_PER_SEC / 20);
}

TEST_CASE("the default size is what this process may use") {
  CHECK(dupq::thread_pool().workers() == dupq::available_cores());
}
