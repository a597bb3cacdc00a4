// SPDX-License-Identifier: Apache-2.0
// The protocol of `mlgraph tune --serve`: a JSON object on each line of standard input is answered by one on
// standard output, in the same order. See examples/tune/README.md.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/format/json_string.hpp"
#include "mlgraph/format/json_value.hpp"
#include "mlgraph/tune/config_json.hpp"
#include "tune_run.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

constexpr std::int64_t kProtocol = 1;
constexpr std::int64_t kMostTrials = 10'000;  // of one request
constexpr std::size_t kLongestLine = std::size_t{1} << 26;
constexpr double kRetrySeconds = 1;

/// Lines of standard input, without waiting for the next one.
class Lines {
 public:
  /// Waits for so many seconds at most -> whether there may be more to come.
  bool wait(double seconds) {
    if (is_at_end_) return false;
    ::pollfd file = {STDIN_FILENO, POLLIN, 0};
    if (::poll(&file, 1, static_cast<int>(1000 * seconds)) <= 0) return true;
    char buffer[1 << 16];
    const ::ssize_t got = ::read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got > 0) text_.append(buffer, static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) is_at_end_ = true;
    return !is_at_end_;
  }
  /// The next whole line, if there is one.
  bool next(std::string& line) {
    const std::size_t end = text_.find('\n', looked_at_);
    if (end == std::string::npos) {
      looked_at_ = text_.size();
      return false;
    }
    line.assign(text_, 0, end);
    text_.erase(0, end + 1);
    looked_at_ = 0;
    return true;
  }
  [[nodiscard]] bool is_too_long() const { return text_.size() > kLongestLine; }

 private:
  std::string text_;
  std::size_t looked_at_ = 0;
  bool is_at_end_ = false;
};

/// Answers requests.
class Server {
 public:
  explicit Server(TuneRun& run) : run_(run) {}

  /// The answer to a line. Errors of a request are answers, too.
  std::string answer(const std::string& line) {
    const mg::Result<mg::JsonValue> request = mg::parse_json(line, 8);
    mg::Result<Json> reply = request.ok() ? handle(*request) : mg::Result<Json>(request.status());
    Json json = reply.ok() ? std::move(*reply) : Json{{"op", "error"}, {"error", reply.status().message()}};
    if (request.ok() && request->find("tag") != nullptr) {  // whatever it is: the other side's own
      std::string tag;
      mg::append_json(tag, *request->find("tag"));
      json["tag"] = Json::parse(tag);
    }
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }

 private:
  static std::string text_of(const mg::JsonValue& request, std::string_view key) {
    const mg::JsonValue* const value = request.find(key);
    return value != nullptr && value->is(mg::JsonValue::Kind::kString) ? value->text : "";
  }

  mg::Result<Json> handle(const mg::JsonValue& request) {
    if (!request.is(mg::JsonValue::Kind::kObject))
      return mg::Status::invalid_argument(
          mg::str_cat("a request is ", request.what(), "; should be an object"));
    const std::string op = text_of(request, "op");
    if (op == "hello") return hello(request);
    if (!is_known_) {
      return mg::Status::invalid_argument(
          mg::str_cat("the first request should be {\"op\":\"hello\",\"protocol\":", kProtocol, "}"));
    }
    if (op == "ask") return ask(request);
    if (op == "tell") return tell(request);
    if (op == "status" || op == "stop") return status(op == "stop");
    return mg::Status::invalid_argument(
        mg::str_cat("op is ", mg::in_quotes(op), "; should be hello, ask, tell, status or stop"));
  }

  mg::Result<Json> hello(const mg::JsonValue& request) {
    const mg::JsonValue* const protocol = request.find("protocol");
    std::int64_t version = 0;
    if (protocol == nullptr || !protocol->to_integer(kProtocol, kProtocol, version)) {
      return mg::Status::invalid_argument(mg::str_cat("the protocol is ",
                                                      protocol == nullptr ? "missing" : protocol->what(),
                                                      "; this server speaks ", kProtocol));
    }
    is_known_ = true;
    Json decisions = Json::array();
    for (const mg::Decision& decision : run_.tuner().space().decisions())
      decisions.push_back({{"name", decision.name}, {"choices", decision.choices}});
    return Json{{"op", "hello"},
                {"protocol", kProtocol},
                {"program", run_.program()},
                {"session", run_.log().session()},
                {"seconds_left", run_.seconds_left()},
                {"decisions", std::move(decisions)}};
  }

