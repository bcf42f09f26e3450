// What the two parts of the emulator know of each other: cuda_fibres.cpp, which runs threads, and cuda_watch.cpp, which
// looks at their accesses.
#pragma once
#include "cuda_emulator.h"
#include <string>

namespace emulator {

extern unsigned block_number;                      // of all blocks that ever ran
extern unsigned epoch;                             // grows with every block and every barrier of a block
extern unsigned warp_epochs[MAX_THREADS / LANES];  // how often all lanes of a warp have met in a __syncwarp()

[[noreturn]] void fail(const std::string& text);  // ends the launch

}  // namespace emulator
