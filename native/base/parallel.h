// A range split over threads.
#pragma once
#include <cstddef>
#include <functional>

namespace pi {

// Calls body(begin, end) on contiguous parts of [0, count), on at most `threads` threads of the
// process's pool with the calling one, and returns when all are done. `grain` items at least are a
// part, so that a small range wakes no thread. An exception of any part is rethrown here.
void parallel_for(std::size_t count, int threads, std::size_t grain,
                  const std::function<void(std::size_t begin, std::size_t end)>& body);

}  // namespace pi
