// SPDX-License-Identifier: Apache-2.0
// Pages to look at: one HTML file that needs no other, with figures and tables that sort by a click. They fit
// the width of a phone and are light or dark as the reader's machine is. Texts may hold anything: they are
// escaped here.
//
//   page::Page page("Training");
//   page.add(page::figure(page::Plot{"Loss", {"epoch"}, {"loss"}, {{"seed 1", points}}}));
//   page.add(page::table({{"program", "tau"}, {{"conv", {"0.93", 0.93}}}}));
//   write(page.html());
#ifndef MLGRAPH_EXAMPLES_PAGE_PAGE_HPP
#define MLGRAPH_EXAMPLES_PAGE_PAGE_HPP

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "figures.hpp"
#include "text.hpp"

namespace page {

/// One field of a table: what it shows, and the number that it is sorted by where it is one.
struct Cell {
  Cell(const char* words) : text(words) {}             // NOLINT: {"name", ...} is a row
  Cell(std::string words) : text(std::move(words)) {}  // NOLINT
  Cell(std::string words, double value) : text(std::move(words)), key(value), is_number(true) {}

  std::string text;
  double key = kNone;
  bool is_number = false;
  std::string link = {};  // `#id` of something on the page
};

/// Rows that are shorter than the header end with empty fields.
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<Cell>> rows = {};
};

/// `html` that may be wider than the page: it scrolls by itself. In an SVG of one's own, what has the class
/// `paper` is filled as the page is, `title` as its text.
[[nodiscard]] inline std::string scrolling(const std::string& html) {
  return "<div class=\"scroll\">" + html + "</div>";
}

/// `html` that is shown by a click on `summary`.
[[nodiscard]] inline std::string folded(const std::string& summary, const std::string& html) {
  return "<details><summary>" + escaped(summary) + "</summary>" + html + "</details>";
}

/// Figures side by side where there is room, one below the other where there is not.
[[nodiscard]] inline std::string side_by_side(const std::vector<std::string>& parts) {
  std::string out = "<div class=\"side\">";
  for (const std::string& part : parts) out += part;
  return out + "</div>";
}

/// A table that is sorted by a click on the header of a column, and the other way by the next one.
[[nodiscard]] inline std::string table(const Table& table) {
  std::string out = "<table><thead><tr>";
  for (const std::string& name : table.header)
    out += "<th scope=\"col\"><button type=\"button\">" + escaped(name) + "</button></th>";
  out += "</tr></thead><tbody>";
  for (const std::vector<Cell>& row : table.rows) {
    out += "<tr>";
    for (const Cell& cell : row) {
      out += cell.is_number ? "<td class=\"number\"" : "<td";
      if (std::isfinite(cell.key)) out += " data-key=\"" + detail::formatted("%.17g", cell.key) + "\"";
      out += ">";
      out += cell.link.empty() ? escaped(cell.text)
                               : "<a href=\"" + escaped(cell.link) + "\">" + escaped(cell.text) + "</a>";
      out += "</td>";
    }
    for (std::size_t i = row.size(); i < table.header.size(); ++i) out += "<td></td>";
    out += "</tr>";
  }
  return scrolling(out + "</tbody></table>");
}

