// SPDX-License-Identifier: Apache-2.0
// MpiRanks: a Communicator over MPI. The only header that needs MPI; link mlgraph::mpi.
#ifndef MLGRAPH_DIST_MPI_HPP
#define MLGRAPH_DIST_MPI_HPP
#include "mlgraph/core/push_macros.inc"

// Without the interface of C++ that MPI no longer has.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX
#endif
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
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

/// How MpiRanks looks after its ranks.
struct MpiOptions {
  /// A rank that has not been heard of for so long is lost: its machine is down or cut off. A rank that
  /// computes for long is not, since a thread of its own answers. (A rank that is killed is seen by mpirun at
  /// once.)
  double lost_after_seconds = 30;
  /// Hears what is lost, on a thread of its own, before all ranks are ended; `rank 3 on node17 has not ...`.
  std::function<void(const std::string&)> on_lost;
};

namespace detail {

/// A thread that tells the next rank once a second that this one is there, and listens to the previous one.
///
/// Every rank looks after one other, so a rank that is lost is noticed by its neighbour, which ends the run.
class MpiWatch {
 public:
  MpiWatch(MPI_Comm all, std::vector<std::string> names, const MpiOptions& options)
      : names_(std::move(names)), options_(options) {
    MPI_Comm_dup(all, &comm_);
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &size_);
    thread_ = std::thread([this] { loop(); });
  }
  MpiWatch(const MpiWatch&) = delete;
  MpiWatch& operator=(const MpiWatch&) = delete;
  /// When all ranks have come to their end.
  ~MpiWatch() {
    stop_ = true;
    thread_.join();
    MPI_Comm_free(&comm_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr char kHere = 1, kBye = 2;

  void loop() {
    const int next = (rank_ + 1) % size_, previous = (rank_ + size_ - 1) % size_;
    MPI_Request in = MPI_REQUEST_NULL, out = MPI_REQUEST_NULL;
    char arriving = 0, heard = 0, said = 0;  // `arriving` is MPI's until a message is complete
    Clock::time_point last_heard = Clock::now(), last_said = last_heard - std::chrono::hours(1);
    while (heard != kBye || said != kBye || out != MPI_REQUEST_NULL) {
      int done = 0;
      if (in == MPI_REQUEST_NULL && heard != kBye) MPI_Irecv(&arriving, 1, MPI_CHAR, previous, 0, comm_, &in);
      if (in != MPI_REQUEST_NULL) MPI_Test(&in, &done, MPI_STATUS_IGNORE);
      if (done != 0) {
        heard = arriving;
        last_heard = Clock::now();
      }
      if (out != MPI_REQUEST_NULL) MPI_Test(&out, &done, MPI_STATUS_IGNORE);
      const bool is_time = stop_ || Clock::now() - last_said >= std::chrono::seconds(1);
      if (out == MPI_REQUEST_NULL && said != kBye && is_time) {
        said = stop_ ? kBye : kHere;
        last_said = Clock::now();
        MPI_Isend(&said, 1, MPI_CHAR, next, 0, comm_, &out);
      }
      const std::chrono::duration<double> silence = Clock::now() - last_heard;
      if (heard != kBye && silence.count() > options_.lost_after_seconds) return lose(previous);
      std::this_thread::sleep_for(std::chrono::milliseconds(stop_ ? 1 : 50));
    }
  }

  void lose(int rank) const {
    if (options_.on_lost) {
      options_.on_lost(str_cat(names_[as_size(rank)], " has not been heard of for ",
                               options_.lost_after_seconds, " s by ", names_[as_size(rank_)],
                               "; the run ends"));
    }
    alarm(5);  // where MPI cannot end it, as the machine that is lost does not answer
    MPI_Abort(MPI_COMM_WORLD, 1);
  }

  std::vector<std::string> names_;
  MpiOptions options_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace detail

/// The processes that mpirun started. One object per process, made on the main thread before anything else uses
/// MPI, and destroyed there: the constructor starts MPI and the destructor ends it, once every rank has come so
/// far.
class MpiRanks final : public Communicator {
 public:
  /// Errors: an MPI without threads (MPI_THREAD_MULTIPLE), which the watch over the ranks needs.
  [[nodiscard]] static Result<std::unique_ptr<MpiRanks>> start(int* argc, char*** argv,
                                                               const MpiOptions& options = {}) {
    int threads = MPI_THREAD_SINGLE;
    MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &threads);
    std::unique_ptr<MpiRanks> ranks(new MpiRanks());
    if (threads != MPI_THREAD_MULTIPLE && ranks->size() > 1)
      return Status::unavailable(
          "MPI: several threads are needed (MPI_THREAD_MULTIPLE), which this MPI cannot have");
    MLGRAPH_RETURN_IF_ERROR(ranks->find_hosts());
    if (ranks->size() > 1) {
      std::vector<std::string> names;
      for (int r = 0; r < ranks->size(); ++r) names.push_back(ranks->name_of(r));
      ranks->watch_ = std::make_unique<detail::MpiWatch>(ranks->comm_, std::move(names), options);
    }
    return ranks;
  }
  ~MpiRanks() override {
    if (watch_ != nullptr) wait_for_all();
    watch_.reset();
    MPI_Comm_free(&comm_);
    MPI_Finalize();
  }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] std::string host(int rank) const override { return hosts_[as_size(rank)]; }

  [[nodiscard]] Status send_receive(int to, Span<const std::byte> out, int from, Span<std::byte> in) override {
    // What one call of MPI can count.
    constexpr std::size_t kMost = std::size_t{1} << 30;
    std::size_t sent = to == kNobody ? out.size() : 0, received = from == kNobody ? in.size() : 0;
    bool first = true;
    while (first || sent < out.size() || received < in.size()) {
      const std::size_t more_out = std::min(kMost, out.size() - sent);
      const std::size_t more_in = std::min(kMost, in.size() - received);
      const bool sends = to != kNobody && (first || more_out > 0);
      const bool receives = from != kNobody && (first || more_in > 0);
      MLGRAPH_RETURN_IF_ERROR(exchange(sends ? to : kNobody, out.subspan(sent, more_out),
                                       receives ? from : kNobody, in.subspan(received, more_in)));
      sent += more_out;
      received += more_in;
      first = false;
    }
    return {};
  }
  void abort() override { MPI_Abort(MPI_COMM_WORLD, 1); }

 private:
  MpiRanks() {
    MPI_Comm_dup(MPI_COMM_WORLD, &comm_);
    MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &size_);
  }

