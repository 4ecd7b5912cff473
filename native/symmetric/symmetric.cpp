#include "symmetric/symmetric.h"

#include "symmetric/symmetric_kernels.h"

namespace pi {
namespace {

const SymmetricKernels& kernels(Isa isa) { return PI_KERNELS(isa, kSymmetric); }

}  // namespace

void aes128_encrypt(Isa isa, const std::uint8_t* key, const std::uint8_t* in,
                    std::size_t block_count, std::uint8_t* out) {
  kernels(isa).encrypt_blocks(key, in, block_count, out);
}

void prg(Isa isa, const std::uint8_t* seed, std::uint64_t first_block, std::uint8_t* out,
         std::size_t byte_count) {
  kernels(isa).prg(seed, first_block, out, byte_count);
}

void hash_labels(Isa isa, const std::uint8_t* seed, const Tweak& tweak, std::size_t group_count,
                 const std::uint8_t* labels, const std::uint8_t* offset, std::uint8_t* out) {
  kernels(isa).hash_labels(seed, tweak, group_count, labels, offset, out);
}

void hash_for_halves(Isa isa, const std::uint8_t* seed, const Tweak& tweak,
                     const std::uint8_t* labels, std::uint8_t* out) {
  kernels(isa).hash_for_halves(seed, tweak, labels, out);
}

}  // namespace pi
