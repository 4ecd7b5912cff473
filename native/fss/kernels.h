// Declares the table of kernels that each instruction set fills in; only steps.cpp uses it.
#pragma once
#include <cstddef>

#include "fss/steps.h"

namespace pi::fss {

// Each kernel handles the groups [begin, end) of its call.
template <class Arguments>
using Kernel = void (*)(const Call&, const Layout&, const Arguments&, std::size_t begin,
                        std::size_t end);

struct Kernels {
  void (*choices)(const Call&, const Layout&, const std::uint32_t* v, const std::uint32_t* bits,
                  std::uint32_t* packed, std::size_t begin, std::size_t end);
  Kernel<RequestArguments> request;
  Kernel<AnswerArguments> answer;
  Kernel<GrowArguments> grow;
  Kernel<AcceptOpeningArguments> accept_opening;
  Kernel<EncodeArguments> encode;
  Kernel<EvaluateArguments> evaluate;
  Kernel<FinishArguments> finish;
};

extern const Kernels kReluPortable;
extern const Kernels kTruncatePortable;
extern const Kernels kReluAesni;
extern const Kernels kReluVaes512;
extern const Kernels kTruncateAesni;
extern const Kernels kTruncateVaes512;

}  // namespace pi::fss
