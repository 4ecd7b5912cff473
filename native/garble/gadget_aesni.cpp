#include "garble/kernels.h"
#include "garble/relu.h"
#include "garble/truncate.h"
#include "symmetric/block_aesni.h"

namespace pi {

const GadgetKernels kReluAesni = {
    Relu<aesni::Block4>::garble,
    Relu<aesni::Block4>::accept,
    Relu<aesni::Block4>::encode,
    Relu<aesni::Block4>::evaluate,
};
const GadgetKernels kTruncateAesni = {
    Truncate<aesni::Block4>::garble,
    Truncate<aesni::Block4>::accept,
    Truncate<aesni::Block4>::encode,
    Truncate<aesni::Block4>::evaluate,
};

}  // namespace pi
