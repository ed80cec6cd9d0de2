// Which rows a step of a training learns from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/training/order.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "train_rows.hpp"

namespace dupq_tool {

/// The batches of all epochs. The last one of an epoch is smaller where the rows do not divide.
class train_plan {
 public:
  /// `rows`: those to learn from, in the order that they have without shuffling; they must outlive the plan.
  train_plan(std::span<const std::uint32_t> rows, const train_settings& s)
      : rows_(rows), batch_(s.batch), epochs_(s.epochs), seed_(s.seed), shuffle_(s.shuffle), order_(rows.size()) {}

  std::uint64_t steps_per_epoch() const noexcept { return (rows_.size() + batch_ - 1) / batch_; }
  std::uint64_t steps() const noexcept { return epochs_ * steps_per_epoch(); }

  /// The rows of a step, counted from 0. They stay until another step is asked for.
  std::span<const std::uint32_t> batch(std::uint64_t step) {
    arrange(step / steps_per_epoch());
    const auto first = static_cast<std::size_t>(step % steps_per_epoch()) * batch_;
    return std::span<const std::uint32_t>(order_).subspan(first, std::min(batch_, order_.size() - first));
  }
  /// Rows of all steps before this one.
  std::uint64_t rows_before(std::uint64_t step) const noexcept {
    return step / steps_per_epoch() * rows_.size() +
           std::min<std::uint64_t>(step % steps_per_epoch() * batch_, rows_.size());
  }

 private:
  void arrange(std::uint64_t epoch) {
    if (epoch == arranged_) return;
    arranged_ = epoch;
    if (shuffle_) {
      dupq::epoch_order(seed_, epoch, order_);
      for (std::uint32_t& i : order_) i = rows_[i];
    } else {
      std::copy(rows_.begin(), rows_.end(), order_.begin());
    }
  }

  std::span<const std::uint32_t> rows_;
  std::size_t batch_;
  std::uint64_t epochs_, seed_;
  bool shuffle_;
  std::vector<std::uint32_t> order_;
  std::uint64_t arranged_ = UINT64_MAX;
};

/// The texts of a step.
struct text_batch {
  std::vector<std::string_view> first, second, negatives;
  std::vector<float> labels;

  /// The rows of a step. Different texts have the label `s.negative_label`.
  void gather(const train_rows& rows, std::span<const std::uint32_t> chosen, const train_settings& s) {
    first.clear(), second.clear(), negatives.clear(), labels.clear();
    // The notebook's labels make sentence-transformers' loss pass over all that are not 1.
    const bool pass_over = s.as_in_the_notebook && s.loss == train_loss::online_contrastive;
    for (const std::uint32_t row : chosen) {
      if (pass_over && rows.pairs.labels[row] == 0) continue;
      first.push_back(rows.pairs.first[row]);
      second.push_back(rows.pairs.second[row]);
      if (!rows.negatives.empty()) negatives.push_back(rows.negatives[row]);
      labels.push_back(rows.pairs.labels[row] != 0 ? 1.0f : s.negative_label);
    }
    if (!labels.empty()) return;
    // No pair is left, and PyTorch makes a step with gradients of 0 then. The trainer wants at least one pair: for a
    // single duplicate the loss and the gradients are 0.
    first.push_back(rows.pairs.first[chosen[0]]);
    second.push_back(rows.pairs.second[chosen[0]]);
    labels.push_back(1);
  }
};

}  // namespace dupq_tool
