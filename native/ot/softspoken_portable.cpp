#include "ot/bytes_portable.h"
#include "ot/softspoken_kernels.h"
#include "symmetric/block_portable.h"

namespace pi {
const SoftspokenKernels kSoftspokenPortable =
    SoftspokenTemplates<portable::Block4, Transposer<portable::Bytes>>::kTable;
}  // namespace pi
