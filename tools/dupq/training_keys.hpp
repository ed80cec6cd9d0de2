// What a model file says of the training that it comes from: `dupq train` writes it, `dupq export` tells it.
#pragma once

namespace dupq_tool {

struct training_keys {
  static constexpr const char *base = "dupq.training.base",  ///< text: the name of the model that was trained
      *loss = "dupq.training.loss",                          ///< text: as `--loss` names it
          *f1 = "dupq.training.f1";                          ///< f32: on the validation pairs, at the threshold
};

}  // namespace dupq_tool