  mg::Result<Json> ask(const mg::JsonValue& request) {
    std::int64_t count = 1;
    const mg::JsonValue* const n = request.find("n");
    if (n != nullptr && !n->to_integer(1, kMostTrials, count))
      return mg::Status::invalid_argument(
          mg::str_cat("n is ", n->what(), "; should be a whole number in [1, ", kMostTrials, "]"));
    Json trials = Json::array();
    if (!run_.is_over()) {
      MLGRAPH_ASSIGN_OR_RETURN(const std::vector<mg::Trial> asked,
                               run_.tuner().ask(count, text_of(request, "device"), run_.seconds()));
      for (const mg::Trial& trial : asked) {
        trials.push_back({{"id", trial.id},
                          {"config", Json::parse(run_.tuner().space().text(trial.config))},
                          {"choice", trial.config},
                          {"reason", mg::enum_name(trial.reason)},
                          {"runs", trial.runs},
                          {"timeout", trial.timeout_seconds},
                          {"lease", trial.lease_seconds}});
      }
    }
    const bool done = trials.empty() && (run_.is_over() || run_.tuner().is_done());
    Json reply = {{"op", "trials"}, {"trials", std::move(trials)}, {"done", done}};
    if (reply["trials"].empty() && !done) reply["retry"] = kRetrySeconds;
    return reply;
  }

  mg::Result<Json> tell(const mg::JsonValue& request) {
    const mg::JsonValue *const id = request.find("id"), *const config = request.find("config");
    std::int64_t trial = 0;
    if (id == nullptr || !id->to_integer(0, INT64_MAX, trial)) {
      return mg::Status::invalid_argument(
          mg::str_cat("id is ", id == nullptr ? "missing" : id->what(), "; should be that of a trial"));
    }
    MLGRAPH_ASSIGN_OR_RETURN(const mg::Measurement measurement, measurement_of(request));
    mg::Result<mg::Told> told = mg::Status::not_found("");
    if (config != nullptr) {
      MLGRAPH_ASSIGN_OR_RETURN(const mg::TuneConfig choices, mg::config_of_json(run_.tuner().space(), *config));
      told = run_.tuner().tell(trial, choices, measurement);
    } else {
      told = run_.tuner().tell(trial, measurement);
    }
    MLGRAPH_RETURN_IF_ERROR(told.status());
    run_.notice();
    return Json{{"op", "told"}, {"id", trial}, {"counted", *told == mg::Told::kCounted}};
  }
  static mg::Result<mg::Measurement> measurement_of(const mg::JsonValue& request) {
    mg::Measurement m;
    m.device = text_of(request, "device");
    m.message = text_of(request, "message");
    if (request.find("failure") != nullptr) {
      MLGRAPH_ASSIGN_OR_RETURN(m.failure,
                               mg::parse_enum<mg::TrialFailure>("failure", text_of(request, "failure")));
    }
    for (const auto& [key, unit] : {std::pair<const char*, double>("seconds", 1e9), {"ns", 1}}) {
      const mg::JsonValue* const times = request.find(key);
      if (times == nullptr) continue;
      if (!times->is(mg::JsonValue::Kind::kArray))
        return mg::Status::invalid_argument(
            mg::str_cat(key, " is ", times->what(), "; should be a list with the time of each run"));
      for (const mg::JsonValue& time : times->item) {
        double number = 0;
        if (!time.to_double(number))
          return mg::Status::invalid_argument(mg::str_cat("a time is ", time.what(), "; should be a number"));
        m.ns.push_back(number * unit);
      }
    }
    return m;
  }

  Json status(bool stop) {
    Json reply = run_.to_json();
    reply["op"] = stop ? "stopped" : "status";
    reply["fitting"] = run_.is_fitting();
    reply["seconds_left"] = run_.seconds_left();
    reply["done"] = run_.is_over() || run_.tuner().is_done();
    if (stop) run_.stop();
    return reply;
  }

  TuneRun& run_;
  bool is_known_ = false;  // the other side speaks this protocol
};

bool write_out(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

}  // namespace

mg::Status tune_for_others(TuneRun& run) {
  // When the time is over who asks is told that it is done, and who measures may tell what came of it, until
  // all have or their lease is over, too.
  constexpr double kLastWord = 5;
  Lines lines;
  Server server(run);
  std::string line;
  double over_since = -1;
  while (!interrupted() && !run.is_stopped() && lines.wait(0.1)) {
    if (lines.is_too_long()) {
      return mg::Status::resource_exhausted(
          mg::str_cat("a line of standard input has more than ", kLongestLine, " bytes"));
    }
    while (!run.is_stopped() && lines.next(line)) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (!write_out(server.answer(line)))
        return mg::Status::unavailable("standard output cannot be written: nobody reads it");
    }
    run.fit_beside();
    run.show();
    if (!run.is_over()) continue;
    if (over_since < 0) over_since = run.seconds();
    const double waits = run.tuner().counts().in_flight > 0 ? run.flags().tuner.lease_seconds : kLastWord;
    if (run.seconds() - over_since > waits) break;
  }
  return {};
}

}  // namespace cli
