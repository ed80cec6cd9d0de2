// Everything to fine-tune a model: the trainers, and the losses. dupq.hpp does not include it.
#pragma once

#include "training/losses.hpp"
#include "training/order.hpp"
#include "training/static_trainer.hpp"
#include "training/trainer.hpp"
