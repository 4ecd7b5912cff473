#include "fss/templates.h"
#include "symmetric/block_aesni.h"

namespace pi::fss {

const Kernels kReluAesni = kReluKernels<aesni::Block4>;
const Kernels kTruncateAesni = kTruncateKernels<aesni::Block4>;

}  // namespace pi::fss
