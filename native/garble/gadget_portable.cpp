#include "garble/kernels.h"
#include "garble/relu.h"
#include "garble/truncate.h"
#include "symmetric/block_portable.h"

namespace pi {

const GadgetKernels kReluPortable = {
    Relu<portable::Block4>::garble,
    Relu<portable::Block4>::accept,
    Relu<portable::Block4>::encode,
    Relu<portable::Block4>::evaluate,
};
const GadgetKernels kTruncatePortable = {
    Truncate<portable::Block4>::garble,
    Truncate<portable::Block4>::accept,
    Truncate<portable::Block4>::encode,
    Truncate<portable::Block4>::evaluate,
};

}  // namespace pi
