// Work buffers that are used again: fresh pages from the system are slow.
#pragma once

#include <cstddef>

#include "problem.h"

namespace nestcast {

// A buffer of floats on a cache line; back to the pool when it goes out of scope.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Index floats);
  Buffer(Buffer&& other) noexcept : data_(other.data_), bytes_(other.bytes_) {
    other.data_ = nullptr;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  float* data() const { return data_; }

 private:
  float* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// Bytes that wait in the pool for their next use.
std::size_t pooled_bytes();

}  // namespace nestcast
