// What `dupq train` needs of the library's trainer, with one loss that was chosen at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/core/error.hpp>
#include <dupq/model.hpp>
#include <dupq/training/trainer.hpp>
#include <memory>

#include "train_plan.hpp"
#include "train_settings.hpp"

namespace dupq_tool {

class text_trainer {
 public:
  virtual ~text_trainer() = default;
  virtual dupq::result<dupq::step_report> step(const text_batch& batch) = 0;
  virtual std::uint64_t steps_done() const = 0;
  /// To be called when all tensors have been filled in with what they were after so many steps.
  virtual dupq::result<void> resume(std::uint64_t steps_done) = 0;
  virtual std::size_t tensor_count() const = 0;
  virtual dupq::tensor_view tensor(std::size_t i) = 0;
};

/// Bytes that a trainer of this model takes.
dupq::result<std::uint64_t> trainer_bytes(const dupq::model& base, const dupq::trainer_options& options);

/// The base must outlive the trainer.
dupq::result<std::unique_ptr<text_trainer>> make_text_trainer(const dupq::model& base,
                                                              const dupq::trainer_options& options,
                                                              const train_settings& settings);

}  // namespace dupq_tool
