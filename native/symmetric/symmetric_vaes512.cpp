#include "symmetric/block_vaes512.h"
#include "symmetric/symmetric_kernels.h"

namespace pi {
const SymmetricKernels kSymmetricVaes512 = SymmetricTemplates<vaes512::Block4>::kTable;
}  // namespace pi
