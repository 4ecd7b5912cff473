#include "base/isa.h"

#include <cstdlib>
#include <string>

namespace pi {
namespace {

#if defined(__x86_64__)
bool has_aesni() {
  return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
         __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
}

bool has_vaes512() {
  return has_aesni() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512ifma") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("vaes") &&
         __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("gfni");
}
#else
bool has_aesni() { return false; }
bool has_vaes512() { return false; }
#endif

std::string requested_isa() {
  const char* request = std::getenv("PI_BENCH_ISA");
  return request == nullptr ? "auto" : request;
}

}  // namespace

Isa resolve_isa(std::string_view request) {
  if (request == "none") throw UnsupportedCpu("AES-NI is switched off by PI_BENCH_ISA=none");
  if (request == "portable") return Isa::kPortable;
  if (request.empty() || request == "auto") {
    return has_vaes512() ? Isa::kVaes512 : has_aesni() ? Isa::kAesni : Isa::kPortable;
  }
  if (request == "aesni") {
    if (has_aesni()) return Isa::kAesni;
    throw UnsupportedCpu("PI_BENCH_ISA=aesni, but this processor lacks AES-NI; use auto");
  }
  if (request == "vaes512") {
    if (has_vaes512()) return Isa::kVaes512;
    throw UnsupportedCpu(
        "PI_BENCH_ISA=vaes512, but this processor lacks VAES or AVX-512; use auto");
  }
  throw std::invalid_argument("PI_BENCH_ISA is \"" + std::string(request) +
                              "\"; use auto, vaes512, aesni, portable or none");
}

Isa selected_isa() {
  static const std::string request = requested_isa();
  return resolve_isa(request);
}

const char* isa_name(Isa isa) {
  return isa == Isa::kVaes512 ? "vaes512" : isa == Isa::kAesni ? "aesni" : "portable";
}

}  // namespace pi
