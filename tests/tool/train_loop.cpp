// A training that fails on the way leaves what one can go on from.
#include "train_loop.hpp"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include "unit/temporary_folder.hpp"

using namespace dupq_tool;

namespace {

/// One tensor, to which each step adds a number that depends on the step and on a moment.
class small_trainer final : public text_trainer {
 public:
  dupq::result<dupq::step_report> step(const text_batch&) override {
    if (steps_ + 1 == fails_at) return dupq::error(dupq::errc::not_finite, "loss");
    ++steps_;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      first_[i] = 0.5f * first_[i] + static_cast<float>(steps_ + i);
      values_[i] += first_[i];
      second_[i] += 1;
    }
    if (steps_ == breaks_at) values_[1] = std::numeric_limits<float>::infinity();
    return dupq::step_report{1.0 / static_cast<double>(steps_), 0.1, 1};
  }
  std::uint64_t steps_done() const override { return steps_; }
  dupq::result<void> resume(std::uint64_t steps) override {
    steps_ = steps;
    return {};
  }
  std::size_t tensor_count() const override { return 1; }
  dupq::tensor_view tensor(std::size_t) override {
    return {dupq::name_buffer("weight"), 1, 3, values_, first_, second_, true};
  }

  std::array<float, 3> values() const { return values_; }

  std::uint64_t fails_at = 0;   ///< the loss is no number at this step
  std::uint64_t breaks_at = 0;  ///< a weight is none after this step

 private:
  std::uint64_t steps_ = 0;
  std::array<float, 3> values_{1, 2, 3}, first_{}, second_{};
};

/// Three epochs of four steps over eight pairs, with a checkpoint in a folder that disappears.
struct run {
  temporary_folder folder;
  train_rows rows;
  train_settings settings{arguments(std::vector<std::string>{"--loss", "cosine", "--batch", "2", "--epochs", "3"},
                                    std::vector<option>{{"--loss", true}, {"--batch", true}, {"--epochs", true}}, 0,
                                    0)};
  std::string path = folder.file("c");
  train_checkpoint checkpoint{path, "this run"};
  train_loop_options options{.last_step = 12, .checkpoint = &checkpoint};
  int judged = 0;

  run() {
    rows.name = "pairs.csv";
    for (std::uint32_t i = 0; i < 8; ++i) {
      rows.pairs.first.push_back("a");
      rows.pairs.second.push_back("b");
      rows.pairs.labels.push_back(i % 2);
      rows.training.push_back(i);
    }
    options.judge = [this] {  // the second epoch is the best
      constexpr double f1[] = {0.25, 0.75, 0.5};
      dupq::threshold_choice choice;
      choice.f1 = f1[judged++];
      return choice;
    };
  }

  /// All steps, or why not; `at_end` is called with the best epoch's weights.
  template <class F>
  std::string go(small_trainer& trainer, bool resumes, F&& at_end) {
    stop_request stop;
    train_plan plan(rows.training, settings);
    train_loop loop(trainer, rows, plan, settings, options);
    try {
      if (resumes) {
        judged = static_cast<int>(checkpoint.check().judged_epochs);
        loop.resume();
      }
      const bool ended = loop.run(stop);
      CHECK(ended);
      loop.with_best(at_end);
    } catch (const failure& e) {
      return e.what();
    }
    return "";
  }
  std::string go(small_trainer& trainer, bool resumes = false) {
    return go(trainer, resumes, [] {});
  }
  std::string kept(int step) const { return "; " + path + " has step " + std::to_string(step); }
};

std::array<float, 3> expected() {
  small_trainer trainer;
  run all;
  REQUIRE(all.go(trainer) == "");
  CHECK_FALSE(std::filesystem::exists(all.path));
  return trainer.values();
}

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a validation that fails leaves the step before it, which is judged again") {
  run r;
  const auto judge = r.options.judge;
  r.options.judge = [&]() -> dupq::threshold_choice {
    if (r.judged == 1) throw failure("v.csv: broken");
    return judge();
  };
  small_trainer first;
  CHECK(r.go(first) == "v.csv: broken" + r.kept(8));
  r.options.judge = [&]() -> dupq::threshold_choice {
    if (r.judged == 1) throw std::bad_alloc();
    return judge();
  };
  small_trainer second;
  CHECK(r.go(second, true) == "not enough memory" + r.kept(8));
  r.options.judge = judge;
  small_trainer third;
  CHECK(r.go(third, true) == "");
  CHECK(r.judged == 3);
  CHECK(third.values() == expected());
}

