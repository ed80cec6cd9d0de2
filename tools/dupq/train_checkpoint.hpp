// The state of a training in a file, from which it can go on: weights, moments, and how far it has come.
//
// A checkpoint is a GGUF file of float32 tensors: "NAME" a weight, "m/NAME" and "v/NAME" its moments, and "best/NAME"
// the weight after the best epoch so far, where that is another one. Its digest is of the whole file but for the
// digest's own digits.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <dupq/core/file.hpp>
#include <dupq/core/gguf.hpp>
#include <dupq/core/gguf_writer.hpp>
#include <dupq/core/heap_list.hpp>
#include <dupq/core/sha256.hpp>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "output_file.hpp"
#include "text_trainer.hpp"

namespace dupq_tool {

/// How far a training has come.
struct train_progress {
  std::uint64_t steps = 0;          ///< done
  std::uint64_t judged_epochs = 0;  ///< whose F1 on the validation pairs is known
  std::uint64_t best_epoch = 0;     ///< of those, counted from 1; 0: none
  double best_f1 = 0;
  float threshold = 0;  ///< of the best epoch
  double loss_sum = 0;  ///< over the rows of this epoch so far
};

/// All weights one after another, in the trainer's order.
using weight_copy = std::vector<float>;
inline std::size_t weight_count(text_trainer& trainer) {
  std::size_t all = 0;
  for (std::size_t i = 0; i < trainer.tensor_count(); ++i) all += trainer.tensor(i).values.size();
  return all;
}

class train_checkpoint {
 public:
  /// `run`: what tells this training from all others.
  train_checkpoint(std::string path, std::string run) : path_(std::move(path)), run_(std::move(run)) {}

  const std::string& path() const noexcept { return path_; }

  /// Writes a file, whole or not at all. `best`: empty, or the weights of the best epoch.
  void save(text_trainer& trainer, const train_progress& at, std::span<const float> best) const {
    dupq::gguf::writer writer;
    writer.add("general.architecture", architecture);
    writer.add("general.alignment", std::uint32_t{dupq::alignment});
    writer.add(digest_key, std::string_view(dupq::hex_digest()));
    writer.add("dupq.run", std::string_view(run_));
    for_each_number(at, [&](const char* key, std::uint64_t value) { writer.add(key, value); });
    for_each_part(trainer, best, [&](const std::string& name, const dupq::tensor_view& t, std::span<const float> v) {
      const std::uint64_t extents[] = {t.columns, t.rows};
      writer.add_tensor(name, dupq::gguf::tensor_type::f32, extents, v.size_bytes());
    });
    const auto header = writer.header();
    if (!header) throw failure(header.error().in(path_));
    const std::string_view head{reinterpret_cast<const char*>(header->items().data()), header->size()};
    const std::size_t digits = head.find(digest_key) + digest_key.size() + 4 + 8;  // after its type and length

    output_file out(path_);
    dupq::sha256 digest;
    const auto add = [&](const void* bytes, std::size_t n) {
      out.write(bytes, n);
      digest.update({static_cast<const std::byte*>(bytes), n});
    };
    add(head.data(), digits);
    out.write(head.substr(digits, digest_digits));
    add(head.data() + digits + digest_digits, head.size() - digits - digest_digits);
    constexpr std::byte zeros[dupq::alignment]{};
    for_each_part(trainer, best, [&](const std::string&, const dupq::tensor_view&, std::span<const float> v) {
      const std::size_t padding = dupq::round_up(v.size_bytes(), dupq::alignment) - v.size_bytes();
      // In pieces, since output_file copies what it is given into its buffer as a whole.
      constexpr std::size_t piece = std::size_t{1} << 18;
      for (; v.size() > piece; v = v.subspan(piece)) add(v.data(), piece * sizeof(float));
      add(v.data(), v.size_bytes());
      add(zeros, padding);
    });
    out.overwrite(digits, digest.hex());
    out.commit();
  }

  /// How far the training of a file has come. One that is damaged, of another run, or of none, is a failure. The file
  /// stays open until `load`.
  const train_progress& check() {
    opened_.emplace(*this);
    return opened_->at;
  }

  /// Fills the trainer, and the weights of the best epoch, with what the file that was checked has.
  train_progress load(text_trainer& trainer, weight_copy& best) {
    if (!opened_) check();
    const train_progress at = opened_->at;
    const bool has_best = opened_->file.tensor("best/" + std::string(trainer.tensor(0).name)).has_value();
    if (has_best) best.reserve(weight_count(trainer));
    for (std::size_t i = 0; i < trainer.tensor_count(); ++i) {
      const dupq::tensor_view t = trainer.tensor(i);
      const std::string name(t.name);
      opened_->read(name, t.values);
      opened_->read("m/" + name, t.first_moments);
      opened_->read("v/" + name, t.second_moments);
      if (!has_best) continue;
      const std::size_t before = best.size();
      best.resize(before + t.values.size());
      opened_->read("best/" + name, std::span(best).subspan(before));
    }
    opened_.reset();
    if (const auto done = trainer.resume(at.steps); !done) throw failure(done.error().in(path_));
    return at;
  }

  /// Removes the file, if there is one.
  void remove() const { os::remove(path_.c_str()); }

 private:
  static constexpr std::string_view architecture = "dupq-checkpoint", digest_key = "dupq.digest";
  static constexpr std::size_t digest_digits = sizeof(dupq::hex_digest);

