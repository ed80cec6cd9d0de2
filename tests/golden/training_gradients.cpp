// Gradients of whole models: those of a trainer's step, in float, against finite differences of the same model and loss
// written anew in double, for every tensor, with dropout and without.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/training.hpp>
#include <dupq/training/reference.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "golden/models.hpp"

namespace {

namespace formulas = dupq::training_formulas;
using numbers = std::vector<double>;

dupq::matrix<double> rows(numbers& x, std::size_t columns) { return {x.data(), x.size() / columns, columns}; }
dupq::matrix<const double> rows(const numbers& x, std::size_t columns) {
  return {x.data(), x.size() / columns, columns};
}

/// A model in double, from a trainer's tensors, and the batch that it computes the loss of.
class double_model {
 public:
  double_model(const dupq::model& base, dupq::trainer& from, const dupq::trainer_options& options)
      : base_(base), c_(base.config()), drops_{dupq::dropout_rule(options.dropout), options.seed, 0} {
    for (std::size_t i = 0; i < from.tensor_count(); ++i) {
      const auto view = from.tensor(i);
      names_.emplace_back(std::string_view(view.name));
      tensors_[names_.back()] = numbers(view.values.begin(), view.values.end());
    }
  }

  const std::vector<std::string>& names() const { return names_; }
  numbers& tensor(const std::string& name) { return tensors_.at(name); }

  void add_text(const std::string& text) {
    std::vector<std::int32_t> ids(c_.max_length);
    add(ids, base_.tokenizer().encode(text, ids.size(), ids));
  }
  void add_pair(const std::string& a, const std::string& b) {
    std::vector<std::int32_t> ids(c_.max_length);
    add(ids, base_.tokenizer().encode_pair(a, b, ids.size(), ids));
  }

  /// Mean of (cosine - label)^2: the first half of the texts against the second.
  double cosine_loss(const std::vector<float>& labels) const {
    const numbers x = output(), v = vectors(x);
    const std::size_t pairs = labels.size(), n = v.size() / (2 * pairs);
    double sum = 0;
    for (std::size_t i = 0; i < pairs; ++i) {
      double dot = 0, a = 0, b = 0;
      for (std::size_t k = 0; k < n; ++k) {
        const double p = v[i * n + k], q = v[(pairs + i) * n + k];
        dot += p * q, a += p * p, b += q * q;
      }
      sum += std::pow(dot / std::sqrt(a * b) - static_cast<double>(labels[i]), 2);
    }
    return sum / static_cast<double>(pairs);
  }
  /// Binary cross-entropy of the logits.
  double cross_loss(const std::vector<float>& labels) const {
    const numbers x = output();
    const std::size_t d = c_.hidden;
    double sum = 0;
    for (std::size_t t = 0; t < labels.size(); ++t) {
      const auto first = x.begin() + static_cast<std::ptrdiff_t>(offsets_[t] * d);
      numbers pooled = product(numbers(first, first + static_cast<std::ptrdiff_t>(d)), "cls");
      for (double& one : pooled) one = std::tanh(one);
      drop(places().classifier(c_.layers), pooled, t);
      const double z = product(pooled, "cls.output")[0], y = static_cast<double>(labels[t]);
      sum += std::log1p(std::exp(z)) - z * y;
    }
    return sum / static_cast<double>(labels.size());
  }

 private:
  void add(const std::vector<std::int32_t>& ids, const dupq::tokenizer::encoding& e) {
    for (std::size_t i = 0; i < e.tokens; ++i) {
      ids_.push_back(static_cast<std::size_t>(ids[i]));
      positions_.push_back(c_.position_offset + i);
      types_.push_back(i < e.first_segment || c_.token_types < 2 ? 0 : 1);
    }
    offsets_.push_back(static_cast<std::uint32_t>(ids_.size()));
  }

  dupq::dropout_places places() const { return {c_.heads}; }
  void drop(std::uint64_t place, numbers& x, std::size_t first_row = 0) const {
    if (!drops_.active()) return;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto key = dupq::random_key(drops_.seed, drops_.step, place, first_row + i / c_.hidden);
      x[i] = formulas::dropped(drops_.rule, key, i % c_.hidden, x[i]);
    }
  }
  numbers product(const numbers& x, const std::string& name) const {
    const numbers &w = tensors_.at(name + ".weight"), &bias = tensors_.at(name + ".bias");
    const std::size_t inputs = w.size() / bias.size();
    numbers y(x.size() / inputs * bias.size());
    formulas::product<double>([&](std::size_t o, std::size_t i) { return w[o * inputs + i]; }, bias.data(),
                              rows(x, inputs), false, rows(y, bias.size()));
    return y;
  }
  void norm(numbers& x, const std::string& name) const {
    numbers inverse(x.size() / c_.hidden), y(x.size());
    formulas::norm<double>(tensors_.at(name + ".weight").data(), tensors_.at(name + ".bias").data(), c_.norm_epsilon,
                           rows(x, c_.hidden), inverse.data(), rows(y, c_.hidden));
    x = y;
  }

