// Allocates scratch memory for secrets: aligned to cache lines, zero at first, wiped at the end.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace pi::he {

template <class T>
class WipedBuffer {
 public:
  explicit WipedBuffer(std::size_t count) : bytes_((count * sizeof(T) + 63) / 64 * 64) {
    data_ = static_cast<T*>(std::aligned_alloc(64, bytes_ == 0 ? 64 : bytes_));
    if (data_ == nullptr) throw std::bad_alloc();
    std::memset(static_cast<void*>(data_), 0, bytes_);
  }
  ~WipedBuffer() {
    std::memset(static_cast<void*>(data_), 0, bytes_);
    asm volatile("" : : "r"(data_) : "memory");  // the compiler must not drop the wipe
    std::free(data_);
  }
  WipedBuffer(const WipedBuffer&) = delete;
  WipedBuffer& operator=(const WipedBuffer&) = delete;

  T* data() { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  void clear() { std::memset(static_cast<void*>(data_), 0, bytes_); }

 private:
  std::size_t bytes_;
  T* data_;
};

}  // namespace pi::he
