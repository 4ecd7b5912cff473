#include "fss/templates.h"
#include "symmetric/block_vaes512.h"

namespace pi::fss {

const Kernels kReluVaes512 = kReluKernels<vaes512::Block4>;
const Kernels kTruncateVaes512 = kTruncateKernels<vaes512::Block4>;

}  // namespace pi::fss
