#include "ot/ferret.h"

#include <cstring>
#include <memory>

#include "base/parallel.h"
#include "ot/ferret_kernels.h"

namespace pi {
namespace {

const FerretKernels& kernels(Isa isa) { return PI_KERNELS(isa, kFerret); }

// Calls body(keys, group of the call), with the keys of that group's levels.
template <class Body>
void for_groups(Isa isa, const FerretTrees& trees, const std::uint8_t* code_seed, int threads,
                const Body& body) {
  parallel_for(trees.groups, threads, 1, [&](std::size_t begin, std::size_t end) {
    const auto keys = std::make_unique<FerretKeys>();
    if (code_seed != nullptr) kernels(isa).expand_seed(code_seed, &keys->code);
    for (std::size_t group = begin; group < end; ++group) {
      kernels(isa).level_keys(trees, trees.first_group + static_cast<std::uint32_t>(group), *keys);
      body(*keys, group);
    }
  });
}

std::uint64_t first_row(const FerretTrees& trees, std::size_t group) {
  return (trees.first_group + group) * ferret_group_ots(trees.levels);
}

}  // namespace

void ferret_correct(Isa isa, const FerretTrees& trees, const std::uint8_t* delta,
                    const std::uint8_t* path_labels, std::uint8_t* corrections, int threads) {
  const std::size_t path_bytes = kFerretTrees * static_cast<std::size_t>(trees.levels) * 16;
  const std::size_t node_bytes = ferret_group_ots(trees.levels) * 16;
  for_groups(isa, trees, nullptr, threads, [&](const FerretKeys& keys, std::size_t group) {
    const auto nodes = std::make_unique_for_overwrite<std::uint8_t[]>(node_bytes);
    kernels(isa).grow(keys, trees.levels, delta, path_labels + path_bytes * group, nodes.get(),
                      corrections + ferret_group_corrections(trees.levels) * group);
    explicit_bzero(nodes.get(), node_bytes);
  });
}

void ferret_send(Isa isa, const FerretTrees& trees, const FerretCode& code,
                 const std::uint8_t* delta, const std::uint8_t* path_labels, std::uint8_t* labels,
                 int threads) {
  const std::size_t path_bytes = kFerretTrees * static_cast<std::size_t>(trees.levels) * 16;
  const std::size_t rows = ferret_group_ots(trees.levels);
  for_groups(isa, trees, code.seed, threads, [&](const FerretKeys& keys, std::size_t group) {
    std::uint8_t* to = labels + 16 * rows * group;
    kernels(isa).grow(keys, trees.levels, delta, path_labels + path_bytes * group, to, nullptr);
    kernels(isa).encode(keys, code, first_row(trees, group), rows, to);
  });
}

void ferret_receive(Isa isa, const FerretTrees& trees, const FerretCode& code,
                    const std::uint8_t* path_labels, const std::uint8_t* corrections,
                    std::uint8_t* labels, int threads) {
  const std::size_t path_bytes = kFerretTrees * static_cast<std::size_t>(trees.levels) * 16;
  const std::size_t rows = ferret_group_ots(trees.levels);
  for_groups(isa, trees, code.seed, threads, [&](const FerretKeys& keys, std::size_t group) {
    std::uint8_t* to = labels + 16 * rows * group;
    kernels(isa).puncture(keys, trees.levels, path_labels + path_bytes * group,
                          corrections + ferret_group_corrections(trees.levels) * group, to);
    kernels(isa).encode(keys, code, first_row(trees, group), rows, to);
  });
}

void derandomize_receiver(Isa isa, const std::uint8_t* from, std::size_t count,
                          const std::uint8_t* choice_bits, bool even, std::uint8_t* message,
                          std::uint8_t* to) {
  kernels(isa).derandomize_receiver(from, count, choice_bits, even, message, to);
}

void derandomize_sender(Isa isa, const std::uint8_t* from, std::size_t count,
                        const std::uint8_t* delta, const std::uint8_t* message, std::uint8_t* to) {
  kernels(isa).derandomize_sender(from, count, delta, message, to);
}

}  // namespace pi
