// SPDX-License-Identifier: Apache-2.0
// Everything that training adds: the gradient check, losses, metrics, optimizers and schedules.
#ifndef MLGRAPH_TRAIN_HPP
#define MLGRAPH_TRAIN_HPP

#include "mlgraph/autograd/gradcheck.hpp"
#include "mlgraph/train/adam.hpp"
#include "mlgraph/train/clip.hpp"
#include "mlgraph/train/ema.hpp"
#include "mlgraph/train/gradient.hpp"
#include "mlgraph/train/loss.hpp"
#include "mlgraph/train/lr_schedule.hpp"
#include "mlgraph/train/metrics.hpp"
#include "mlgraph/train/sgd.hpp"

#endif  // MLGRAPH_TRAIN_HPP
