#include "base/parallel.h"

#include <algorithm>
#include <exception>

#include "base/thread_pool.h"

namespace pi {

void parallel_for(std::size_t count, int threads, std::size_t grain,
                  const std::function<void(std::size_t begin, std::size_t end)>& body) {
  if (count == 0) return;
  const std::size_t most = std::max<std::size_t>(1, count / std::max<std::size_t>(1, grain));
  const std::size_t parts = std::min(most, static_cast<std::size_t>(std::max(1, threads)));
  if (parts == 1) {
    body(0, count);
    return;
  }
  thread_pool_run(
      parts, [&](std::size_t part) { body(count * part / parts, count * (part + 1) / parts); });
}

}  // namespace pi
