#include "base/thread_pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace pi {
namespace {

// One call, on the stack of its caller; every field is guarded by the pool's mutex.
struct Job {
  const std::function<void(std::size_t)>& task;
  std::size_t parts;
  std::size_t taken = 0;
  std::size_t done = 0;
  std::exception_ptr failure;
};

// No signal reaches a thread that starts while this lives: they are for the threads of the program.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

class ThreadPool {
 public:
  ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Joins the threads, unless calls are running: then the pool must stay. Returns whether it did.
  bool close() {
    {
      const std::lock_guard lock(mutex_);
      if (callers_ > 0) return false;
      stopping_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    return true;
  }

  void run(std::size_t parts, const std::function<void(std::size_t)>& task) {
    Job job{task, parts, 0, 0, nullptr};
    std::unique_lock lock(mutex_);
    ++callers_;
    grow(parts - 1);
    jobs_.push_back(&job);
    lock.unlock();
    for (std::size_t i = 1; i < parts; ++i) work_.notify_one();
    lock.lock();
    while (job.taken < parts) do_part(job, lock);
    finished_.wait(lock, [&] { return job.done == parts; });
    --callers_;
    if (job.failure) std::rethrow_exception(job.failure);
  }

 private:
  // A thread that cannot start is done without: the caller takes its parts.
  void grow(std::size_t count) {
    if (threads_.size() >= count) return;
    const BlockedSignals blocked;
    try {
      while (threads_.size() < count) threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
      return;
    }
  }

  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      work_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      do_part(*jobs_.front(), lock);
    }
  }

  // Takes one part of a job that has some left. The job may be gone once its last part is done.
  void do_part(Job& job, std::unique_lock<std::mutex>& lock) {
    const std::size_t part = job.taken++;
    if (job.taken == job.parts) jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));
    lock.unlock();
    std::exception_ptr failure;
    try {
      job.task(part);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !job.failure) job.failure = failure;
    if (++job.done == job.parts) finished_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable finished_;
  std::deque<Job*> jobs_;
  std::vector<std::thread> threads_;
  std::size_t callers_ = 0;
  bool stopping_ = false;
};

// The pool of this process, joined when the process ends; left alone if a thread still uses it.
class ProcessPool {
 public:
  ProcessPool() {
    pthread_atfork(nullptr, nullptr, [] { instance().forget(); });
  }
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;
  ~ProcessPool() {
    if (pool_->close()) delete pool_;
  }

  static ProcessPool& instance() {
    static ProcessPool process;
    return process;
  }
  ThreadPool& pool() { return *pool_; }

 private:
  // In a forked child: the parent's threads are not here, and its locks may be held for ever. The
  // guarded memory is left as it is, never freed.
  void forget() {
    abandoned_.push_back(pool_);
    pool_ = new ThreadPool;
  }

  ThreadPool* pool_ = new ThreadPool;
  std::vector<ThreadPool*> abandoned_;
};

}  // namespace

void thread_pool_run(std::size_t parts, const std::function<void(std::size_t part)>& task) {
  ProcessPool::instance().pool().run(parts, task);
}

}  // namespace pi