namespace detail {

inline constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --paper: #fff; --ink: #1d232b; --faint: #5d6773; --grid: #dde1e6; --shade: #f3f5f7;
  --link: #0b62b8; --k0: #1f6fb4; --k1: #c7560a; --k2: #1f8a4c; --k3: #8453b5; --k4: #8c564b; --k5: #0a8391;
  --k6: #a37a00; --k7: #bd3c79 }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e4e7eb; --faint: #9aa5b1; --grid: #323a44;
  --shade: #1e242b; --link: #79b8ff; --k0: #64b0f2; --k1: #ff9d57; --k2: #5fcf8c; --k3: #c39bf0; --k4: #cf9a8d;
  --k5: #4fd0de; --k6: #e0bb4a; --k7: #f58ab8 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: break-word }
h1 { font-size: 1.6rem; line-height: 1.25 } h2 { font-size: 1.25rem; margin-top: 2.2rem } h3 { font-size: 1.05rem }
a { color: var(--link) }
pre { background: var(--shade); padding: .8rem; overflow-x: auto; font: 13px/1.45 ui-monospace, monospace }
pre.command { white-space: pre-wrap; overflow-wrap: anywhere }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 1rem }
figure { margin: 0 0 1rem; max-width: 31rem; min-width: 0 }
figcaption, .legend { font-size: .85rem; color: var(--faint) } figcaption b { color: var(--ink) }
figure > svg { display: block; width: 100%; height: auto; font-size: 12px; fill: var(--faint) }
.legend { margin: .2rem 0 } .legend span { display: inline-block; margin-right: .9rem }
.legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .35rem; background: currentColor }
.empty { color: var(--faint); font-style: italic }
figure .grid { stroke: var(--grid) }
figure path { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round }
figure .dots { stroke-width: 4.4; stroke-dasharray: none; stroke-opacity: .7 }
figure .dots.few { stroke-width: 8 } figure .bar { fill: currentColor }
.reference { color: var(--faint); stroke-dasharray: 4 3; stroke-width: 1.4 }
.k0 { color: var(--k0) } .k1 { color: var(--k1) } .k2 { color: var(--k2) } .k3 { color: var(--k3) }
.k4 { color: var(--k4) } .k5 { color: var(--k5) } .k6 { color: var(--k6) } .k7 { color: var(--k7) }
.scroll { overflow-x: auto; margin-bottom: 1rem }
.scroll svg .paper { fill: var(--paper) } .scroll svg .title { fill: var(--ink) }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--grid); text-align: left; white-space: nowrap }
td.number { text-align: right }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--paper) }
th button { all: unset; cursor: pointer; font-weight: 600 } th button:focus-visible { outline: 2px solid var(--link) }
th[aria-sort=ascending] button::after { content: " \2191" } th[aria-sort=descending] button::after { content: " \2193" }
summary { cursor: pointer; color: var(--link) }
:target { scroll-margin-top: 1rem; outline: 2px solid var(--link); outline-offset: .3rem }
)";

/// Rows without a number stay last, in either order; equal ones keep their order.
inline constexpr const char* kScript = R"(
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const isNumber = [...body.rows].some((row) => "key" in row.cells[column].dataset);
    const keyed = [...body.rows].map((row) => {
      const cell = row.cells[column];
      return { row, key: isNumber ? ("key" in cell.dataset ? Number(cell.dataset.key) : NaN) : cell.textContent };
    });
    keyed.sort((a, b) => {
      if (!isNumber) return sign * a.key.localeCompare(b.key, "en", { numeric: true });
      return isNaN(a.key) || isNaN(b.key) ? isNaN(a.key) - isNaN(b.key) : sign * (a.key - b.key);
    });
    keyed.forEach((entry) => body.append(entry.row));
  }));
}
)";

}  // namespace detail

/// A page, from top to bottom.
class Page {
 public:
  explicit Page(const std::string& title) : title_(escaped(title)), body_("<h1>" + title_ + "</h1>\n") {}

  void heading(const std::string& text) { body_ += "<h2>" + escaped(text) + "</h2>\n"; }
  /// `id`: what a Cell links to.
  void subheading(const std::string& text, const std::string& id = "") {
    body_ += "<h3" + (id.empty() ? "" : " id=\"" + escaped(id) + "\"") + ">" + escaped(text) + "</h3>\n";
  }
  void paragraph(const std::string& text) { body_ += "<p>" + escaped(text) + "</p>\n"; }
  /// Lines of a terminal, as they are.
  void terminal(const std::string& text) { body_ += "<pre>" + escaped(text) + "</pre>\n"; }
  /// A command that can be typed again; it is broken where a line ends.
  void command(const std::string& text) { body_ += "<pre class=\"command\">$ " + escaped(text) + "</pre>\n"; }
  /// What the functions above and in figures.hpp give, or HTML of one's own.
  void add(const std::string& html) { body_ += html + "\n"; }

  /// The file. The same calls give the same bytes.
  [[nodiscard]] std::string html() const {
    return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<link rel=\"icon\" href=\"data:,\">\n<title>" +
           title_ + "</title><style>" + detail::kStyle + "</style></head><body>\n" + body_ + "<script>" +
           detail::kScript + "</script></body></html>\n";
  }

 private:
  std::string title_, body_;
};

}  // namespace page

#endif  // MLGRAPH_EXAMPLES_PAGE_PAGE_HPP
