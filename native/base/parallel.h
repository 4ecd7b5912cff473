// A range split over threads.
#pragma once
#include <cstddef>
#include <functional>

namespace pi {

// Calls body(begin, end) on contiguous parts of [0, count), one a thread, the last one on the
// calling thread, and returns when all are done. `grain` items at least go to a thread, so that a
// small range starts none. An exception of any part is rethrown here.
void parallel_for(std::size_t count, int threads, std::size_t grain,
                  const std::function<void(std::size_t begin, std::size_t end)>& body);

}  // namespace pi
