// The thread pool: every part once, callers at once and nested, exceptions, forks, exit.
#include "base/parallel.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/thread_pool.h"

namespace {

int failures = 0;

void check(bool good, const char* what) {
  if (!good) {
    std::fprintf(stderr, "FAILED: %s\n", what);
    ++failures;
  }
}

bool covers_once(std::size_t count, int threads, std::size_t grain) {
  std::vector<int> hits(count, 0);
  pi::parallel_for(count, threads, grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) ++hits[i];
  });
  return hits == std::vector<int>(count, 1);
}

void test_ranges() {
  for (const int threads : {0, 1, 2, 5}) {
    check(covers_once(1001, threads, 10), "parallel_for does not cover the range once");
  }
  check(covers_once(0, 4, 0) && covers_once(3, 8, 1), "an edge of parallel_for");
  for (int i = 0; i < 2000; ++i) {
    if (!covers_once(64, 3, 1)) check(false, "one of many short calls");
  }
}

void test_parts_run_at_once() {
  std::atomic<int> waiting = 0;
  pi::thread_pool_run(3, [&](std::size_t) {
    ++waiting;
    while (waiting < 3) std::this_thread::yield();  // until the alarm, if they run one by one
  });
  check(waiting == 3, "parts run at once");
}

void test_callers_at_once_and_nested() {
  std::atomic<int> total = 0;
  std::vector<std::thread> callers;
  callers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int call = 0; call < 200; ++call) {
        pi::thread_pool_run(
            2, [&](std::size_t) { pi::thread_pool_run(3, [&](std::size_t) { ++total; }); });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  check(total == 4 * 200 * 2 * 3, "callers at once and nested");
}

void test_exceptions() {
  std::atomic<int> finished = 0;
  bool thrown = false;
  try {
    pi::thread_pool_run(4, [&](std::size_t part) {
      if (part == 2) throw std::runtime_error("part 2");
      ++finished;
    });
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  check(thrown && finished == 3, "an exception is rethrown after the other parts");
  check(covers_once(100, 4, 1), "the pool works after an exception");
}

// The status of a child that runs `body` and leaves by `leave`: exit joins its pool.
template <class Body>
int in_child(const Body& body, void (*leave)(int) = std::exit) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    leave(body() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

void test_forks() {
  check(covers_once(100, 3, 1), "before the fork");
  check(in_child([] { return covers_once(100, 3, 1); }) == 0, "a forked child has a pool");
  check(in_child([] { return true; }) == 0, "a forked child without work ends");
  // A child of a thread while other threads are inside the pool.
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop) covers_once(100, 3, 1);
  });
  int bad = 0;
  // _exit, because the memory of the busy thread is lost in the child, and a leak checker would
  // report it.
  for (int i = 0; i < 20; ++i) bad += in_child([] { return covers_once(100, 3, 1); }, _exit) != 0;
  stop = true;
  busy.join();
  check(bad == 0, "a child forked amid work has a pool");
  check(covers_once(100, 3, 1), "after the fork");
}

}  // namespace

int main() {
  alarm(60);
  test_ranges();
  test_parts_run_at_once();
  test_callers_at_once_and_nested();
  test_exceptions();
  test_forks();
  return failures == 0 ? 0 : 1;
}
