#include "ot/softspoken_kernels.h"
#include "ot/tiles_vaes512.h"
#include "symmetric/block_vaes512.h"

namespace pi {
const SoftspokenKernels kSoftspokenVaes512 =
    SoftspokenTemplates<vaes512::Block4, vaes512::Transposer>::kTable;
}  // namespace pi