  Status find_hosts() {
    char name[MPI_MAX_PROCESSOR_NAME + 1] = {};
    int length = 0;
    MPI_Get_processor_name(name, &length);
    hosts_.assign(as_size(size_), "?");
    const std::string mine(name, as_size(length));
    MLGRAPH_ASSIGN_OR_RETURN(const auto all,
                             all_gather(*this, {reinterpret_cast<const std::byte*>(mine.data()), mine.size()}));
    for (std::size_t r = 0; r < all.size(); ++r)
      hosts_[r].assign(reinterpret_cast<const char*>(all[r].data()), all[r].size());
    return {};
  }

  /// The size of a message is looked at before it is received: one that is too long must not be cut off, which
  /// MPICH does not survive.
  Status exchange(int to, Span<const std::byte> out, int from, Span<std::byte> in) {
    MPI_Request sent = MPI_REQUEST_NULL, received = MPI_REQUEST_NULL;
    int error = MPI_SUCCESS, count = 0;
    if (to != kNobody)
      error = MPI_Isend(out.data(), static_cast<int>(out.size()), MPI_BYTE, to, 0, comm_, &sent);
    if (error == MPI_SUCCESS && from != kNobody) {
      MPI_Message message = MPI_MESSAGE_NULL;
      MPI_Status status;
      error = wait([&](int* done) { return MPI_Improbe(from, 0, comm_, done, &message, &status); });
      if (error == MPI_SUCCESS) error = MPI_Get_count(&status, MPI_BYTE, &count);
      if (error == MPI_SUCCESS && static_cast<std::size_t>(count) != in.size())
        return Status::data_loss(str_cat(name_of(from), " sent ", count, " bytes; should be ", in.size()));
      if (error == MPI_SUCCESS) error = MPI_Imrecv(in.data(), count, MPI_BYTE, &message, &received);
      if (error == MPI_SUCCESS)
        error = wait([&](int* done) { return MPI_Test(&received, done, MPI_STATUS_IGNORE); });
    }
    if (error != MPI_SUCCESS)
      return Status::unavailable(str_cat(name_of(from != kNobody ? from : to), ": ", text_of(error)));
    if (to != kNobody) error = wait([&](int* done) { return MPI_Test(&sent, done, MPI_STATUS_IGNORE); });
    return error == MPI_SUCCESS ? Status() : Status::unavailable(str_cat(name_of(to), ": ", text_of(error)));
  }

  /// Looks again and again at first, and then now and then: a rank that waits leaves the processor to others.
  template <class Look>
  static int wait(const Look& look) {
    constexpr int kSpins = 2000;
    for (int spins = 0;; ++spins) {
      int done = 0;
      const int error = look(&done);
      if (error != MPI_SUCCESS || done != 0) return error;
      if (spins > kSpins) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  static std::string text_of(int error) {
    char text[MPI_MAX_ERROR_STRING + 1] = {};
    int length = 0;
    MPI_Error_string(error, text, &length);
    return {text, as_size(length)};
  }

  /// Until every rank is here: from then on nobody misses another one.
  void wait_for_all() {
    MPI_Request all = MPI_REQUEST_NULL;
    if (MPI_Ibarrier(comm_, &all) == MPI_SUCCESS)
      (void)wait([&](int* done) { return MPI_Test(&all, done, MPI_STATUS_IGNORE); });
  }

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  std::vector<std::string> hosts_;
  std::unique_ptr<detail::MpiWatch> watch_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_DIST_MPI_HPP