  /// The last layer's output.
  numbers output() const {
    const std::size_t d = c_.hidden, tokens = ids_.size();
    numbers x(tokens * d);
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t i = 0; i < d; ++i) {
        x[t * d + i] = tensors_.at("token_embd.weight")[ids_[t] * d + i] +
                       tensors_.at("position_embd.weight")[positions_[t] * d + i];
        if (c_.token_types != 0) x[t * d + i] += tensors_.at("token_types.weight")[types_[t] * d + i];
      }
    norm(x, "token_embd_norm");
    drop(dupq::dropout_places::embedding(), x);
    for (std::size_t n = 0; n < c_.layers; ++n) {
      const std::string layer = "blk." + std::to_string(n) + ".";
      numbers a = product(attention(n, x), layer + "attn_output");
      drop(places().attention_output(n), a);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += a[i];
      norm(x, layer + "attn_output_norm");
      numbers inner = product(x, layer + "ffn_up");
      for (double& one : inner) one = formulas::gelu(one);
      numbers f = product(inner, layer + "ffn_down");
      drop(places().output(n), f);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += f[i];
      norm(x, layer + "layer_output_norm");
    }
    return x;
  }

  numbers attention(std::size_t n, const numbers& x) const {
    const std::size_t d = c_.hidden, tokens = ids_.size(), span = c_.max_length, width = 2 * span - 1;
    numbers qkv(tokens * 3 * d), context(tokens * d), relative;
    const char* const parts[3] = {"attn_q", "attn_k", "attn_v"};
    for (std::size_t part = 0; part < 3; ++part) {
      const numbers one = product(x, "blk." + std::to_string(n) + "." + parts[part]);
      for (std::size_t i = 0; i < one.size(); ++i) qkv[i / d * 3 * d + part * d + i % d] = one[i];
    }
    if (c_.relative_buckets != 0) {
      relative.resize(c_.heads * width);
      for (std::size_t i = 0; i < relative.size(); ++i) {  // of queries less keys, from 1 - span on
        const auto distance = static_cast<std::ptrdiff_t>(span) - 1 - static_cast<std::ptrdiff_t>(i % width);
        relative[i] = tensors_.at("attn_rel_b.weight")[dupq::relative_bucket(distance) * c_.heads + i / width];
      }
    }
    std::vector<std::uint32_t> keys(c_.heads * tokens);
    for (std::size_t i = 0; i < keys.size(); ++i)
      keys[i] = dupq::random_key(drops_.seed, drops_.step, places().head(n, i / tokens), i % tokens);
    dupq::attention_dropout drops;
    if (drops_.active()) drops = {drops_.rule, keys.data()};
    const dupq::text_block texts{offsets_.data(), offsets_.size() - 1};
    const dupq::attention_shape shape{c_.heads, c_.head_dim(), nullptr, span};
    std::vector<char> scratch(formulas::head_of_text<double>::scratch_bytes(span));
    for (std::size_t t = 0; t < texts.texts; ++t)
      for (std::size_t h = 0; h < c_.heads; ++h)
        formulas::head_of_text<double>(texts, t, shape, h, relative.empty() ? nullptr : relative.data(), drops,
                                       rows(qkv, 3 * d), scratch.data())
            .attend(rows(context, d));
    return context;
  }

  numbers vectors(const numbers& x) const {
    const std::size_t d = c_.hidden;
    numbers all;
    for (std::size_t t = 0; t + 1 < offsets_.size(); ++t) {
      const std::size_t n = offsets_[t + 1] - offsets_[t];
      for (std::uint32_t modes = dupq::pooling_sequence(c_.pooling); modes != 0; modes >>= 4)
        for (std::size_t i = 0; i < d; ++i) {
          const auto at = [&](std::size_t r) { return x[(offsets_[t] + r) * d + i]; };
          double sum = 0, weighted = 0, most = at(0);
          for (std::size_t r = 0; r < n; ++r) {
            sum += at(r), weighted += at(r) * static_cast<double>(r + 1);
            most = std::max(most, at(r));
          }
          const auto count = static_cast<double>(n);
          switch (static_cast<dupq::pooling_mode>(modes & 15)) {
            case dupq::pooling_mode::cls: all.push_back(at(0)); break;
            case dupq::pooling_mode::max: all.push_back(most); break;
            case dupq::pooling_mode::mean: all.push_back(sum / count); break;
            case dupq::pooling_mode::mean_sqrt_len_tokens: all.push_back(sum / std::sqrt(count)); break;
            case dupq::pooling_mode::weightedmean: all.push_back(weighted / (count * (count + 1) / 2)); break;
            case dupq::pooling_mode::lasttoken: all.push_back(at(n - 1)); break;
          }
        }
    }
    return all;  // (a cosine does not see whether they are normalised, nor does its gradient)
  }

  const dupq::model& base_;
  const dupq::config& c_;
  dupq::step_dropout drops_;
  std::vector<std::string> names_;
  std::map<std::string, numbers> tensors_;
  std::vector<std::size_t> ids_, positions_, types_;
  std::vector<std::uint32_t> offsets_{0};
};

