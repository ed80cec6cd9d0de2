// A model file opened for a verb, and its encoders, as the user's options have them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <dupq/bi_encoder.hpp>
#include <dupq/core/thread_pool.hpp>
#include <dupq/cross_encoder.hpp>
#include <dupq/model.hpp>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "args.hpp"
#include "failure.hpp"
#include "folder_file.hpp"
#include "format.hpp"
#include "text_encoder.hpp"

namespace dupq_tool {

#ifdef DUPQ_TOOL_CUDA
inline constexpr bool has_cuda = true;
#else
inline constexpr bool has_cuda = false;
#endif

inline void check(const dupq::result<void>& done) {
  if (!done) throw failure(done.error());
}
template <class T>
T take(dupq::result<T> r) {
  if (!r) throw failure(r.error());
  return std::move(*r);
}

/// The kernels that the user forces; null: the fastest.
inline const dupq::kernels* chosen_kernels(const arguments& args) {
  const auto name = args.text("--kernels");
  if (!name) return nullptr;
  if (const dupq::kernels* const table = name->empty() ? nullptr : dupq::find_kernels(*name)) return table;
  std::string list;
  for (const dupq::kernels* table : dupq::available_kernels()) (list += list.empty() ? "" : ", ") += table->name;
  throw usage_error("--kernels cannot be " + printable(*name) + " (" + list + ")");
}

/// Opens a model with the kernels that the user forces, if any. `map`: its file is mapped, and not read.
inline dupq::model open_model(const std::string& path, const arguments& args, bool gpu = false, bool map = true) {
  const dupq::kernels* const table = chosen_kernels(args);
  dupq::model_options options;
  if (table != nullptr) options.kernels = table->name;
  options.halves = gpu ? &dupq::keep_halves : nullptr;
  options.map = map;
  auto model = dupq::model::open(path, options);
  if (!model && model.error().code == dupq::errc::not_gguf)
    if (const auto file = dupq::mapped_file::open(path.c_str()); file && is_lfs_pointer(file->bytes()))
      throw failure(path + ": " + lfs_pointer);
  return take(std::move(model));
}

/// What a text or a pair is cut to: the model's limit, or the user's below it, which leaves `room` tokens beside the
/// special ones.
inline std::size_t token_limit(const dupq::model& model, const arguments& args, bool pairs, std::size_t room) {
  const std::size_t most = model.config().max_length, least = model.tokenizer().special_count(pairs) + room;
  const auto chosen = args.number<std::size_t>("--max-length", 0, SIZE_MAX);
  if (chosen && (*chosen < least || *chosen > most))
    throw usage_error("--max-length " + std::to_string(*chosen) + ": the model reads " + std::to_string(least) +
                      " to " + std::to_string(most) + " tokens");
  return chosen.value_or(most);
}

/// The prompt that the user asks for by --prompt; nothing: the model's default.
inline std::optional<std::string_view> prompt_name(const dupq::model& model, const std::string& path,
                                                   const arguments& args) {
  const auto wanted = args.text("--prompt");
  if (!wanted) return {};
  const auto list = take(dupq::prompt_list::read(model.file()));
  std::string names;
  std::optional<std::string_view> found;
  list.for_each([&](std::string_view name, std::string_view) {
    if (name == *wanted) found = name;
    names += (names.empty() ? "" : ", ") + printable(name);
  });
  if (!found && *wanted == "none") return "";
  if (!found)
    throw failure(path + ": no prompt " + printable(*wanted) +
                  (names.empty() ? ", the model has none: `dupq convert --prompt TEXT` gives it one"
                                 : ", the model has " + names));
  return found;
}

inline dupq::special_tokens special_mode(const arguments& args) {
  return args.has("--literal") ? dupq::special_tokens::literal : dupq::special_tokens::parse;
}

/// The cascade that a bi-encoder's file describes, for this cross-encoder.
inline dupq::cascade_settings cascade_for(const dupq::model& bi, const std::string& path, const dupq::model& cross,
                                          const std::string& cross_path) {
  if (!bi.file().find(dupq::cascade_settings::lower_key))
    throw failure(path + ": no cascade in the model: `dupq calibrate --cascade` finds its thresholds");
  const auto settings = dupq::cascade_settings::read(bi.file());
  if (!settings) throw failure(settings.error().in(path));
  const auto same = settings->check(cross.file(), cross_path);
  if (same) return *settings;
  if (same.error().code != dupq::errc::wrong_model) throw failure(same.error().in(cross_path));
  throw failure(path + ": its cascade is made with the cross-encoder " + printable(settings->name) + ", and " +
                cross_path + " is another one");
}

/// A model with an encoder of its kind; or a bi-encoder and the cross-encoder that it asks where it is unsure.
class session {
 public:
  session(const std::string& path, const arguments& args, bool map = true,
          const std::optional<std::string>& cross_path = {})
      : path_(path),
        model_(open_model(path, args, wants_gpu(args), map)),
        tokens_(token_limit(model_, args, cross(), 1)),
        pool_(args.number<std::size_t>("--threads", 1, 1024).value_or(0)),
        on_gpu_(wants_gpu(args)) {
    const dupq::encoder_options options{.limits = {.text_tokens = tokens_},
                                        .executor = pool_.executor(),
                                        .special_tokens = special_mode(args),
                                        .prompt = prompt_name(model_, path, args)};
    if constexpr (has_cuda)
      if (on_gpu_ && !cross_path) encoder_ = take(make_cuda_encoder(model_, options));
    if (cross_path)
      make_cascade_with(*cross_path, args, options);
    else if (!on_gpu_)
      encoder_ = take(make_encoder<dupq::bi_encoder, dupq::cross_encoder>(model_, options));
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  const std::string& path() const noexcept { return path_; }
  const dupq::model& model() const noexcept { return model_; }
  bool cross() const noexcept { return model_.config().kind == dupq::model_kind::cross_encoder; }
  dupq::executor executor() noexcept { return pool_.executor(); }
  std::size_t tokens() const noexcept { return tokens_; }
  std::size_t dim() const noexcept { return model_.config().dim(); }
  std::uint64_t truncated() const { return encoder_->truncated(); }
  const std::optional<dupq::cascade_band>& band() const noexcept { return band_; }
  /// Says how many of the pairs a cascade's cross-encoder saw.
  void report_cascade(std::uint64_t pairs) const {
    if (!cross_model_) return;
    std::fprintf(stderr, "%s\n", cascade_share(encoder_->judged(), pairs).c_str());
    if (const auto cut = encoder_->cut_pairs(); cut != 0)
      std::fprintf(stderr, "%s: %s cut to %zu tokens\n", cross_model_->path(), counted(cut, "pair").c_str(),
                   cross_tokens_);
  }
  /// "the cross-encoder saw 12 of 100 pairs (12.0%)"
  static std::string cascade_share(std::uint64_t judged, std::uint64_t pairs) {
    const double share = pairs == 0 ? 0 : static_cast<double>(judged) / static_cast<double>(pairs);
    return "the cross-encoder saw " + grouped(judged) + " of " + counted(pairs, "pair") + " (" + fixed(100 * share, 1) +
           "%)";
  }
  /// Texts that one call gets: enough to keep every core or the GPU busy, few enough to show progress.
  std::size_t chunk_texts() const noexcept { return on_gpu_ ? 16384 : 1024; }
  /// Whether so many texts, of so many bytes together, are enough for one call. The bytes bound the memory that waiting
  /// texts take.
  bool full(std::size_t texts, std::size_t bytes) const noexcept {
    return texts >= chunk_texts() || bytes >= std::size_t{16} << 20;
  }

  /// Fails for a cross-encoder, which has no vectors.
  void need_vectors() const {
    if (cross())
      throw failure(dupq::error(dupq::errc::wrong_kind, "a bi_encoder is needed, not a cross_encoder").in(path_));
  }
  /// Fails for a bi-encoder, which cannot judge a pair as a whole.
  void need_cross() const { need_cross(model_, path_); }
  void encode(dupq::texts list, std::span<float> vectors) { check(encoder_->encode(list, vectors)); }
  void score(dupq::texts first, dupq::texts second, std::span<float> scores) {
    check(encoder_->score(first, second, scores));
  }

  /// From which score on a pair is called a duplicate: --threshold, the model's own, or a usual value, which is said.
  /// NaN: there is none, for scores that are no cosines.
  float threshold(const arguments& args) const {
    if (const auto chosen = args.number<float>("--threshold", -1e30f, 1e30f)) return *chosen;
    if (band_) return band_->threshold;
    if (const auto own = model_.threshold()) return *own;
    if (const auto like = model_.config().similarity; like != dupq::similarity::cosine) {
      std::fprintf(
          stderr,
          "%s: no threshold in the model, and none is usual for its similarity, %s: `dupq calibrate` finds one\n",
          path_.c_str(), std::string(name(like)).c_str());
      return std::numeric_limits<float>::quiet_NaN();
    }
    const float usual = !cross() ? 0.75f : model_.config().activation == dupq::score_activation::sigmoid ? 0.5f : 0.0f;
    std::fprintf(stderr, "%s: no threshold in the model, %s is used (`dupq calibrate` finds a better one)\n",
                 path_.c_str(), shortest(usual).c_str());
    return usual;
  }

 private:
  static void need_cross(const dupq::model& m, const std::string& path) {
    if (m.config().kind != dupq::model_kind::cross_encoder)
      throw failure(dupq::error(dupq::errc::wrong_kind, "a cross_encoder is needed, not a bi_encoder").in(path));
  }
  /// The prompt, if any is asked for, is the bi-encoder's.
  void make_cascade_with(const std::string& cross_path, const arguments& args, const dupq::encoder_options& bi) {
    need_vectors();
    cross_model_.emplace(open_model(cross_path, args, on_gpu_));
    need_cross(*cross_model_, cross_path);
    band_ = cascade_for(model_, path_, *cross_model_, cross_path).band;
    cross_tokens_ = token_limit(*cross_model_, args, true, 1);
    dupq::encoder_options cross = bi;
    cross.limits.text_tokens = cross_tokens_;
    cross.prompt.reset();
    const dupq::cascade_options options{.bi = bi, .cross = cross};
    if constexpr (has_cuda)
      if (on_gpu_) encoder_ = take(make_cuda_cascade(model_, *cross_model_, options));
    if (on_gpu_) return;
    encoder_ = is_static()
                   ? take(make_cascade<dupq::static_encoder, dupq::cross_encoder>(model_, *cross_model_, options))
                   : take(make_cascade<dupq::bi_encoder, dupq::cross_encoder>(model_, *cross_model_, options));
  }
  bool is_static() const noexcept { return model_.config().kind == dupq::model_kind::static_encoder; }
  static bool wants_gpu(const arguments& args) {
    const bool wanted = args.choice("--device", {"cpu", "cuda"}) == 1;
    if (wanted && !has_cuda) throw usage_error("--device cuda: this dupq is built without it (cmake -DDUPQ_CUDA=ON)");
    return wanted;
  }

  std::string path_;
  dupq::model model_;
  std::size_t tokens_;
  dupq::thread_pool pool_;
  bool on_gpu_;
  std::optional<dupq::model> cross_model_;  ///< of a cascade
  std::size_t cross_tokens_ = 0;
  std::optional<dupq::cascade_band> band_;
  std::unique_ptr<text_encoder> encoder_;
};

}  // namespace dupq_tool
