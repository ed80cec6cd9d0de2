// The options of `dupq train` that decide what a training makes of its data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "args.hpp"
#include "format.hpp"

namespace dupq_tool {

enum class train_loss { cosine, contrastive, online_contrastive, mnr, cross };
inline constexpr std::string_view train_loss_names[] = {"cosine", "contrastive", "online-contrastive", "mnr", "cross"};
constexpr std::string_view name(train_loss l) noexcept { return train_loss_names[static_cast<std::size_t>(l)]; }

/// What the seed notebook does wrong with a loss, and what is right; empty where it does nothing wrong.
constexpr std::string_view notebook_mistake(train_loss l) noexcept {
  switch (l) {
    case train_loss::cosine:
      return "different texts shall have cosine -1, as if they were opposites; right is 0, dupq's default";
    case train_loss::online_contrastive:
      return "different texts are labelled -1, where this loss looks for 0, so it never sees them; right is 0, as dupq "
             "does by default";
    case train_loss::mnr:
      return "different texts are learnt from as if they were duplicates; right are the duplicates alone, dupq's "
             "default";
    case train_loss::contrastive:
    case train_loss::cross: break;
  }
  return {};
}

struct train_settings {
  train_loss loss{};
  bool new_head = false;
  std::uint64_t epochs = 1, warmup = 100, seed = 42;
  std::size_t batch = 32;  ///< pairs of a step
  double learning_rate = 2e-5, weight_decay = 0.01, clip = 1;
  float dropout = 0.1f, margin = 0.5f, scale = 20, negative_label = 0;
  bool shuffle = true;
  double augment = 0;  ///< made pairs for each pair to learn from
  bool as_in_the_notebook = false;

  /// Wrong usage where an option cannot be, or is for another loss.
  explicit train_settings(const arguments& args) {
    if (!args.has("--loss"))
      throw usage_error("--loss is missing (cosine, contrastive, online-contrastive, mnr, cross)");
    const auto& n = train_loss_names;
    loss = static_cast<train_loss>(args.choice("--loss", {n[0], n[1], n[2], n[3], n[4]}));
    new_head = args.has("--new-head");
    batch = loss == train_loss::cross ? 16 : 32;
    const auto read = [&]<class T>(std::string_view name, T low, T high, T& value) {
      if (const auto given = args.number<T>(name, low, high)) value = *given;
    };
    constexpr std::uint64_t most = 1'000'000'000;
    read("--epochs", std::uint64_t{1}, std::uint64_t{100'000}, epochs);
    read("--batch", std::size_t{1}, std::size_t{65536}, batch);
    read("--lr", 0.0, 1e3, learning_rate);
    read("--warmup", std::uint64_t{0}, most, warmup);
    read("--dropout", 0.0f, 0.9f, dropout);
    read("--weight-decay", 0.0, 1.0, weight_decay);
    read("--clip", 0.0, 1e9, clip);
    read("--margin", 0.0f, 2.0f, margin);
    read("--scale", 1e-3f, 1e3f, scale);
    read("--negative-label", -1.0f, 0.0f, negative_label);
    read("--seed", std::uint64_t{0}, UINT64_MAX, seed);
    if (args.has("--shuffle") && args.has("--no-shuffle"))
      throw usage_error("--shuffle and --no-shuffle exclude each other");
    shuffle = !args.has("--no-shuffle");
    if (args.has("--augment")) {
      args.choice("--augment", {"opposites"});
      augment = 0.25;
      if (loss == train_loss::mnr) throw usage_error("--augment makes pairs that are no duplicates: mnr takes none");
    } else if (args.has("--augment-share")) {
      throw usage_error("--augment-share is for --augment opposites");
    }
    read("--augment-share", 0.001, 1.0, augment);
    const auto only = [&](std::string_view option, bool fits, std::string_view losses) {
      if (args.has(option) && !fits) throw usage_error(std::string(option) + " is for --loss " + std::string(losses));
    };
    using enum train_loss;
    only("--margin", loss == contrastive || loss == online_contrastive, "contrastive and online-contrastive");
    only("--scale", loss == mnr, "mnr");
    only("--negatives", loss == mnr, "mnr");
    only("--negative-label", loss == cosine, "cosine");
    only("--new-head", loss == cross, "cross");
    only("--as-in-the-notebook", !notebook_mistake(loss).empty(), "cosine, online-contrastive and mnr");
    as_in_the_notebook = args.has("--as-in-the-notebook");
    if (as_in_the_notebook && args.has("--negative-label"))
      throw usage_error("--negative-label and --as-in-the-notebook exclude each other");
    if (as_in_the_notebook && loss == cosine) negative_label = -1;
  }

  /// For a static model: rows that few texts of a batch touch want a larger learning rate than layers that all do.
  void suit_table(const arguments& args) {
    if (args.has("--dropout")) throw usage_error("--dropout is for models with layers");
    dropout = 0;
    if (!args.has("--lr")) learning_rate = 1e-2;
  }

  /// For the model's file.
  std::string loss_in_words() const {
    return std::string(name(loss)) + (as_in_the_notebook ? ", as in the notebook" : "");
  }

  /// All of them in words, so that a checkpoint can tell another run's from its own.
  std::string text() const {
    std::string all(name(loss));
    const auto put = [&](std::string_view name, const std::string& value) {
      (all += ' ').append(name).append(" ").append(value);
    };
    put("new-head", new_head ? "1" : "0");
    put("epochs", std::to_string(epochs));
    put("batch", std::to_string(batch));
    put("lr", shortest(learning_rate));
    put("warmup", std::to_string(warmup));
    put("dropout", shortest(dropout));
    put("weight-decay", shortest(weight_decay));
    put("clip", shortest(clip));
    put("margin", shortest(margin));
    put("scale", shortest(scale));
    put("negative-label", shortest(negative_label));
    put("seed", std::to_string(seed));
    put("shuffle", shuffle ? "1" : "0");
    if (augment != 0) put("augment", shortest(augment));
    if (as_in_the_notebook) put("as-in-the-notebook", "1");
    return all;
  }
};

}  // namespace dupq_tool
