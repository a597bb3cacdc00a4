// SPDX-License-Identifier: Apache-2.0
// InProcessRanks: ranks that are threads of one process, for tests and for trying out.
#ifndef MLGRAPH_DIST_IN_PROCESS_HPP
#define MLGRAPH_DIST_IN_PROCESS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/dist/communicator.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Connects `size` ranks, each of which is a thread of this process.
class InProcessRanks {
 public:
  explicit InProcessRanks(int size) {
    for (int r = 0; r < size; ++r) ranks_.push_back(std::make_unique<Rank>(*this, r));
  }

  /// Calls `body(Communicator&)` on a thread for each rank; returns when all are done.
  template <class Body>
  void run(const Body& body) {
    std::vector<std::thread> threads;
    for (const auto& rank : ranks_) threads.emplace_back([&] { body(static_cast<Communicator&>(*rank)); });
    for (std::thread& thread : threads) thread.join();
  }

  /// Bytes that were sent from one rank to another so far.
  [[nodiscard]] std::size_t bytes_sent() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return bytes_sent_;
  }

 private:
  class Rank final : public Communicator {
   public:
    Rank(InProcessRanks& all, int rank) : all_(all), rank_(rank) {}
    [[nodiscard]] int rank() const override { return rank_; }
    [[nodiscard]] int size() const override { return static_cast<int>(all_.ranks_.size()); }
    [[nodiscard]] std::string host(int) const override { return "this process"; }
    [[nodiscard]] Status send_receive(int to, Span<const std::byte> out, int from,
                                      Span<std::byte> in) override {
      if (to != kNobody) all_.send({rank_, to}, out);
      return from == kNobody ? Status() : all_.receive({from, rank_}, in, *this);
    }
    void abort() override { all_.abort(); }

   private:
    InProcessRanks& all_;
    int rank_;
  };

  using Way = std::pair<int, int>;  // from, to

  void send(Way way, Span<const std::byte> bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    mail_[way].emplace_back(bytes.begin(), bytes.end());
    bytes_sent_ += bytes.size();
    arrived_.notify_all();
  }

  Status receive(Way way, Span<std::byte> bytes, const Communicator& ranks) {
    std::unique_lock<std::mutex> lock(mutex_);
    std::deque<std::vector<std::byte>>& box = mail_[way];
    arrived_.wait(lock, [&] { return aborted_ || !box.empty(); });
    if (box.empty()) return Status::unavailable("another rank has ended the run");
    const std::vector<std::byte> message = std::move(box.front());
    box.pop_front();
    if (message.size() != bytes.size()) {
      return Status::data_loss(
          str_cat(ranks.name_of(way.first), " sent ", message.size(), " bytes; should be ", bytes.size()));
    }
    std::copy(message.begin(), message.end(), bytes.begin());
    return {};
  }

  void abort() {
    const std::lock_guard<std::mutex> lock(mutex_);
    aborted_ = true;
    arrived_.notify_all();
  }

  std::vector<std::unique_ptr<Rank>> ranks_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<Way, std::deque<std::vector<std::byte>>> mail_;
  std::size_t bytes_sent_ = 0;
  bool aborted_ = false;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_DIST_IN_PROCESS_HPP
