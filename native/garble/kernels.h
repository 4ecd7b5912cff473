// Declares the table of kernels that each instruction set fills in; only gadget.cpp uses it.
#pragma once
#include <cstddef>

#include "garble/gadget.h"

namespace pi {

// Each kernel handles the groups [begin, end) of its call.
struct GadgetKernels {
  void (*garble)(const GadgetCall&, const GadgetLayout&, const GarbleArguments&, std::size_t begin,
                 std::size_t end);
  void (*accept)(const GadgetCall&, const GadgetLayout&, const AcceptArguments&, std::size_t begin,
                 std::size_t end);
  void (*encode)(const GadgetCall&, const GadgetLayout&, const EncodeArguments&, std::size_t begin,
                 std::size_t end);
  void (*evaluate)(const GadgetCall&, const GadgetLayout&, const EvaluateArguments&,
                   std::size_t begin, std::size_t end);
};

extern const GadgetKernels kReluPortable;
extern const GadgetKernels kTruncatePortable;
extern const GadgetKernels kReluAesni;
extern const GadgetKernels kReluVaes512;
extern const GadgetKernels kTruncateAesni;
extern const GadgetKernels kTruncateVaes512;

}  // namespace pi
