// Trains the table of a static model: one call is one step of AdamW on a batch of pairs, as `trainer` does it for
// models with layers. Only the rows of the batch's tokens have gradients; like all others they decay, and like those
// that had one before they follow their moments.
//
// Values after any number of steps are the same bits on every CPU and for any number of threads. Everything is taken
// when a trainer is made; a step allocates nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "../core/arena.hpp"
#include "../core/error.hpp"
#include "../core/os.hpp"
#include "../core/texts.hpp"
#include "../device/cpu/sum_rows.hpp"
#include "../device/widen.hpp"
#include "../model/static_table.hpp"
#include "../static_encoder.hpp"
#include "cpu/tables.hpp"
#include "embedding_gradient.hpp"
#include "loss.hpp"
#include "optimizer.hpp"
#include "pooling_gradient.hpp"
#include "step_checks.hpp"
#include "trainer_options.hpp"
#include "training_batch.hpp"

namespace dupq::inline DUPQ_ABI {

/// One thread uses it at a time; the base must outlive it. It has one tensor, "token_embd.weight", [rows][hidden]:
/// what tokens count for, where the model says that, does not change. There is no dropout.
class static_trainer {
 public:
  /// Bytes that `make` takes. Errors: as of make.
  static result<std::uint64_t> memory_bytes(const model& base, const trainer_options& options) noexcept {
    static_trainer t(base, options);
    if (const auto done = t.check(); !done) return done.error();
    arena counter;
    t.lay_out(counter);
    if (counter.used() == arena::impossible) return error(errc::bad_limit, "trainer_options::tokens");
    return std::uint64_t{counter.used()};
  }

  /// Starts from the table of `base`, in floats or halves. Errors: moved_from, wrong_kind, unsupported (8-bit
  /// integers), bad_limit, bad_fraction, out_of_memory.
  static result<static_trainer> make(const model& base, const trainer_options& options) noexcept {
    const auto needed = memory_bytes(base, options);
    if (!needed) return needed.error();
    static_trainer t(base, options);
    if (const auto done = t.check(); !done) return done.error();
    limits l;
    l.text_tokens = base.config().max_length;
    const auto prompt = prompt_for(base, encoder_options{}, l);
    if (!prompt) return prompt.error();
    t.prompt_ = *prompt;
    t.memory_.data = os::allocate(static_cast<std::size_t>(*needed));
    if (t.memory_.data == nullptr) return error(errc::out_of_memory, "trainer", *needed);
    arena from({static_cast<std::byte*>(t.memory_.data), static_cast<std::size_t>(*needed)});
    t.lay_out(from);
    t.read_table();
    return result<static_trainer>(std::move(t));
  }
  static result<static_trainer> make(model&&, const trainer_options&) = delete;

  /// A step on pairs (first[i], second[i]) with their labels, or none where the loss takes none. `negatives` has as
  /// many texts, or none. Errors: moved_from, wrong_size, too_small (more texts or tokens than the trainer was made
  /// for), not_finite (the loss or a gradient: no value has changed, no step was made).
  template <vector_loss L>
  result<step_report> step(texts first, texts second, texts negatives, std::span<const float> labels,
                           const L& loss) noexcept {
    if (memory_.data == nullptr) return error(errc::moved_from, "trainer");
    const texts columns[3] = {first, second, negatives};
    if (const auto done = check_columns(columns, labels.size(), true); !done) return done.error();
    const std::size_t pairs = first.size(), needed = L::scratch_doubles(pairs, dim());
    if (needed > scratch_doubles()) return error(errc::too_small, "the loss's scratch", needed, scratch_doubles());
    batch_.clear();
    for (const texts& column : columns)
      for (std::size_t i = 0; i < column.size(); ++i)
        if (const auto done = add(column[i]); !done) return done.error();
    forward();
    const auto rows = [&](float* all, std::size_t column) {
      return matrix<float>(all + column * pairs * dim(), columns[column].size(), dim());
    };
    const double value = loss(vector_batch{rows(vectors_, 0), rows(vectors_, 1), rows(vectors_, 2), labels},
                              vector_gradients{rows(gradients_, 0), rows(gradients_, 1), rows(gradients_, 2)},
                              std::span<double>(scratch_, scratch_doubles()));
    if (!std::isfinite(value)) return error(errc::not_finite, "loss");
    backward();
    const double norm = update_.norm(*own_, options_.executor, words_);
    if (!std::isfinite(norm)) return error(errc::not_finite, "gradient");
    const double rate = linear_schedule(options_.optimizer.learning_rate, done_, options_.warmup, options_.steps);
    update_.step(*own_, options_.executor, options_.optimizer, rate, ++done_, norm, words_);
    return step_report{value, rate, norm};
  }

