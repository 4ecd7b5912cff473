// Keeps threads for the next piece of work; parallel_for runs on them.
#pragma once
#include <cstddef>
#include <functional>

namespace pi {

// Calls task(part) once for each part below `parts`, on the calling thread and on parts - 1 threads
// of the process's pool, and returns when all are done. Rethrows the first exception. Any number of
// threads may call it at once, also from inside a task.
//
// The pool starts at the first call, never has more threads than a call asked for, sleeps between
// calls, and is joined at the process's exit. Its threads take no signals. A forked child starts a
// pool of its own, and has none of the work of a call that ran at the fork.
void thread_pool_run(std::size_t parts, const std::function<void(std::size_t part)>& task);

}  // namespace pi
