// Threads that stay for the next piece of work: what parallel_for runs on.
#pragma once
#include <cstddef>
#include <functional>

namespace pi {

// Calls task(part) once for each part below `parts`, on the calling thread and on parts - 1 threads
// of the process's pool, and returns when all are done; the first exception is rethrown here. Any
// number of threads may call it at once, also from inside a task.
//
// The pool starts at the first call, grows to what was asked for at most, sleeps between calls, and
// is joined at the process's exit. Its threads take no signals. A forked child starts a pool of its
// own; one that forks while a call runs has none of that call's work.
void thread_pool_run(std::size_t parts, const std::function<void(std::size_t part)>& task);

}  // namespace pi
