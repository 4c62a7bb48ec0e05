#include "buffers.h"

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace nestcast {
namespace {

constexpr std::size_t kHugePage = std::size_t{1} << 21;
constexpr std::size_t kMostPooled = std::size_t{512} << 20;

struct Block {
  void* memory;
  std::size_t bytes;
};

// The sanitizers see a write beyond a buffer only if it is no larger than what was asked for.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kExact = true;
#else
constexpr bool kExact = false;
#endif

void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, bytes >= kHugePage ? kHugePage : 64, bytes)) throw std::bad_alloc();
#if defined(__linux__)
  if (bytes >= kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

std::size_t round_up(std::size_t bytes) {
  if (kExact) return bytes;
  const std::size_t unit = bytes >= kHugePage ? kHugePage : 4096;
  return (bytes + unit - 1) / unit * unit;
}

class Pool {
 public:
  Block take(std::size_t bytes) {
    bytes = round_up(bytes);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      std::size_t best = free_.size();
      for (std::size_t i = 0; i < free_.size(); ++i)
        if (free_[i].bytes >= bytes && free_[i].bytes <= 2 * bytes &&
            (best == free_.size() || free_[i].bytes < free_[best].bytes))
          best = i;
      if (best < free_.size()) {
        const Block block = free_[best];
        free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(best));
        pooled_ -= block.bytes;
        return block;
      }
    }
    return {allocate(bytes), bytes};
  }

  // Keeps the block and lets go of the ones that have waited longest, where there are too many.
  void give_back(Block block) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    try {
      free_.push_back(block);
    } catch (const std::bad_alloc&) {
      std::free(block.memory);
      return;
    }
    pooled_ += block.bytes;
    while (pooled_ > (kExact ? 0 : kMostPooled)) {
      std::free(free_.front().memory);
      pooled_ -= free_.front().bytes;
      free_.erase(free_.begin());
    }
  }

  std::size_t pooled() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return pooled_;
  }

 private:
  std::mutex mutex_;
  std::vector<Block> free_;  // the one that has waited longest first
  std::size_t pooled_ = 0;
};

// Never destroyed: tensors that own a buffer may outlive every static object.
Pool& pool() {
  static Pool* const only = new Pool;
  return *only;
}

}  // namespace

Buffer::Buffer(Index floats) {
  const Block block = pool().take(static_cast<std::size_t>(floats) * sizeof(float));
  data_ = static_cast<float*>(block.memory);
  bytes_ = block.bytes;
}

Buffer::~Buffer() {
  if (data_) pool().give_back({data_, bytes_});
}

std::size_t pooled_bytes() { return pool().pooled(); }

}  // namespace nestcast
