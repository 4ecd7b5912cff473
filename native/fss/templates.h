// Fills in the tables of kernels for a Block4; each instruction set includes it once.
#pragma once
#include "fss/grow_and_finish.h"
#include "fss/kernels.h"
#include "fss/relu_offline.h"
#include "fss/relu_online.h"
#include "fss/truncate.h"

namespace pi::fss {

// A ReLU has no opening, so that kernel is never called.
template <class Block4>
constexpr Kernels kReluKernels = {
    ReluOffline<Block4>::choices,
    ReluOffline<Block4>::request,
    ReluOffline<Block4>::answer,
    Common<Block4>::grow,
    nullptr,
    ReluOnline<Block4>::encode,
    ReluOnline<Block4>::evaluate,
    Common<Block4>::finish,
};
template <class Block4>
constexpr Kernels kTruncateKernels = {
    Truncate<Block4>::choices,  Truncate<Block4>::request,        Truncate<Block4>::answer,
    Common<Block4>::grow,       Truncate<Block4>::accept_opening, Truncate<Block4>::encode,
    Truncate<Block4>::evaluate, Common<Block4>::finish,
};

}  // namespace pi::fss