/// Each tensor's gradient along a random direction, against the loss on either side.
template <class Loss>
void check_gradients(dupq::trainer& trainer, double_model& model, Loss&& loss) {
  std::mt19937 random(9);
  for (std::size_t i = 0; i < trainer.tensor_count(); ++i) {
    const std::string& name = model.names()[i];
    CAPTURE(name);
    numbers& values = model.tensor(name);
    std::vector<float> gradient(values.size());
    trainer.gradient(i, gradient);
    double squares = 0;
    for (const float g : gradient) squares += static_cast<double>(g) * static_cast<double>(g);
    const numbers kept = values;
    numbers signs(values.size());
    double along = 0;
    for (std::size_t k = 0; k < signs.size(); ++k) {
      signs[k] = random() % 2 == 0 ? 1 : -1;
      along += signs[k] * static_cast<double>(gradient[k]);
    }
    const double step = 1e-5;
    const auto at = [&](double steps) {
      for (std::size_t k = 0; k < kept.size(); ++k) values[k] = kept[k] + steps * signs[k];
      return loss();
    };
    const double slope = (at(step) - at(-step)) / (2 * step);
    values = kept;
    CHECK(std::fabs(along - slope) < 1e-5 * std::sqrt(squares) + 3e-7);
    const bool of_keys = name.ends_with("attn_k.bias"), of_a_table = name.starts_with("token_types");
    if (!of_keys && !of_a_table) CHECK(squares > 0);
  }
}

const std::vector<std::string> first_texts = {"How do I learn C++?", "what is love", "a"};
const std::vector<std::string> second_texts = {"what is the best way to learn it", "Is love blind?",
                                               "how are you doing today?"};
const std::vector<float> labels = {1, 0, 1};

dupq::trainer_options options_with(float dropout) {
  dupq::trainer_options options;
  options.steps = 10;
  options.dropout = dropout;
  options.texts = 6;
  return options;
}

}  // namespace

TEST_CASE("training_gradients: bi-encoders") {
  for (const char* const name : {"bert", "mpnet", "bert_pooled", "bert-order", "bert-weightedmean"})
    for (const float dropout : {0.0f, 0.3f}) {
      if (dropout > 0 && std::string_view(name).starts_with("bert")) continue;
      CAPTURE(std::string(name));
      CAPTURE(dropout);
      const golden::converted file(name);
      const dupq::model base = file.open();
      const auto options = options_with(dropout);
      auto trainer = dupq::trainer::make(base, options);
      REQUIRE(trainer);
      double_model model(base, *trainer, options);
      for (const auto& text : first_texts) model.add_text(text);
      for (const auto& text : second_texts) model.add_text(text);
      const auto report = trainer->step(first_texts, second_texts, {}, labels, dupq::cosine_loss{});
      REQUIRE(report);
      const auto loss = [&] { return model.cosine_loss(labels); };
      CHECK(report->loss == doctest::Approx(loss()).epsilon(1e-5));
      check_gradients(*trainer, model, loss);
    }
}

TEST_CASE("training_gradients: a cross-encoder") {
  for (const float dropout : {0.0f, 0.3f}) {
    CAPTURE(dropout);
    const golden::converted file("cross");
    const dupq::model base = file.open();
    const auto options = options_with(dropout);
    auto trainer = dupq::trainer::make(base, options);
    REQUIRE(trainer);
    double_model model(base, *trainer, options);
    for (std::size_t i = 0; i < labels.size(); ++i) model.add_pair(first_texts[i], second_texts[i]);
    const auto report = trainer->step(first_texts, second_texts, labels, dupq::cross_loss{});
    REQUIRE(report);
    const auto loss = [&] { return model.cross_loss(labels); };
    CHECK(report->loss == doctest::Approx(loss()).epsilon(1e-5));
    check_gradients(*trainer, model, loss);
  }
}
