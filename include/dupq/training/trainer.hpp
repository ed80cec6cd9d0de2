// Fine-tunes a model: one call is one step of AdamW on a batch of pairs.
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

#include "../core/error.hpp"
#include "../core/os.hpp"
#include "../core/texts.hpp"
#include "../encoder.hpp"
#include "cpu_trainable.hpp"
#include "embedding_pass.hpp"
#include "loss.hpp"
#include "step_checks.hpp"
#include "trainer_options.hpp"
#include "training_state.hpp"

namespace dupq::inline DUPQ_ABI {

/// Trains a copy of `base`, a bi-encoder or a cross-encoder. One thread uses it at a time; the base must outlive it.
template <trainable_device D = cpu_trainable>
class basic_trainer {
 public:
  /// Bytes that `make` takes. Errors: as of make.
  static result<std::uint64_t> memory_bytes(const model& base, const trainer_options& options) noexcept {
    trainer_options all = options;
    if (const auto done = check(base, all); !done) return done.error();
    arena counter;
    state s;
    s.lay_out(counter, base.config(), all);
    if (counter.used() == arena::impossible) return error(errc::bad_limit, "trainer_options::tokens");
    return std::uint64_t{counter.used()};
  }

  /// Starts from the values of `base`, whose matrices are floats or halves. Errors: moved_from, unsupported (8-bit
  /// integers, a head whose activation is not tanh), bad_limit, out_of_memory.
  static result<basic_trainer> make(const model& base, const trainer_options& options) noexcept {
    trainer_options all = options;
    if (const auto done = check(base, all); !done) return done.error();
    const auto needed = memory_bytes(base, options);
    if (!needed) return needed.error();
    const auto prompt = prompt_of(base);
    if (!prompt) return prompt.error();
    basic_trainer t(base, all);
    t.prompt_ = *prompt;
    t.memory_.data = os::allocate(static_cast<std::size_t>(*needed));
    if (t.memory_.data == nullptr) return error(errc::out_of_memory, "trainer", *needed);
    arena from({static_cast<std::byte*>(t.memory_.data), static_cast<std::size_t>(*needed)});
    t.state_ = ::new (static_cast<void*>(from.take<state>(1))) state;
    t.state_->lay_out_rest(from, base.config(), all);
    if (const auto done = t.state_->weights.read(base); !done) return done.error();
    t.refresh();
    t.state_->words.reset(*t.state_->weights.words);
    return result<basic_trainer>(std::move(t));
  }
  static result<basic_trainer> make(model&&, const trainer_options&) = delete;

  /// A step of a bi-encoder on pairs (first[i], second[i]) with their labels, or none where the loss takes none.
  /// `negatives` has as many texts, or none. Errors: moved_from, wrong_kind, wrong_size, too_small (more texts or
  /// tokens than the trainer was made for), not_finite (the loss or a gradient: no value has changed, no step was
  /// made).
  template <vector_loss L>
  result<step_report> step(texts first, texts second, texts negatives, std::span<const float> labels,
                           const L& loss) noexcept {
    const texts columns[3] = {first, second, negatives};
    if (const auto done = begin(model_kind::bi_encoder, columns, labels.size()); !done) return done.error();
    state& s = *state_;
    const std::size_t pairs = first.size(), dim = base_.config().pooled_dim();
    const auto room = scratch_for<L>(pairs, dim);
    if (!room) return room.error();
    for (const texts& column : columns)
      for (std::size_t i = 0; i < column.size(); ++i) {
        const tokenizer::encoding e = encode_text(base_, prompt_, column[i], s.batch.next(), special_tokens::parse);
        if (const auto done = add(e); !done) return done.error();
      }
    forward();
    s.pool(base_.config(), prompt_.unpooled, device_.products());
    const auto rows = [&](float* all, std::size_t n, std::size_t of) {
      return matrix<float>(all + n * pairs * dim, of, dim);
    };
    const vector_batch vectors{rows(s.vectors, 0, pairs), rows(s.vectors, 1, pairs),
                               rows(s.vectors, 2, negatives.size()), labels};
    const double value = loss(vectors,
                              vector_gradients{rows(s.vector_gradients, 0, pairs), rows(s.vector_gradients, 1, pairs),
                                               rows(s.vector_gradients, 2, negatives.size())},
                              *room);
    if (!std::isfinite(value)) return no_number("loss");
    s.pool_gradient(base_.config(), prompt_.unpooled);
    return finish(value);
  }

