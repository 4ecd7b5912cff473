// Chooses the instruction set of the kernels: detected at run time, overridden by PI_BENCH_ISA.
#pragma once
#include <stdexcept>
#include <string_view>

namespace pi {

// kPortable: plain C++ for any processor, in constant time and many times slower.
// kAesni: AES-NI, PCLMULQDQ, SSSE3 and SSE4.1.
// kVaes512: also AVX-512 F/BW/DQ/VL/VBMI/IFMA/VNNI, VAES, VPCLMULQDQ and GFNI, which every
// processor with both VAES and AVX-512 has; so a kernel may use any of them under kVaes512 and none
// under kAesni.
enum class Isa { kPortable, kAesni, kVaes512 };

// Names the table of kernels for `isa`: NAMEPortable, NAMEAesni or NAMEVaes512. The files of
// instruction sets exist on x86-64 alone.
#if defined(__x86_64__)
#define PI_KERNELS(isa, name)                   \
  ((isa) == ::pi::Isa::kVaes512 ? name##Vaes512 \
   : (isa) == ::pi::Isa::kAesni ? name##Aesni   \
                                : name##Portable)
#else
#define PI_KERNELS(isa, name) (static_cast<void>(isa), name##Portable)
#endif

// Is thrown if this processor cannot run the kernels that were asked for.
class UnsupportedCpu : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Returns the instruction set for `request`: "auto" or "" (the best that the processor has),
// "vaes512", "aesni", "portable", or "none", which always throws, to test how that is reported.
// Throws UnsupportedCpu if the processor lacks it, and std::invalid_argument for any other request.
Isa resolve_isa(std::string_view request);

// Returns resolve_isa of the environment variable PI_BENCH_ISA, which is read once.
Isa selected_isa();

const char* isa_name(Isa isa);

}  // namespace pi
