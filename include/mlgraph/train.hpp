// SPDX-License-Identifier: Apache-2.0
// Everything that training adds: networks on a tape, the trainer and its parts, evaluation, and checks.
#ifndef MLGRAPH_TRAIN_HPP
#define MLGRAPH_TRAIN_HPP
#include "mlgraph/core/push_macros.inc"

#include "mlgraph/autograd/gradcheck.hpp"
#include "mlgraph/train/adam.hpp"
#include "mlgraph/train/check_net.hpp"
#include "mlgraph/train/clip.hpp"
#include "mlgraph/train/ema.hpp"
#include "mlgraph/train/epoch_loop.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "mlgraph/train/first_place.hpp"
#include "mlgraph/train/gradient.hpp"
#include "mlgraph/train/graph_model.hpp"
#include "mlgraph/train/graph_steps.hpp"
#include "mlgraph/train/graph_task.hpp"
#include "mlgraph/train/graph_trainer.hpp"
#include "mlgraph/train/loss.hpp"
#include "mlgraph/train/lr_schedule.hpp"
#include "mlgraph/train/memory_plan.hpp"
#include "mlgraph/train/metrics.hpp"
#include "mlgraph/train/objective.hpp"
#include "mlgraph/train/optimizer.hpp"
#include "mlgraph/train/program_cache.hpp"
#include "mlgraph/train/sampler.hpp"
#include "mlgraph/train/sgd.hpp"
#include "mlgraph/train/target_loss.hpp"
#include "mlgraph/train/target_metrics.hpp"
#include "mlgraph/train/train_state.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "mlgraph/train/trainer.hpp"

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_HPP