  /// A step of a cross-encoder on pairs and their labels. Errors: as above.
  template <logit_loss L>
  result<step_report> step(texts first, texts second, std::span<const float> labels, const L& loss) noexcept {
    const texts columns[2] = {first, second};
    if (const auto done = begin(model_kind::cross_encoder, columns, labels.size()); !done) return done.error();
    state& s = *state_;
    const auto room = scratch_for<L>(first.size(), 1);
    if (!room) return room.error();
    for (std::size_t i = 0; i < first.size(); ++i) {
      const tokenizer::encoding e =
          encode_pair(base_, prompt_, first[i], second[i], s.batch.next(), special_tokens::parse);
      if (const auto done = add(e); !done) return done.error();
    }
    forward();
    const step_dropout dropout = drops();
    const auto pass = layers(dropout);
    s.head.forward(pass, s.batch, s.output);
    const std::size_t pairs = first.size();
    const double value = loss({s.head.logits, pairs}, labels, {s.head.logit_gradients, pairs}, *room);
    if (!std::isfinite(value)) return no_number("loss");
    s.head.backward(pass, s.batch, s.output);  // its gradient takes the place of s.output, which nothing reads any more
    return finish(value);
  }

  /// Tokens that a step counts for a text, or for a pair of a cross-encoder.
  std::size_t tokens(std::string_view text) noexcept {
    if (state_ == nullptr) return 0;
    state_->batch.clear();
    return encode_text(base_, prompt_, text, state_->batch.next(), special_tokens::parse).tokens;
  }
  std::size_t tokens(std::string_view a, std::string_view b) noexcept {
    if (state_ == nullptr) return 0;
    state_->batch.clear();
    return encode_pair(base_, prompt_, a, b, state_->batch.next(), special_tokens::parse).tokens;
  }
  /// The same without a trainer, to choose trainer_options::tokens before there is one. `ids` has room for the model's
  /// greatest length. Errors: missing_key, where the model's prompt is not there.
  static result<std::size_t> tokens_of(const model& base, std::string_view text, std::span<std::int32_t> ids) noexcept {
    const auto prompt = prompt_of(base);
    if (!prompt) return prompt.error();
    return encode_text(base, *prompt, text, ids, special_tokens::parse).tokens;
  }
  static result<std::size_t> tokens_of(const model& base, std::string_view a, std::string_view b,
                                       std::span<std::int32_t> ids) noexcept {
    const auto prompt = prompt_of(base);
    if (!prompt) return prompt.error();
    return encode_pair(base, *prompt, a, b, ids, special_tokens::parse).tokens;
  }

  std::uint64_t steps_done() const noexcept { return done_; }
  /// Goes on after `steps`, once all tensors' values and moments have been filled in. Errors: moved_from.
  result<void> resume(std::uint64_t steps) noexcept {
    if (state_ == nullptr) return error(errc::moved_from, "trainer");
    done_ = steps;
    refresh();
    state_->words.reset(*state_->weights.words);
    return {};
  }

  std::size_t tensor_count() const noexcept { return state_ == nullptr ? 0 : state_->weights.all().size(); }
  /// Tensor i, in the order of a model file. What is written to it counts after `resume`.
  tensor_view tensor(std::size_t i) noexcept {
    const parameter& p = state_->weights.all()[i];
    return {p.name, p.rows, p.columns, {p.values, p.size()}, {p.first, p.size()}, {p.second, p.size()}, p.decays};
  }
  /// The gradient that the last step had for tensor i, before clipping, written to `to`, [rows][columns].
  void gradient(std::size_t i, std::span<float> to) const noexcept {
    const parameter& p = state_->weights.all()[i];
    if (p.gradient == nullptr) return state_->words.write(to);
    std::copy_n(p.gradient, p.size(), to.data());
  }

