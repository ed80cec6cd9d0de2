// The library's trainers for each loss: compiled here alone, because it takes long.
#include "text_trainer.hpp"

#include <dupq/training/losses.hpp>
#include <dupq/training/static_trainer.hpp>
#include <type_traits>
#include <utility>

namespace dupq_tool {
namespace {

template <class Trainer, class Loss>
class trainer_of final : public text_trainer {
 public:
  trainer_of(Trainer&& trainer, const Loss& loss) : trainer_(std::move(trainer)), loss_(loss) {}

  dupq::result<dupq::step_report> step(const text_batch& batch) override {
    if constexpr (dupq::logit_loss<Loss>)
      return trainer_.step(batch.first, batch.second, batch.labels, loss_);
    else
      return trainer_.step(batch.first, batch.second, batch.negatives, batch.labels, loss_);
  }
  std::uint64_t steps_done() const override { return trainer_.steps_done(); }
  dupq::result<void> resume(std::uint64_t steps_done) override { return trainer_.resume(steps_done); }
  std::size_t tensor_count() const override { return trainer_.tensor_count(); }
  dupq::tensor_view tensor(std::size_t i) override { return trainer_.tensor(i); }

 private:
  Trainer trainer_;
  Loss loss_;
};

bool is_static(const dupq::model& base) { return base.config().kind == dupq::model_kind::static_encoder; }

template <class Trainer>
dupq::result<std::unique_ptr<text_trainer>> make(const dupq::model& base, const dupq::trainer_options& options,
                                                 const train_settings& settings) {
  auto made = Trainer::make(base, options);
  if (!made) return made.error();
  const auto with = [&](const auto& loss) -> std::unique_ptr<text_trainer> {
    return std::make_unique<trainer_of<Trainer, std::remove_cvref_t<decltype(loss)>>>(std::move(*made), loss);
  };
  switch (settings.loss) {
    case train_loss::cosine: return with(dupq::cosine_loss{});
    case train_loss::contrastive: return with(dupq::contrastive_loss{.margin = settings.margin});
    case train_loss::online_contrastive: return with(dupq::online_contrastive_loss{.margin = settings.margin});
    case train_loss::mnr: return with(dupq::mnr_loss{.scale = settings.scale});
    case train_loss::cross: break;
  }
  if constexpr (std::is_same_v<Trainer, dupq::trainer>)
    return with(dupq::cross_loss{});
  else
    return dupq::error(dupq::errc::wrong_kind, "a cross_encoder is needed");
}

}  // namespace

dupq::result<std::uint64_t> trainer_bytes(const dupq::model& base, const dupq::trainer_options& options) {
  return is_static(base) ? dupq::static_trainer::memory_bytes(base, options)
                         : dupq::trainer::memory_bytes(base, options);
}

dupq::result<std::unique_ptr<text_trainer>> make_text_trainer(const dupq::model& base,
                                                              const dupq::trainer_options& options,
                                                              const train_settings& settings) {
  return is_static(base) ? make<dupq::static_trainer>(base, options, settings)
                         : make<dupq::trainer>(base, options, settings);
}

}  // namespace dupq_tool
