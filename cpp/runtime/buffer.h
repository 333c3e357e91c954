// Aligned memory for packed weights, arenas and scratch. Large buffers ask for huge pages.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <new>

namespace conv2d {

constexpr size_t kAlignment = 64;

// MemoryError in Python, with the size in words.
class OutOfMemory : public std::bad_alloc {
 public:
  OutOfMemory(double bytes, double limit);
  const char* what() const noexcept override { return text_.data(); }

 private:
  std::array<char, 96> text_;
};

// Throws OutOfMemory where the machine or the control group has less: the system would grant it and end the
// process when it is used.
void check_memory(double bytes);

class Buffer {
 public:
  Buffer() = default;
  // Uninitialised, bytes * count of them. Throws OutOfMemory.
  explicit Buffer(size_t bytes, int count = 1);

  char* data() const { return data_.get(); }
  float* floats() const { return reinterpret_cast<float*>(data_.get()); }
  size_t bytes() const { return bytes_; }

 private:
  struct Release {
    void operator()(char* data) const;
  };
  std::unique_ptr<char[], Release> data_;
  size_t bytes_ = 0;
};

// Scratch of the workers of a region: each has its own, aligned, far from the others'.
class WorkerScratch {
 public:
  // `bytes` for each. May move it. Throws OutOfMemory.
  void reserve(size_t bytes, int workers);
  char* of(int worker) const { return memory_.data() + static_cast<size_t>(worker) * each_; }
  const Buffer& memory() const { return memory_; }

 private:
  Buffer memory_;
  size_t each_ = 0;
};

}  // namespace conv2d
