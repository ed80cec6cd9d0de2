// What a training run is made with, and what it says of itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "../core/executor.hpp"
#include "../device/cpu/kernels.hpp"
#include "../model/name_buffer.hpp"
#include "adamw.hpp"

namespace dupq::inline DUPQ_ABI {

struct trainer_options {
  adamw_options optimizer;
  std::uint64_t warmup = 100;  ///< steps in which the learning rate rises from 0
  std::uint64_t steps = 0;     ///< of the whole run, over which it falls to 0 again; at least 1
  float dropout = 0.1f;        ///< within [0, 1)
  std::uint64_t seed = 42;     ///< of dropout
  std::size_t texts = 64;      ///< of one step at most: a bi-encoder's texts of all columns, or a cross-encoder's pairs
  std::size_t tokens = 0;      ///< of one step at most; 0: as many as `texts` of the model's greatest length
  dupq::executor executor;
  const dupq::kernels* kernels = nullptr;  ///< null: the model's
};

struct step_report {
  double loss = 0;
  double learning_rate = 0;  ///< that the step was made with
  double gradient_norm = 0;  ///< of all gradients together, before clipping
};

/// A tensor as it stands, [rows][columns] as Hugging Face has it (a vector is one row), and AdamW's moments. The name
/// is that of a plain model file: "blk.0.attn_q.weight".
struct tensor_view {
  name_buffer name;
  std::size_t rows = 0, columns = 0;
  std::span<float> values;
  std::span<float> first_moments, second_moments;
  bool decays = false;
};

}  // namespace dupq::inline DUPQ_ABI
