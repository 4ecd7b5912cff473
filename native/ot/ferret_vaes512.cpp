#include "ot/equal_vaes512.h"
#include "ot/ferret_kernels.h"
#include "symmetric/block_vaes512.h"

namespace pi {
const FerretKernels kFerretVaes512 = FerretTemplates<vaes512::Block4>::kTable;
}  // namespace pi
