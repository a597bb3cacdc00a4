// SPDX-License-Identifier: Apache-2.0
// Figures of pages, as HTML with SVG inside: plots of lines and dots, histograms, bars. They take the width
// that there is, and their colours from the style of page.hpp.
#ifndef MLGRAPH_EXAMPLES_PAGE_FIGURES_HPP
#define MLGRAPH_EXAMPLES_PAGE_FIGURES_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "text.hpp"

namespace page {

using Points = std::vector<std::pair<double, double>>;

/// An axis. It ends where it is told to, or else where the data do.
struct Axis {
  std::string label = {};
  bool logarithmic = false;  // what is not positive is left out
  double from = kNone, to = kNone;
};

/// Points of one colour. Those that are not finite are left out, and a line is broken there.
struct Series {
  enum class Mark { kLine, kSteps, kDots };
  std::string name;  // in the legend, where there is one
  Points points = {};
  Mark mark = Mark::kLine;
  bool is_reference = false;  // grey and dashed, and takes no colour
};

struct Plot {
  std::string title;
  Axis x = {}, y = {};
  std::vector<Series> series = {};
};

/// How often values occur.
struct Histogram {
  std::string title;
  Axis x = {};
  std::vector<double> values = {};
  std::size_t num_bins = 20;
};

/// Groups of horizontal bars, one below the other: rows[i].second[s] belongs to series s.
struct Bars {
  std::string title;
  Axis x = {};
  std::vector<std::string> series = {};
  std::vector<std::pair<std::string, std::vector<double>>> rows = {};
  double base = 0;  // where bars begin: 1 for speed-ups
};

/// At most `count` of the points, evenly chosen, the first and the last among them; all where `count` is
/// below 2.
[[nodiscard]] inline Points thinned(const Points& points, std::size_t count) {
  if (points.size() <= count || count < 2) return points;
  Points out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(points[i * (points.size() - 1) / (count - 1)]);
  return out;
}

namespace detail {

inline constexpr std::size_t kNumColors = 8;
inline constexpr std::size_t kFewDots = 20;  // so few are drawn larger
inline constexpr int kLeft = 48, kTop = 8, kWidth = 336, kHeight = 200, kRight = 14, kBottom = 40;

[[nodiscard]] inline std::string pixels(double value) { return formatted("%.1f", value); }
[[nodiscard]] inline std::string color(std::size_t i) { return "k" + std::to_string(i % kNumColors); }

[[nodiscard]] inline std::string text_at(double x, double y, const std::string& text, const char* anchor) {
  return "<text x=\"" + pixels(x) + "\" y=\"" + pixels(y) + "\" text-anchor=\"" + anchor + "\">" +
         escaped(text) + "</text>";
}
[[nodiscard]] inline std::string grid_line(double x0, double y0, double x1, double y1) {
  return "<line x1=\"" + pixels(x0) + "\" y1=\"" + pixels(y0) + "\" x2=\"" + pixels(x1) + "\" y2=\"" +
         pixels(y1) + "\" class=\"grid\"/>";
}
[[nodiscard]] inline std::string bar_at(double x, double y, double width, double height,
                                        const std::string& kind, const std::string& hint) {
  return "<rect x=\"" + pixels(x) + "\" y=\"" + pixels(y) + "\" width=\"" + pixels(width) + "\" height=\"" +
         pixels(height) + "\" class=\"bar " + kind + "\"><title>" + escaped(hint) + "</title></rect>";
}
[[nodiscard]] inline std::string legend_of(const std::string& name, const std::string& kind) {
  return name.empty() ? "" : "<span><i class=\"" + kind + "\"></i>" + escaped(name) + "</span> ";
}
[[nodiscard]] inline std::string no_data(const std::string& title) {
  return "<figure><figcaption><b>" + escaped(title) +
         "</b></figcaption><p class=\"empty\">no data</p></figure>";
}

/// Where values lie between 0 and 1 on an axis.
class Scale {
 public:
  Scale(const Axis& axis, const std::vector<double>& values) : logarithmic_(axis.logarithmic) {
    double low = kNone, high = kNone;
    for (const double v : values) {
      if (!shows(v)) continue;
      low = std::isnan(low) ? v : std::min(low, v);
      high = std::isnan(high) ? v : std::max(high, v);
    }
    if (shows(axis.from)) low = axis.from;
    if (shows(axis.to)) high = axis.to;
    if (std::isnan(low)) low = std::isnan(high) ? 1 : high;
    if (std::isnan(high)) high = low;
    low_ = place(low), high_ = place(high);
    if (high_ > low_) return;
    const double margin = logarithmic_ ? 0.5 : std::max(1.0, std::abs(low_) / 2);  // one value: in the middle
    high_ = low_ + margin, low_ -= margin;
  }

