#include "symmetric/block_portable.h"
#include "symmetric/symmetric_kernels.h"

namespace pi {
const SymmetricKernels kSymmetricPortable = SymmetricTemplates<portable::Block4>::kTable;
}  // namespace pi