TEST_CASE("what fails at the end leaves the last step, not the best epoch") {
  run r;
  small_trainer first;
  std::array<float, 3> best{};
  CHECK(r.go(first, false, [&] {
    best = first.values();
    throw failure("out.gguf: cannot be written");
  }) == "out.gguf: cannot be written" + r.kept(12));
  CHECK(best == expected());
  CHECK(first.values() != best);
  small_trainer second;
  CHECK(r.go(second, true) == "");
  CHECK(second.values() == best);
}

TEST_CASE("a loss that is no number leaves the step before it") {
  run r;
  small_trainer first;
  first.fails_at = 7;
  const std::string said = r.go(first);
  CHECK(said.find("pairs.csv: the loss or its gradient is no finite number at step 7: try a smaller --lr than") == 0);
  CHECK(said.ends_with(r.kept(6)));
  small_trainer second;
  CHECK(r.go(second, true) == "");
  CHECK(second.values() == expected());

  run early;
  small_trainer none;
  none.fails_at = 1;
  CHECK(early.go(none).ends_with("or more --warmup"));
  CHECK_FALSE(std::filesystem::exists(early.path));
}

TEST_CASE("weights that are no numbers replace no checkpoint") {
  for (const std::uint64_t every : {0u, 1u, 3u}) {
    run r;
    r.options.checkpoint_every = every;
    small_trainer trainer;
    trainer.breaks_at = 6;
    if (every == 0) trainer.fails_at = 7;
    const std::string said = r.go(trainer);
    CHECK(said.find("no finite number at step 7") != std::string::npos);
    CHECK(said.ends_with(every == 0 ? ", or more --warmup" : r.kept(every == 1 ? 5 : 3)));
    CHECK(std::filesystem::exists(r.path) == (every != 0));
    if (every == 0) continue;
    small_trainer again;
    CHECK(r.go(again, true) == "");
    CHECK(again.values() == expected());
  }
}

TEST_CASE("a checkpoint that cannot be written leaves the one before it") {
  run r;
  r.options.checkpoint_every = 4;
  r.options.last_step = 4;
  small_trainer first;
  CHECK(r.go(first) == "");
  const std::string before = contents(r.path);
  r.options.last_step = 12;
  r.options.judge = nullptr;
  train_checkpoint elsewhere(r.folder.file("nowhere/c"), "this run");
  r.options.checkpoint = &elsewhere;
  small_trainer second;
  CHECK(r.go(second) == "");
  CHECK(contents(r.path) == before);
}

TEST_CASE("a log that cannot be written is no reason to stop, and is told at the end") {
  run r;
  const std::string logs = r.folder.file("logs");
  std::filesystem::create_directory(logs);
  r.options.log = logs + "/log.csv";
  for (const bool comes_back : {false, true}) {
    small_trainer trainer;
    std::filesystem::create_directory(logs);
    r.judged = 0;
    const auto judge = r.options.judge;
    r.options.judge = [&] {
      if (r.judged == 0) std::filesystem::remove_all(logs);
      if (r.judged == 2 && comes_back) std::filesystem::create_directory(logs);
      return judge();
    };
    stop_request stop;
    train_plan plan(r.rows.training, r.settings);
    train_loop loop(trainer, r.rows, plan, r.settings, r.options);
    CHECK(loop.run(stop));
    loop.with_best([] {});
    CHECK(trainer.values() == expected());
    CHECK((loop.log_failure().find("log.csv: cannot be created") != std::string::npos) == !comes_back);
    if (comes_back) CHECK(contents(*r.options.log).find("\n12,") != std::string::npos);
    r.options.judge = judge;
  }
}
