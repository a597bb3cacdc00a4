// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>
#include <map>

#include "mlgraph/core/format.hpp"

namespace minicompiler {

namespace {

constexpr const char* kColors[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#17becf"};
constexpr const char* kCopyColor = "#d62728";

[[nodiscard]] std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

/// Three significant digits, which is what a plot can show.
[[nodiscard]] std::string number(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.3g", value);
  return buffer;
}
[[nodiscard]] std::string pixels(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.1f", value);
  return buffer;
}

[[nodiscard]] std::string text_at(double x, double y, const std::string& text, const char* anchor = "start") {
  return mg::str_cat("<text x=\"", pixels(x), "\" y=\"", pixels(y), "\" text-anchor=\"", anchor, "\">",
                     escaped(text), "</text>");
}

/// A plot with two linear axes.
class Plot {
 public:
  Plot(const std::string& x_label, const std::string& y_label, double x0, double x1, double y0, double y1)
      : x0_(x0), x1_(x1 > x0 ? x1 : x0 + 1), y0_(y0), y1_(y1 > y0 ? y1 : y0 + 1) {
    body_ = mg::str_cat("<line x1=\"", kLeft, "\" y1=\"", kTop, "\" x2=\"", kLeft, "\" y2=\"", kTop + kHeight,
                        "\" class=\"axis\"/><line x1=\"", kLeft, "\" y1=\"", kTop + kHeight, "\" x2=\"",
                        kLeft + kWidth, "\" y2=\"", kTop + kHeight, "\" class=\"axis\"/>");
    constexpr int kTicks = 4;
    for (int i = 0; i <= kTicks; ++i) {
      const double share = static_cast<double>(i) / kTicks;
      const double x_value = x0_ + share * (x1_ - x0_), y_value = y0_ + share * (y1_ - y0_);
      body_ += text_at(x(x_value), kTop + kHeight + 16, number(x_value), "middle");
      body_ += text_at(kLeft - 6, y(y_value) + 4, number(y_value), "end");
    }
    body_ += text_at(kLeft + kWidth / 2.0, kTop + kHeight + 34, x_label, "middle");
    body_ += text_at(4, 12, y_label);
  }

  void line(const std::vector<std::pair<double, double>>& points, const char* color) {
    body_ += mg::str_cat("<polyline fill=\"none\" stroke=\"", color, "\" stroke-width=\"2\" points=\"");
    for (const auto& [px, py] : points) body_ += mg::str_cat(pixels(x(px)), ",", pixels(y(py)), " ");
    body_ += "\"/>";
  }
  void dot(double px, double py, const char* color) {
    body_ += mg::str_cat("<circle cx=\"", pixels(x(px)), "\" cy=\"", pixels(y(py)), "\" r=\"2.2\" fill=\"",
                         color, "\" fill-opacity=\"0.6\"/>");
  }
  void legend(std::size_t row, const char* color, const std::string& text) {
    const double at = kTop + 14 + 16 * static_cast<double>(row);
    body_ += mg::str_cat("<rect x=\"", kLeft + kWidth + 12, "\" y=\"", pixels(at - 9),
                         "\" width=\"10\" height=\"10\" fill=\"", color, "\"/>");
    body_ += text_at(kLeft + kWidth + 27, at, text);
  }
  [[nodiscard]] std::string svg() const {
    return mg::str_cat("<svg width=\"", kLeft + kWidth + 170, "\" height=\"", kTop + kHeight + 42, "\">", body_,
                       "</svg>");
  }

 private:
  static constexpr int kLeft = 56, kTop = 22, kWidth = 420, kHeight = 240;

  [[nodiscard]] double x(double value) const {
    return kLeft + kWidth * (std::clamp(value, x0_, x1_) - x0_) / (x1_ - x0_);
  }
  [[nodiscard]] double y(double value) const {
    return kTop + kHeight * (1 - (std::clamp(value, y0_, y1_) - y0_) / (y1_ - y0_));
  }

  double x0_, x1_, y0_, y1_;
  std::string body_;
};

[[nodiscard]] std::string training_plot(const Report& report) {
  double last = 1, low = 1;
  for (const auto* curve : {&report.layout_curve, &report.tile_curve}) {
    for (const EpochPoint& p : *curve) {
      last = std::max(last, static_cast<double>(p.epoch));
      low = std::min(low, p.valid.kendall_tau);
    }
  }
  Plot plot("epoch", "Kendall's tau on the validation programs", 0, last, std::floor(low * 10) / 10, 1);
  std::size_t row = 0;
  const auto add = [&](const std::vector<EpochPoint>& curve, const char* name) {
    std::vector<std::pair<double, double>> points;
    for (const EpochPoint& p : curve) points.emplace_back(static_cast<double>(p.epoch), p.valid.kendall_tau);
    plot.line(points, kColors[row]);
    plot.legend(row, kColors[row], name);
    ++row;
  };
  add(report.layout_curve, "layouts");
  add(report.tile_curve, "tiles");
  return plot.svg();
}

[[nodiscard]] std::string prediction_plot(const Report& report) {
  double most = 2;
  for (const Predictions& p : report.predictions) {
    for (const auto& point : p.points) most = std::max(most, point.second);
  }
  Plot plot("rank by the model (0: predicted fastest)", "measured time / fastest of the program", 0, 1, 1,
            std::min(most, 5.0));
  for (std::size_t i = 0; i < report.predictions.size(); ++i) {
    const char* const color = kColors[i % std::size(kColors)];
    for (const auto& [rank, time] : report.predictions[i].points) plot.dot(rank, time, color);
    plot.legend(i, color, report.predictions[i].name);
  }
  return plot.svg();
}

/// Each program's speed-ups in ascending order: the share of programs that are slower than that.
[[nodiscard]] std::string speedup_plot(const Report& report) {
  const std::pair<const char*, std::function<double(const SpeedUp&)>> series[] = {
      {"model: layouts and tiles", [](const SpeedUp& s) { return s.chosen; }},
      {"model: layouts", [](const SpeedUp& s) { return s.layouts; }},
      {"greedy heuristic", [](const SpeedUp& s) { return s.greedy; }},
      {"random search", [](const SpeedUp& s) { return s.random; }}};
  double most = 1.5, least = 0.9;
  for (const SpeedUp& s : report.speedups) {
    most = std::max({most, s.chosen, s.layouts});
    least = std::min({least, s.chosen, s.greedy});
  }
  Plot plot("share of the held-out programs", "speed-up over the default, each series in ascending order", 0, 1,
            least, std::min(most, 4.0));
  std::size_t row = 0;
  for (const auto& [name, of] : series) {
    std::vector<double> values;
    for (const SpeedUp& s : report.speedups) values.push_back(of(s));
    std::sort(values.begin(), values.end());
    std::vector<std::pair<double, double>> points;
    for (std::size_t i = 0; i < values.size(); ++i)
      points.emplace_back((static_cast<double>(i) + 0.5) / static_cast<double>(values.size()), values[i]);
    plot.line(points, kColors[row]);
    plot.legend(row, kColors[row], name);
    ++row;
  }
  return plot.svg();
}

/// Operations from top to bottom, coloured by layout; inserted copies in red; arcs from producers to consumers.
[[nodiscard]] std::string picture_svg(const Picture& picture, std::map<std::string, std::size_t>& color_of) {
  constexpr double kRow = 26, kBoxLeft = 90, kBoxWidth = 400;
  std::string body = text_at(kBoxLeft, 14, picture.title);
  const auto top = [](std::size_t i) { return 24 + kRow * static_cast<double>(i); };
  for (std::size_t i = 0; i < picture.nodes.size(); ++i) {
    const PictureNode& node = picture.nodes[i];
    for (const std::size_t from : node.operands) {
      const double y0 = top(from) + 11, y1 = top(i) + 11;
      const double bend = kBoxLeft - std::min(80.0, 8 + 3 * (y1 - y0) / kRow * 2);
      body +=
          mg::str_cat("<path class=\"edge\" d=\"M", kBoxLeft, " ", pixels(y0), " C", pixels(bend), " ",
                      pixels(y0), " ", pixels(bend), " ", pixels(y1), " ", kBoxLeft, " ", pixels(y1), "\"/>");
    }
    const std::size_t color = color_of.emplace(node.layout, color_of.size()).first->second;
    const char* const fill = node.is_copy ? kCopyColor : kColors[color % std::size(kColors)];
    body += mg::str_cat("<rect x=\"", kBoxLeft, "\" y=\"", pixels(top(i)), "\" width=\"", kBoxWidth,
                        "\" height=\"22\" rx=\"3\" fill=\"", fill, "\" fill-opacity=\"",
                        node.is_copy ? "0.45" : "0.2", "\" stroke=\"", fill, "\"/>");
    body += text_at(kBoxLeft + 8, top(i) + 15, node.label);
    body += text_at(kBoxLeft + kBoxWidth - 8, top(i) + 15, node.layout, "end");
  }
  return mg::str_cat("<svg width=\"", kBoxLeft + kBoxWidth + 12, "\" height=\"",
                     pixels(top(picture.nodes.size()) + 8), "\">", body, "</svg>");
}

}  // namespace

std::string to_html(const Report& report) {
  std::map<std::string, std::size_t> color_of;
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>mini-compiler</title><style>\n"
      "body { font: 15px/1.5 sans-serif; max-width: 1080px; margin: 2em auto; padding: 0 1em; color: #222 }\n"
      "svg { font: 12px sans-serif } .axis { stroke: #888 } .edge { fill: none; stroke: #999 }\n"
      "pre { background: #f5f5f5; padding: 1em; overflow-x: auto }\n"
      ".side { display: flex; gap: 1em; align-items: flex-start; overflow-x: auto }\n"
      "</style></head><body>\n<h1>The mini-compiler, on this machine</h1>\n";
  html += mg::str_cat("<p>", escaped(report.machine), "</p>\n<pre>", escaped(report.table), "</pre>\n");
  html += mg::str_cat("<h2>Speed-ups of programs that the models have not seen</h2>\n", speedup_plot(report));
  html += mg::str_cat("<h2>Predicted against measured: layouts of held-out programs</h2>\n",
                      prediction_plot(report));
  html += mg::str_cat("<h2>Training</h2>\n", training_plot(report));
  html += mg::str_cat(
      "<h2>The layouts of one program, before and after</h2>\n<p>A box is an operation, its colour and the "
      "right "
      "end its layout, fastest dimension first; a red box is a transposing copy that the compiler had to "
      "insert. "
      "Parameters and what needs no memory are left out.</p>\n<div class=\"side\">",
      picture_svg(report.before, color_of), picture_svg(report.after, color_of), "</div>\n</body></html>\n");
  return html;
}

}  // namespace minicompiler
