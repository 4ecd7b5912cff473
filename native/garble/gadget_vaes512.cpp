#include "garble/kernels.h"
#include "garble/relu.h"
#include "garble/truncate.h"
#include "symmetric/block_vaes512.h"

namespace pi {

const GadgetKernels kReluVaes512 = {
    Relu<vaes512::Block4>::garble,
    Relu<vaes512::Block4>::accept,
    Relu<vaes512::Block4>::encode,
    Relu<vaes512::Block4>::evaluate,
};
const GadgetKernels kTruncateVaes512 = {
    Truncate<vaes512::Block4>::garble,
    Truncate<vaes512::Block4>::accept,
    Truncate<vaes512::Block4>::encode,
    Truncate<vaes512::Block4>::evaluate,
};

}  // namespace pi
