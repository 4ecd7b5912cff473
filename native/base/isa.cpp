#include "base/isa.h"

#include <cstdlib>
#include <string>

namespace pi {
namespace {

bool has_aesni() {
  return __builtin_cpu_supports("aes") && __builtin_cpu_supports("ssse3") &&
         __builtin_cpu_supports("sse4.1");
}

bool has_vaes512() {
  return has_aesni() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512ifma") &&
         __builtin_cpu_supports("vaes") && __builtin_cpu_supports("gfni");
}

std::string requested_isa() {
  const char* request = std::getenv("PI_BENCH_ISA");
  return request == nullptr ? "auto" : request;
}

}  // namespace

Isa resolve_isa(std::string_view request) {
  const bool automatic = request.empty() || request == "auto";
  if (!automatic && request != "vaes512" && request != "aesni" && request != "none") {
    throw std::invalid_argument("PI_BENCH_ISA is \"" + std::string(request) +
                                "\"; use auto, vaes512, aesni or none");
  }
  if (request == "none" || !has_aesni()) {
    throw UnsupportedCpu(request == "none" ? "AES-NI is switched off by PI_BENCH_ISA=none"
                                           : "this processor has no AES-NI");
  }
  if (request == "vaes512" && !has_vaes512()) {
    throw UnsupportedCpu(
        "PI_BENCH_ISA=vaes512, but this processor lacks VAES or AVX-512; use auto or aesni");
  }
  return request != "aesni" && has_vaes512() ? Isa::kVaes512 : Isa::kAesni;
}

Isa selected_isa() {
  static const std::string request = requested_isa();
  return resolve_isa(request);
}

const char* isa_name(Isa isa) { return isa == Isa::kVaes512 ? "vaes512" : "aesni"; }

}  // namespace pi
