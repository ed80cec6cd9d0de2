// The steps of a training, from the first or from a checkpoint on, until all are done or somebody asks to stop.
//
// Hours may be in it, so a failure on the way first saves where the training stands, if one can go on from there, and
// says which step there is a checkpoint of. A checkpoint or a log that there is no room for stops nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dupq/metrics.hpp>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <span>
#include <string>

#include "format.hpp"
#include "os.hpp"
#include "progress.hpp"
#include "step_log.hpp"
#include "stop_request.hpp"
#include "text_trainer.hpp"
#include "train_checkpoint.hpp"
#include "train_plan.hpp"
#include "train_rows.hpp"

namespace dupq_tool {

/// What a loop needs beside the trainer.
struct train_loop_options {
  std::uint64_t last_step = 0;                      ///< how many steps are to be done in all
  std::uint64_t checkpoint_every = 0;               ///< steps; 0: only where it is asked to stop
  train_checkpoint* checkpoint = nullptr;           ///< null: there is no place for one
  std::optional<std::string> log{};                 ///< the file
  std::function<dupq::threshold_choice()> judge{};  ///< the model on the validation pairs; empty: there are none
};

class train_loop {
 public:
  train_loop(text_trainer& trainer, const train_rows& rows, train_plan& plan, const train_settings& settings,
             const train_loop_options& options)
      : trainer_(trainer), rows_(rows), plan_(plan), settings_(settings), options_(options) {}

  /// Goes on from the checkpoint.
  void resume() {
    at_ = options_.checkpoint->load(trainer_, best_);
    saved_ = at_.steps;
  }

  /// All steps that are left. False: it was asked to stop, and there is a checkpoint.
  bool run(stop_request& stop) {
    if (options_.log) log_.emplace(*options_.log, at_.steps);
    bool ended = false;
    guarded([&] { ended = take_steps(stop); });
    save_log();
    if (!ended && options_.checkpoint != nullptr && at_.steps != 0) leave();
    return ended;
  }

  /// After `run`, calls use() while the trainer has the weights of the best epoch. Where it fails, they are put back.
  template <class F>
  void with_best(F&& use) {
    swap_best();
    guarded(use, [&] { swap_best(); });
  }

  /// Why the log is not on the disk as it should be; empty: it is.
  const std::string& log_failure() const noexcept { return log_failure_; }
  const train_progress& at() const noexcept { return at_; }
  /// The mean loss of this epoch's steps so far.
  double mean_loss() const noexcept {
    const std::uint64_t in_epoch = (at_.steps + plan_.steps_per_epoch() - 1) % plan_.steps_per_epoch() + 1;
    return at_.loss_sum / static_cast<double>(in_epoch);
  }

 private:
  bool take_steps(stop_request& stop) {
    const std::uint64_t columns = rows_.negatives.empty() ? 2 : 3, before = plan_.rows_before(at_.steps);
    progress shown("questions", (plan_.rows_before(options_.last_step) - before) * columns);
    if (at_.steps != 0) finish_epoch();
    while (at_.steps != options_.last_step) {
      if (stop.asked()) return false;
      one_step();
      const std::string note = "step " + grouped(at_.steps) + ", loss " + fixed(mean_loss(), 4) + ", ";
      shown.update((plan_.rows_before(at_.steps) - before) * columns, 0, note);
      if (stop.asked()) return false;  // before an epoch is judged, which takes a while
      save_now_and_then();
      finish_epoch();
    }
    return true;
  }
  void one_step() {
    const bool begins = at_.steps % plan_.steps_per_epoch() == 0;
    batch_.gather(rows_, plan_.batch(at_.steps), settings_);
    const auto done = trainer_.step(batch_);
    if (!done && done.error().code == dupq::errc::not_finite) fail_at_step();
    if (!done) throw failure(done.error());
    ++at_.steps;
    at_.loss_sum = (begins ? 0 : at_.loss_sum) + done->loss;
    if (log_) logging([&] { log_->add(at_.steps, done->learning_rate, done->loss, done->gradient_norm); });
  }

  [[noreturn]] void fail_at_step() const {
    throw failure(rows_.name + ": the loss or its gradient is no finite number at step " +
                  std::to_string(at_.steps + 1) + ": try a smaller --lr than " + shortest(settings_.learning_rate) +
                  ", or more --warmup");
  }

