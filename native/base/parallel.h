// Splits a range over threads.
#pragma once
#include <cstddef>
#include <functional>

namespace pi {

// Calls body(begin, end) on contiguous parts of [0, count), on at most `threads` threads of the
// process's pool with the calling one, and returns when all are done. A part
// has at least `grain` items, so that a small range wakes no thread. Rethrows an exception of a
// part.
void parallel_for(std::size_t count, int threads, std::size_t grain,
                  const std::function<void(std::size_t begin, std::size_t end)>& body);

}  // namespace pi
