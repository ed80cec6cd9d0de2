// dupq train: fine-tunes a model on labelled pairs. It is compiled in verb_train.cpp and text_trainer.cpp.
#pragma once

#include "verb.hpp"

namespace dupq_tool {

verb train_verb();

}  // namespace dupq_tool
