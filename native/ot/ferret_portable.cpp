#include "ot/equal_portable.h"
#include "ot/ferret_kernels.h"
#include "symmetric/block_portable.h"

namespace pi {
const FerretKernels kFerretPortable = FerretTemplates<portable::Block4>::kTable;
}  // namespace pi