  /// Calls work(). Where that fails, calls undo(), saves, and fails with what is left besides.
  template <class Work, class Undo>
  void guarded(Work&& work, Undo&& undo) {
    try {
      work();
    } catch (const failure& e) {
      undo();
      throw failure(e.what() + left_over());
    } catch (const std::bad_alloc&) {
      undo();
      throw failure("not enough memory" + left_over());
    }
  }
  template <class Work>
  void guarded(Work&& work) {
    guarded(work, [] {});
  }
  /// Saves, if there is a step that no checkpoint has yet, and says which one the file has.
  std::string left_over() {
    save_log();
    try {
      if (options_.checkpoint != nullptr && at_.steps != saved_.value_or(0) && is_finite()) save();
    } catch (const std::exception&) {  // what was there before is there still
    }
    return last_saved();
  }
  std::string last_saved() const {
    return saved_ ? "; " + options_.checkpoint->path() + " has step " + std::to_string(*saved_) : "";
  }
  void leave() {
    try {
      if (!is_finite()) fail_at_step();
      save();
    } catch (const failure& e) {
      throw failure(e.what() + last_saved());
    }
  }

  /// Whether there is anything to go on from.
  bool is_finite() const {
    const auto all_finite = [](std::span<const float> v) {
      return std::ranges::all_of(v, [](float x) { return std::isfinite(x); });
    };
    for (std::size_t i = 0; i < trainer_.tensor_count(); ++i) {
      const dupq::tensor_view t = trainer_.tensor(i);
      if (!all_finite(t.values) || !all_finite(t.first_moments) || !all_finite(t.second_moments)) return false;
    }
    return true;
  }
  void save() {
    options_.checkpoint->save(trainer_, at_, best_);
    saved_ = at_.steps;
  }
  void save_log() {
    if (log_) logging([&] { log_->save(); });
  }
  /// Calls write(), which writes the log.
  template <class F>
  void logging(F&& write) {
    try {
      write();
      log_failure_.clear();
    } catch (const failure& e) {
      log_failure_ = e.what();
      if (!log_warned_) std::fprintf(stderr, "dupq: no log at step %s: %s\n", grouped(at_.steps).c_str(), e.what());
      log_warned_ = true;
    }
  }
  /// Where there is no room for a checkpoint, the last one stays and the training goes on.
  void save_now_and_then() {
    const std::uint64_t every = options_.checkpoint_every;
    if (every == 0 || (at_.steps % every != 0 && at_.steps != options_.last_step)) return;
    if (!is_finite()) fail_at_step();  // the last one is better
    try {
      save();
      save_log();
    } catch (const failure& e) {
      if (!warned_) std::fprintf(stderr, "dupq: no checkpoint at step %s: %s\n", grouped(at_.steps).c_str(), e.what());
      warned_ = true;
    }
  }
  /// After the last step of an epoch, or of all: judges the model.
  void finish_epoch() {
    const std::uint64_t per_epoch = plan_.steps_per_epoch(), epoch = (at_.steps + per_epoch - 1) / per_epoch;
    if ((at_.steps % per_epoch != 0 && at_.steps != options_.last_step) || at_.judged_epochs >= epoch) return;
    std::string line = "epoch " + std::to_string(epoch) + ": loss " + fixed(mean_loss(), 4);
    if (options_.judge) {
      const dupq::threshold_choice choice = options_.judge();
      line += ", validation F1 " + fixed(choice.f1, 4) + " at threshold " + fixed(choice.threshold, 4);
      if (at_.best_epoch == 0 || choice.f1 > at_.best_f1) {
        at_.best_epoch = epoch, at_.best_f1 = choice.f1, at_.threshold = static_cast<float>(choice.threshold);
        best_.clear();
        if (at_.steps != options_.last_step) keep_best();
      }
    }
    at_.judged_epochs = epoch;
    std::fprintf(stderr, "%s%s\n", os::is_terminal(os::standard_error) ? "\r\033[K" : "", line.c_str());
  }

  void keep_best() {
    best_.reserve(weight_count(trainer_));
    for (std::size_t i = 0; i < trainer_.tensor_count(); ++i) {
      const dupq::tensor_view t = trainer_.tensor(i);
      best_.insert(best_.end(), t.values.begin(), t.values.end());
    }
  }
  /// The best epoch's weights in the place of the last one's, where they are others, and those where these were.
  void swap_best() {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < trainer_.tensor_count() && !best_.empty(); ++i) {
      const dupq::tensor_view t = trainer_.tensor(i);
      std::swap_ranges(t.values.begin(), t.values.end(), best_.data() + begin);
      begin += t.values.size();
    }
  }

  text_trainer& trainer_;
  const train_rows& rows_;
  train_plan& plan_;
  const train_settings& settings_;
  const train_loop_options& options_;
  train_progress at_;
  weight_copy best_;
  text_batch batch_;
  std::optional<step_log> log_;
  std::optional<std::uint64_t> saved_;
  std::string log_failure_;
  bool warned_ = false, log_warned_ = false;
};

}  // namespace dupq_tool
