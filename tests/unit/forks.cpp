// What a process that fork() makes can do with the pools that it finds in its memory.
#include <doctest/doctest.h>

#include "forked_process.hpp"

#if defined(DUPQ_POSIX)
#include <atomic>
#include <cstddef>
#include <dupq/bi_encoder.hpp>
#include <dupq/core/thread_pool.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "loaded_model.hpp"

using dupq_test::in_forked_process;

TEST_CASE("a forked process runs tasks of a pool itself, and ends it") {
  auto pool = std::make_unique<dupq::thread_pool>(4);
  const auto add_up = [&] {
    std::atomic<std::size_t> sum = 0;
    pool->executor().run(10, [&](std::size_t task, std::size_t) { sum += task; });
    return static_cast<int>(sum);
  };
  CHECK(add_up() == 45);
  // once while its threads sleep and once while another thread keeps them, and their mutex, busy
  CHECK(in_forked_process([&] { return pool.reset(), 7; }) == 7);
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop) pool->executor().run(8, [](std::size_t, std::size_t) {});
  });
  for (int i = 0; i < 20; ++i)
    CHECK(in_forked_process([&] {
            const int same = add_up();
            pool.reset();
            pool = std::make_unique<dupq::thread_pool>(2);  // a pool of its own has threads, here and in its children
            if (add_up() != same || in_forked_process([&] { return pool.reset(), 3; }) != 3) return 1;
            pool.reset();
            return same;
          }) == 45);
  stop = true;
  busy.join();
  CHECK(add_up() == 45);
}

TEST_CASE("a pool that lives until the program ends lets a forked process end") {
  static dupq::thread_pool pool(3);
  pool.executor().run(3, [](std::size_t, std::size_t) {});
  CHECK(in_forked_process([] { return pool.~thread_pool(), 5; }) == 5);  // as exit() would
}

TEST_CASE("an encoder gives the same vectors in a forked process") {
  dupq::thread_pool pool(3);
  const dupq_test::loaded_model m(dupq_test::tiny_model("bert-packed-f32"));
  auto encoder = dupq::bi_encoder::make(*m, {.executor = pool.executor()});
  REQUIRE(encoder);
  const std::vector<std::string_view> texts{"what is C++?", "hello", "", "what is a c"};
  std::vector<float> here(texts.size() * m->dim()), there(here);
  REQUIRE(encoder->encode(texts, here));
  CHECK(in_forked_process([&] { return !encoder->encode(texts, there) || there != here ? 1 : 0; }) == 0);
}
#endif