  [[nodiscard]] bool shows(double value) const { return std::isfinite(value) && (!logarithmic_ || value > 0); }
  /// What lies outside is moved to the edge. Halves, as a difference of the largest doubles is none.
  [[nodiscard]] double share(double value) const {
    return std::clamp((place(value) / 2 - low_ / 2) / (high_ / 2 - low_ / 2), 0.0, 1.0);
  }
  /// Ones, twos or fives with zeros, about `count` of them.
  [[nodiscard]] std::vector<double> ticks(int count) const {
    if (!logarithmic_) return even_ticks(low_, high_, count);
    const double decades = high_ - low_;
    if (decades < 1) return even_ticks(std::pow(10.0, low_), std::pow(10.0, high_), count);
    std::vector<double> ticks;
    const double stride = std::ceil(decades / count);
    for (double exponent = std::floor(low_); exponent <= high_; exponent += stride) {
      for (const double ones : {1.0, 2.0, 5.0}) {
        if (ones == 1 || decades < 2) add_tick(ones * std::pow(10.0, exponent), ticks);
      }
    }
    return ticks;
  }

 private:
  [[nodiscard]] double place(double value) const { return logarithmic_ ? std::log10(value) : value; }
  void add_tick(double tick, std::vector<double>& ticks) const {
    const double slack = (high_ - low_) * 1e-9;
    if (shows(tick) && place(tick) >= low_ - slack && place(tick) <= high_ + slack) ticks.push_back(tick);
  }
  [[nodiscard]] std::vector<double> even_ticks(double low, double high, int count) const {
    const double wanted = high / count - low / count;
    double step = std::pow(10.0, std::floor(std::log10(wanted)));
    for (const double ones : {2.0, 2.5, 2.0}) {  // 1, 2, 5, 10
      if (step < wanted * (1 - 1e-9)) step *= ones;
    }
    std::vector<double> ticks;
    if (!std::isfinite(step) || !(step > 0)) return ticks;
    const double first = std::floor(low / step);
    for (int i = 0; i <= count + 2; ++i) add_tick((first + i) * step, ticks);
    return ticks;
  }

  bool logarithmic_;
  double low_ = 0, high_ = 1;
};

/// The rectangle of a figure, whose inside is so many pixels high.
class Frame {
 public:
  Frame(const Scale& x, const Scale& y, int height) : x_(x), y_(y), height_(height) {}

  [[nodiscard]] double x(double value) const { return kLeft + kWidth * x_.share(value); }
  [[nodiscard]] double y(double value) const { return kTop + height_ * (1 - y_.share(value)); }
  [[nodiscard]] bool shows(double px, double py) const { return x_.shows(px) && y_.shows(py); }

  [[nodiscard]] std::string x_axis(const std::string& label) const {
    std::string out;
    for (const double tick : x_.ticks(5)) {
      out += grid_line(x(tick), kTop, x(tick), kTop + height_);
      out += text_at(x(tick), kTop + height_ + 15, number(tick), "middle");
    }
    return out + text_at(kLeft + kWidth / 2.0, kTop + height_ + 33, label, "middle");
  }
  [[nodiscard]] std::string y_axis() const {
    std::string out;
    for (const double tick : y_.ticks(5)) {
      out += grid_line(kLeft, y(tick), kLeft + kWidth, y(tick));
      out += text_at(kLeft - 6, y(tick) + 4, number(tick), "end");
    }
    return out;
  }
  /// The figure around what was drawn.
  [[nodiscard]] std::string html(const std::string& title, const std::string& y_label, const std::string& body,
                                 const std::string& legend) const {
    return "<figure><figcaption><b>" + escaped(title) + "</b>" +
           (y_label.empty() ? "" : "<br>&#8593; " + escaped(y_label)) + "</figcaption><svg viewBox=\"0 0 " +
           std::to_string(kLeft + kWidth + kRight) + " " + std::to_string(kTop + height_ + kBottom) +
           "\" role=\"img\" aria-label=\"" + escaped(title) + "\">" + body + "</svg>" +
           (legend.empty() ? "" : "<p class=\"legend\">" + legend + "</p>") + "</figure>";
  }