  /// Tokens that a step counts for a text.
  std::size_t tokens(std::string_view text) noexcept {
    if (memory_.data == nullptr) return 0;
    batch_.clear();
    return read(text).ids.size();
  }

  std::uint64_t steps_done() const noexcept { return done_; }
  /// Goes on after `steps`, once the tensor's values and moments have been filled in. Errors: moved_from.
  result<void> resume(std::uint64_t steps) noexcept {
    if (memory_.data == nullptr) return error(errc::moved_from, "trainer");
    done_ = steps;
    words_.reset(*rows_);
    return {};
  }

  std::size_t tensor_count() const noexcept { return memory_.data == nullptr ? 0 : 1; }
  /// The tensor. What is written to it counts after `resume`.
  tensor_view tensor(std::size_t) noexcept {
    const parameter& p = *rows_;
    return {p.name, p.rows, p.columns, {p.values, p.size()}, {p.first, p.size()}, {p.second, p.size()}, p.decays};
  }
  /// The gradient that the last step had for it, before clipping, written to `to`, [rows][columns].
  void gradient(std::size_t, std::span<float> to) const noexcept { words_.write(to); }

  /// What has been moved from refuses every call.
  static_trainer(static_trainer&& other) noexcept = default;
  static_trainer& operator=(static_trainer&&) = delete;

 private:
  static constexpr std::size_t texts_a_task = 16, rows_a_task = 32;

  static_trainer(const model& base, const trainer_options& options) noexcept : base_(base.view()), options_(options) {}

  result<void> check() noexcept {
    if (base_.empty()) return error(errc::moved_from, "model");
    const config& c = base_.config();
    if (c.kind != model_kind::static_encoder) return error(errc::wrong_kind, name(c.kind)).in(base_.path());
    const auto table = static_table::read(base_.file(), c, false, false);
    if (!table) return table.error();
    if (table->tokens.rows.format == row_format::q8_0)
      return error(errc::unsupported, "training of weights that are no floats").in(base_.path());
    table_ = *table;
    const kernels& k = options_.kernels == nullptr ? base_.kernel_table() : *options_.kernels;
    products_ = &k, own_ = &training_of(k), sum_ = sum_rows_of(k);
    return complete(options_, c);
  }

  std::size_t dim() const noexcept { return base_.config().hidden; }
  /// Enough for a score of every two texts and a few numbers a component.
  std::size_t scratch_doubles() const noexcept {
    return options_.texts * options_.texts + 4 * options_.texts + 4 * dim() + 64;
  }

  void lay_out(arena& from) noexcept {
    config shape;  // of a model that has nothing but the table
    shape.vocabulary = static_cast<std::uint32_t>(table_.tokens.rows.count), shape.hidden = base_.config().hidden;
    const std::uint64_t numbers = table_.tokens.rows.count * std::uint64_t{dim()}, tokens = options_.tokens;
    parameter p;
    p.name = name_buffer("token_embd", ".weight");
    p.rows = table_.tokens.rows.count, p.columns = dim(), p.decays = true;
    p.values = from.take<float>(numbers + parameters::slack);
    p.first = from.take<float>(numbers), p.second = from.take<float>(numbers);
    rows_ = from.take<parameter>(1);
    if (rows_ != nullptr) ::new (static_cast<void*>(rows_)) parameter(p);
    batch_.lay_out(from, options_.texts, options_.tokens, base_.config().max_length);
    words_.lay_out(from, shape, tokens);
    update_.lay_out(from, shape, tokens, {rows_, rows_ == nullptr ? std::size_t{0} : 1});
    row_ids_ = from.take<std::int32_t>(tokens);
    token_gradients_ = from.take<float>(tokens * dim());
    vectors_ = from.take<float>(std::uint64_t{options_.texts} * dim() + parameters::slack);
    gradients_ = from.take<float>(std::uint64_t{options_.texts} * dim() + parameters::slack);
    lengths_ = from.take<float>(options_.texts);
    scratch_ = from.take<double>(scratch_doubles());
  }

