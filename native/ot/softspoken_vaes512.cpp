#include "ot/bytes_vaes512.h"
#include "ot/softspoken_kernels.h"
#include "symmetric/block_vaes512.h"

namespace pi {
const SoftspokenKernels kSoftspokenVaes512 =
    SoftspokenTemplates<vaes512::Block4, vaes512::Bytes>::kTable;
}  // namespace pi