  basic_trainer(basic_trainer&& other) noexcept
      : base_(std::move(other.base_)),
        options_(other.options_),
        prompt_(other.prompt_),
        device_(other.device_),
        products_(other.products_),
        own_(other.own_),
        memory_(std::move(other.memory_)),
        state_(std::exchange(other.state_, nullptr)),
        done_(other.done_) {}
  basic_trainer& operator=(basic_trainer&&) = delete;

 private:
  using state = training_state<D>;

  static const kernels& table_of(const model& base, const trainer_options& options) noexcept {
    return options.kernels == nullptr ? base.kernel_table() : *options.kernels;
  }
  static D make_device(const kernels& table) noexcept {
    if constexpr (std::is_constructible_v<D, const kernels&>)
      return D(table);
    else
      return D();
  }
  basic_trainer(const model& base, const trainer_options& options) noexcept
      : base_(base.view()),
        options_(options),
        device_(make_device(table_of(base, options))),
        products_(&table_of(base, options)),
        own_(&training_of(*products_)) {}

  static result<void> check(const model& base, trainer_options& o) noexcept {
    if (base.empty()) return error(errc::moved_from, "model");
    const config& c = base.config();
    if (c.weights != weight_type::f32 || base.weights().in_halves)
      return error(errc::unsupported, "training of weights that are no floats").in(base.path());
    if (c.kind == model_kind::static_encoder)
      return error(errc::wrong_kind, "a static_trainer is needed").in(base.path());
    if (c.kind == model_kind::cross_encoder && c.head_activation != head_activation::tanh)
      return error(errc::unsupported, "training of a head without tanh").in(base.path());
    if (c.hidden_activation != hidden_activation::gelu)
      return error(errc::unsupported, "training with this activation").in(base.path());
    if (c.dense_dim != 0) return error(errc::unsupported, "training with a Dense").in(base.path());
    return complete(o, c);
  }
  static result<prompt_use> prompt_of(const model& base) noexcept {
    limits l;
    l.text_tokens = base.config().max_length;
    return prompt_for(base, encoder_options{}, l);
  }

  static error no_number(const char* what) noexcept { return error(errc::not_finite, what); }

  result<void> begin(model_kind kind, std::span<const texts> columns, std::size_t labels) noexcept {
    if (state_ == nullptr) return error(errc::moved_from, "trainer");
    if (base_.config().kind != kind) return error(errc::wrong_kind, name(base_.config().kind)).in(base_.path());
    if (const auto done = check_columns(columns, labels, kind == model_kind::bi_encoder); !done) return done.error();
    state_->batch.clear();
    return {};
  }
  result<void> add(const tokenizer::encoding& e) noexcept {
    training_batch& b = state_->batch;
    if (b.add(e.tokens, e.first_segment, base_.config(), base_.tokenizer().options().pad)) return {};
    if (b.texts() == b.most_texts()) return error(errc::too_small, "trainer_options::texts", b.texts() + 1, b.texts());
    return error(errc::too_small, "trainer_options::tokens", b.tokens() + e.tokens, b.most_tokens());
  }
  template <class L>
  result<std::span<double>> scratch_for(std::size_t pairs, std::size_t dim) const noexcept {
    const std::size_t needed = L::scratch_doubles(pairs, dim), room = state::scratch_doubles(options_, base_.config());
    if (needed > room) return error(errc::too_small, "the loss's scratch", needed, room);
    return std::span<double>(state_->scratch, room);
  }

  step_dropout drops() const noexcept { return {dropout_rule(options_.dropout), options_.seed, done_}; }
  layer_pass<D> layers(const step_dropout& dropout) const noexcept {
    return {device_, base_.config(), state_->weights, dropout};
  }
  /// Runs task(block, its number, the worker's room) for all blocks.
  template <class Task>
  void for_blocks(Task&& task) const noexcept {
    const auto blocks = state_->batch.blocks();
    options_.executor.run(blocks.size(), [&](std::size_t n, std::size_t worker) {
      const float_environment ieee;
      task(blocks[n], n, state_->rooms[worker]);
    });
  }
  void refresh() noexcept {
    const parameters& w = state_->weights;
    options_.executor.run(w.panel_tasks(), [&](std::size_t task, std::size_t) { w.refresh(*products_, task); });
  }

