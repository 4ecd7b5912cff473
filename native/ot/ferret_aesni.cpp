#include "ot/equal_aesni.h"
#include "ot/ferret_kernels.h"
#include "symmetric/block_aesni.h"

namespace pi {
const FerretKernels kFerretAesni = FerretTemplates<aesni::Block4>::kTable;
}  // namespace pi