  /// Copies the base's table, which the sums are made of from now on.
  void read_table() noexcept {
    table<host_memory>& t = table_.tokens.rows;
    for (std::size_t r = 0; r < t.count; ++r)
      widen(t.rows + r * t.row_bytes, t.format, dim(), rows_->values + r * dim());
    t.rows = reinterpret_cast<const std::byte*>(rows_->values);
    t.format = row_format::f32, t.row_bytes = dim() * sizeof(float);
    std::fill_n(rows_->first, rows_->size(), 0.0f);
    std::fill_n(rows_->second, rows_->size(), 0.0f);
    words_.reset(*rows_);
  }

  static_tokens read(std::string_view text) noexcept {
    return static_tokens::read(base_, table_, prompt_, text, batch_.next(), special_tokens::parse);
  }
  result<void> add(std::string_view text) noexcept {
    const static_tokens t = read(text);
    std::copy(t.ids.begin(), t.ids.end(), batch_.next().begin());  // they stand behind the place of a special token
    if (batch_.add(t.ids.size(), t.ids.size(), base_.config(), -1)) return {};
    if (batch_.texts() == batch_.most_texts())
      return error(errc::too_small, "trainer_options::texts", batch_.texts() + 1, batch_.texts());
    return error(errc::too_small, "trainer_options::tokens", batch_.tokens() + t.ids.size(), batch_.most_tokens());
  }

  /// Runs task(i) for 0..n-1, `each` of them at a time.
  template <class Task>
  void for_each(std::size_t n, std::size_t each, Task&& task) const noexcept {
    options_.executor.run((n + each - 1) / each, [&](std::size_t number, std::size_t) {
      const float_environment ieee;
      for (std::size_t i = number * each; i < std::min(n, (number + 1) * each); ++i) task(i);
    });
  }

  /// The batch's vectors, as static_encoder makes them.
  void forward() noexcept {
    const token_batch b = batch_.view();
    for_each(b.texts, texts_a_task, [&](std::size_t t) {
      const std::size_t n = b.offsets[t + 1] - b.offsets[t];
      float* const v = vectors_ + t * dim();
      sum_(table_.tokens, b.ids + b.offsets[t], n, v);
      if (!base_.config().normalize) {
        if (n != 0) products_->divide(dim(), static_cast<float>(n), v);
        return;
      }
      products_->dots(dim(), v, 1, dim(), v, lengths_ + t);
      lengths_[t] = std::max(std::sqrt(lengths_[t]), 1e-12f);
      products_->divide(dim(), lengths_[t], v);
    });
  }

  /// The rows' gradients from those of the vectors: what a text has is shared by its tokens.
  void backward() noexcept {
    const token_batch b = batch_.view();
    for_each(b.texts, texts_a_task, [&](std::size_t t) {
      const std::size_t first = b.offsets[t], last = b.offsets[t + 1];
      if (first == last) return;
      float* const dy = gradients_ + t * dim();
      if (base_.config().normalize)
        normalize_gradient(dim(), vectors_ + t * dim(), lengths_[t], dy);
      else
        products_->divide(dim(), static_cast<float>(last - first), dy);
      for (std::size_t i = first; i < last; ++i) {
        row_ids_[i] = static_cast<std::int32_t>(table_.tokens.row_number(b.ids[i]));
        float* const to = token_gradients_ + i * dim();
        std::copy_n(dy, dim(), to);
        if (table_.tokens.weight_of != nullptr) own_->multiply(dim(), table_.tokens.weight(b.ids[i]), to);
      }
    });
    token_batch rows = b;
    rows.ids = row_ids_;
    words_.find(rows, -1);
    for_each(words_.count(), rows_a_task, [&](std::size_t j) { words_.add_up(j, *own_, token_gradients_); });
  }

  model base_;
  trainer_options options_;
  prompt_use prompt_;
  static_table table_;
  const kernels* products_ = nullptr;
  const training_kernels* own_ = nullptr;
  sum_rows_function sum_ = nullptr;
  training_memory memory_;
  parameter* rows_ = nullptr;
  training_batch batch_;
  word_gradients words_;
  optimizer update_;
  std::int32_t* row_ids_ = nullptr;                  ///< [tokens]
  float* token_gradients_ = nullptr;                 ///< [tokens][hidden]
  float *vectors_ = nullptr, *gradients_ = nullptr;  ///< [texts][hidden]
  float* lengths_ = nullptr;                         ///< [texts], of vectors before they were normalised
  double* scratch_ = nullptr;
  std::uint64_t done_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
