// A loop whose turns are shared among threads.
#pragma once

#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

#include "problem.h"

namespace nestcast {

// Calls body(turn, worker) for each turn in [0, turns), with workers numbered from 0 to at most
// `threads` - 1. Which worker takes which turn is left to chance. Bodies must not throw.
template <typename Body>
void share_turns(Index turns, Index threads, const Body& body) {
  std::atomic<Index> next{0};
  const auto work = [&](Index worker) {
    for (Index turn = next++; turn < turns; turn = next++) body(turn, worker);
  };
  std::vector<std::thread> helpers;
  try {
    for (Index worker = 1; worker < threads && worker < turns; ++worker)
      helpers.emplace_back(work, worker);
  } catch (const std::system_error&) {
    // No more threads to be had: those that there are do all turns.
  }
  work(0);
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace nestcast
