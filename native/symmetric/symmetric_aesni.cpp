#include "symmetric/block_aesni.h"
#include "symmetric/symmetric_kernels.h"

namespace pi {
const SymmetricKernels kSymmetricAesni = SymmetricTemplates<aesni::Block4>::kTable;
}  // namespace pi
