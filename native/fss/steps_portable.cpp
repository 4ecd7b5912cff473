#include "fss/templates.h"
#include "symmetric/block_portable.h"

namespace pi::fss {

const Kernels kReluPortable = kReluKernels<portable::Block4>;
const Kernels kTruncatePortable = kTruncateKernels<portable::Block4>;

}  // namespace pi::fss