 private:
  Scale x_, y_;
  int height_;
};

/// One path. Its ends are round: a line of no length is a dot.
[[nodiscard]] inline std::string drawn(const Series& series, const Frame& frame, const std::string& kind) {
  const bool dots = series.mark == Series::Mark::kDots;
  std::string path;
  bool begins = true;
  for (const auto& [px, py] : series.points) {
    if (!frame.shows(px, py)) {
      begins = true;
      continue;
    }
    const double x = frame.x(px), y = frame.y(py);
    if (begins || dots) path += "M" + pixels(x) + "," + pixels(y) + "h0";
    if (!begins && series.mark == Series::Mark::kSteps) path += "H" + pixels(x) + "V" + pixels(y);
    if (!begins && series.mark == Series::Mark::kLine) path += "L" + pixels(x) + "," + pixels(y);
    begins = false;
  }
  if (path.empty()) return "";
  return "<path d=\"" + path + "\" class=\"" +
         (dots ? series.points.size() <= kFewDots ? "few dots " : "dots " : "") + kind + "\"/>";
}

}  // namespace detail

/// Lines and dots -> HTML for Page::add().
[[nodiscard]] inline std::string figure(const Plot& plot) {
  std::vector<double> x, y;
  for (const Series& series : plot.series) {
    for (const auto& [px, py] : series.points) {
      if (!std::isfinite(px) || !std::isfinite(py)) continue;
      x.push_back(px);
      y.push_back(py);
    }
  }
  const detail::Frame frame(detail::Scale(plot.x, x), detail::Scale(plot.y, y), detail::kHeight);
  std::string body = frame.x_axis(plot.x.label) + frame.y_axis(), marks, legend;
  std::size_t num_colors = 0;
  for (const Series& series : plot.series) {
    const std::string kind = series.is_reference ? "reference" : detail::color(num_colors++);
    marks += detail::drawn(series, frame, kind);
    legend += detail::legend_of(series.name, kind);
  }
  if (marks.empty()) return detail::no_data(plot.title);
  return frame.html(plot.title, plot.y.label, body + marks, legend);
}

/// How many values lie in each of `num_bins` parts of the axis -> HTML for Page::add().
[[nodiscard]] inline std::string figure(const Histogram& histogram) {
  const detail::Scale x(histogram.x, histogram.values);
  std::vector<double> count(std::max<std::size_t>(1, histogram.num_bins), 0);
  for (const double v : histogram.values) {
    if (!x.shows(v)) continue;
    const auto bins = static_cast<double>(count.size());
    count[static_cast<std::size_t>(std::min(bins - 1, std::floor(x.share(v) * bins)))] += 1;
  }
  const double most = *std::max_element(count.begin(), count.end());
  if (most == 0) return detail::no_data(histogram.title);
  const detail::Frame frame(x, detail::Scale({"", false, 0, std::max(4.0, most)}, {}), detail::kHeight);
  std::string body = frame.x_axis(histogram.x.label) + frame.y_axis();
  const double width = detail::kWidth / static_cast<double>(count.size());
  for (std::size_t i = 0; i < count.size(); ++i) {
    if (count[i] == 0) continue;
    const double top = frame.y(count[i]);
    body += detail::bar_at(detail::kLeft + width * static_cast<double>(i) + 0.5, top, std::max(0.5, width - 1),
                           frame.y(0) - top, detail::color(0), number(count[i]));
  }
  return frame.html(histogram.title, "how many", body, "");
}

/// Each group's name above its bars -> HTML for Page::add().
[[nodiscard]] inline std::string figure(const Bars& bars) {
  constexpr int kBar = 9, kName = 18;
  std::vector<double> values = {bars.base};
  for (const auto& row : bars.rows) values.insert(values.end(), row.second.begin(), row.second.end());
  const detail::Scale x(bars.x, values);
  const bool has_data = std::any_of(values.begin() + 1, values.end(), [&](double v) { return x.shows(v); });
  if (!has_data || !x.shows(bars.base)) return detail::no_data(bars.title);
  const int row_height = kName + kBar * static_cast<int>(bars.series.size());
  const detail::Frame frame(x, detail::Scale({}, {}), row_height * static_cast<int>(bars.rows.size()));
  std::string body = frame.x_axis(bars.x.label), legend;
  for (std::size_t i = 0; i < bars.rows.size(); ++i) {
    const auto& [name, of_row] = bars.rows[i];
    const double top = detail::kTop + row_height * static_cast<double>(i);
    body += detail::text_at(detail::kLeft + 2, top + 13, name, "start");
    for (std::size_t s = 0; s < std::min(of_row.size(), bars.series.size()); ++s) {
      if (!x.shows(of_row[s])) continue;
      const double from = frame.x(bars.base), to = frame.x(of_row[s]);
      body += detail::bar_at(std::min(from, to), top + kName + kBar * static_cast<double>(s),
                             std::max(1.0, std::abs(to - from)), kBar - 1, detail::color(s),
                             bars.series[s] + ": " + number(of_row[s]));
    }
  }
  for (std::size_t s = 0; s < bars.series.size(); ++s)
    legend += detail::legend_of(bars.series[s], detail::color(s));
  return frame.html(bars.title, "", body, legend);
}

}  // namespace page

#endif  // MLGRAPH_EXAMPLES_PAGE_FIGURES_HPP