  /// A file that is this run's checkpoint. It is read and not mapped but for its header, since its pages would count as
  /// memory of the training, which has said how much it takes.
  struct opened {
    explicit opened(const train_checkpoint& c)
        : path(c.path_), mapped(map(path)), file(parse(mapped, path)), in(os::path_of(path), std::ios::binary) {
      if (text(file, "general.architecture") != architecture)
        throw failure(c.path_ + ": is no checkpoint of a training");
      check_digest();
      if (text(file, "dupq.run") != c.run_)
        throw failure(c.path_ + ": is the checkpoint of another training: the base, the pairs or the options differ");
      c.read_numbers(file, at);
    }
    static dupq::mapped_file map(const std::string& path) {
      auto mapped = dupq::mapped_file::open(path.c_str());
      if (!mapped && mapped.error().code == dupq::errc::no_such_file)
        throw failure(path + ": no such file, so there is nothing to resume");
      if (!mapped) throw failure(mapped.error());
      return std::move(*mapped);
    }
    static dupq::gguf::file parse(const dupq::mapped_file& mapped, const std::string& path) {
      const auto file = dupq::gguf::file::parse(mapped.bytes());
      if (!file) throw failure(file.error().in(path));
      return *file;
    }
    /// A tensor's numbers.
    void read(const std::string& name, std::span<float> to) {
      const auto t = file.tensor(name);
      if (!t || t->type != dupq::gguf::tensor_type::f32 || t->bytes.size() != to.size_bytes())
        throw failure(path + ": tensor " + name + ": missing, or of another size");
      in.seekg(t->bytes.data() - mapped.bytes().data());
      if (!in.read(reinterpret_cast<char*>(to.data()), static_cast<std::streamsize>(to.size_bytes())))
        throw failure(path + ": tensor " + name + ": cannot be read");
    }

   private:
    void check_digest() {
      const std::string_view written = text(file, digest_key);
      if (written.size() != digest_digits)
        throw failure(path + ": " + std::string(digest_key) + ": missing or no digest, so nobody knows if it is whole");
      const auto digits = reinterpret_cast<const std::byte*>(written.data()) - mapped.bytes().data();
      dupq::sha256 digest;
      const auto add = [&](std::uint64_t size) {
        std::vector<char> piece(std::size_t{1} << 20);
        for (std::uint64_t n; size != 0; size -= n) {
          n = std::min<std::uint64_t>(size, piece.size());
          if (!in.read(piece.data(), static_cast<std::streamsize>(n))) throw failure(path + ": cannot be read");
          digest.update(std::as_bytes(std::span(piece).first(static_cast<std::size_t>(n))));
        }
      };
      add(static_cast<std::uint64_t>(digits));
      in.seekg(digits + std::streamoff{digest_digits});
      add(mapped.bytes().size() - static_cast<std::uint64_t>(digits) - digest_digits);
      if (digest.hex() != written)
        throw failure(path + ": " + std::string(digest_key) +
                      ": another than that of the contents: the file is damaged");
    }

   public:
    std::string path;
    dupq::mapped_file mapped;
    dupq::gguf::file file;
    std::ifstream in;
    train_progress at;
  };

  static std::string_view text(const dupq::gguf::file& file, std::string_view key) {
    const auto v = file.find(key);
    return v && v->type == dupq::gguf::value_type::string ? v->text() : std::string_view();
  }
  template <class F>
  static void for_each_number(const train_progress& at, F&& f) {
    f("dupq.steps", at.steps);
    f("dupq.judged_epochs", at.judged_epochs);
    f("dupq.best_epoch", at.best_epoch);
    f("dupq.best_f1", std::bit_cast<std::uint64_t>(at.best_f1));
    f("dupq.threshold", std::uint64_t{std::bit_cast<std::uint32_t>(at.threshold)});
    f("dupq.loss_sum", std::bit_cast<std::uint64_t>(at.loss_sum));
  }
  void read_numbers(const dupq::gguf::file& file, train_progress& at) const {
    std::vector<std::uint64_t> numbers;
    for_each_number(at, [&](const char* key, std::uint64_t) {
      const auto v = file.find(key);
      if (!v || v->type != dupq::gguf::value_type::u64) throw failure(path_ + ": " + key + ": missing or no number");
      numbers.push_back(dupq::gguf::load<std::uint64_t>(v->bytes.data()));
    });
    at = {numbers[0],
          numbers[1],
          numbers[2],
          std::bit_cast<double>(numbers[3]),
          std::bit_cast<float>(static_cast<std::uint32_t>(numbers[4])),
          std::bit_cast<double>(numbers[5])};
  }

  template <class F>
  static void for_each_part(text_trainer& trainer, std::span<const float> best, F&& f) {
    for (std::size_t i = 0; i < trainer.tensor_count(); ++i) {
      const dupq::tensor_view t = trainer.tensor(i);
      const std::string name(t.name);
      f(name, t, t.values);
      f("m/" + name, t, t.first_moments);
      f("v/" + name, t, t.second_moments);
      if (best.empty()) continue;
      f("best/" + name, t, best.first(t.values.size()));
      best = best.subspan(t.values.size());
    }
  }
  std::string path_, run_;
  std::optional<opened> opened_;
};

}  // namespace dupq_tool