  void forward() noexcept {
    state& s = *state_;
    s.batch.cut_into_blocks();
    const step_dropout dropout = drops();
    const auto pass = layers(dropout);
    for_blocks([&](const training_block& b, std::size_t, const block_room& room) {
      embed(pass, s, *products_, b, room);
      const std::size_t count = s.weights.layers().size();
      for (std::size_t n = 0; n < count; ++n)
        pass.forward(n, s.layers[n], b, room, n + 1 == count ? s.output : nullptr);
    });
  }

  /// A layer's gradients for one block: from that of its output to that of its input.
  void backward(const layer_pass<D>& pass, std::size_t n, const training_block& b, const block_room& room,
                typename state::layer_work& work, float* sums) const noexcept {
    state& s = *state_;
    const config& c = base_.config();
    const std::size_t d = c.hidden;
    const auto below = [&](matrix<float> x) {
      const float* const kept = n == 0 ? s.embedding_x : s.layers[n - 1].output_x;
      const trained_norm& norm = n == 0 ? s.weights.embedding_norm : s.weights.layers()[n - 1].output_norm;
      device_.norm_output(norm.get(), {kept + b.first_token * d, x.rows, d}, x);
      if (n == 0) pass.drop(dropout_places::embedding(), b, false, room, x);
    };
    pass.backward(n, s.layers[n], b, room, pass.only_first(n) ? s.output : s.gradient, s.gradient,
                  s.relative_of(c, b.first_text), work.sums, sums, work.factors, below);
  }

  /// From the gradient of the last layer's output to a changed model.
  result<step_report> finish(double loss) noexcept {
    state& s = *state_;
    const config& c = base_.config();
    const step_dropout dropout = drops();
    const auto pass = layers(dropout);
    const std::size_t tokens = s.batch.tokens(), blocks = s.batch.blocks().size();
    s.begin_relative(c);
    // The gradients of a layer's weights wait for all blocks of the layer, but nothing below waits for them: they are
    // made beside the blocks of the next layer, so that no worker stands still at the end of either.
    for (std::size_t n = s.weights.layers().size();; --n) {
      const bool weights = n != s.weights.layers().size(), inputs = n != 0;
      typename state::layer_work &above = s.work[n % 2], &own = s.work[(n + 1) % 2];
      const std::size_t below_blocks = inputs ? blocks : 0;
      const bool first_only = inputs && pass.only_first(n - 1);
      own.factors.set_rows(tokens, first_only ? s.batch.texts() : tokens);
      options_.executor.run(below_blocks + (weights ? pass.weight_tasks() : 0), [&](std::size_t i, std::size_t worker) {
        const float_environment ieee;
        if (i >= below_blocks) return pass.weight_gradient(n, i - below_blocks, above.factors, above.sums, blocks);
        backward(pass, n - 1, s.batch.blocks()[i], s.rooms[worker], own, own.sums.block(i));
      });
      if (!inputs) break;
      s.add_relative(c);
    }
    embedding_gradient(pass, s, *own_, options_.executor, base_.tokenizer().options().pad);
    s.end_relative(c);

    const double norm = s.update.norm(*own_, options_.executor, s.words);
    if (!std::isfinite(norm)) return no_number("gradient");
    const double rate = linear_schedule(options_.optimizer.learning_rate, done_, options_.warmup, options_.steps);
    s.update.step(*own_, options_.executor, options_.optimizer, rate, done_ + 1, norm, s.words);
    refresh();
    ++done_;
    return step_report{loss, rate, norm};
  }

  model base_;
  trainer_options options_;
  prompt_use prompt_;
  D device_;
  const kernels* products_ = nullptr;
  const training_kernels* own_ = nullptr;
  training_memory memory_;
  state* state_ = nullptr;
  std::uint64_t done_ = 0;
};

using trainer = basic_trainer<>;

}  // namespace dupq::inline DUPQ_ABI
