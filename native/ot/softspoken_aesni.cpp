#include "ot/bytes_aesni.h"
#include "ot/softspoken_kernels.h"
#include "symmetric/block_aesni.h"

namespace pi {
const SoftspokenKernels kSoftspokenAesni =
    SoftspokenTemplates<aesni::Block4, Transposer<aesni::Bytes>>::kTable;
}  // namespace pi
