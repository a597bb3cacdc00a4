// SPDX-License-Identifier: Apache-2.0
#include "../../examples/page/page.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

/// Whether a figure holds a number that no browser draws.
bool has_no_number(const std::string& html) { return has(html, "nan") || has(html, "inf"); }

}  // namespace

TEST_CASE("texts are escaped, and what is no text becomes question marks") {
  CHECK(page::escaped("a<b>&\"c'") == "a&lt;b&gt;&amp;&quot;c&#39;");
  CHECK(page::escaped("two\nlines\tand \x01\x7f") == "two\nlines\tand ??");
  CHECK(page::escaped("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x8d\x8e") == "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x8d\x8e");
  // Cut off, alone, too long for its value, half of a pair, beyond the last character.
  CHECK(page::escaped("\xc3") == "?");
  CHECK(page::escaped("\xa4x") == "?x");
  CHECK(page::escaped("\xc0\xaf") == "??");
  CHECK(page::escaped("\xe0\x80\xaf") == "???");
  CHECK(page::escaped("\xed\xa0\x80") == "???");
  CHECK(page::escaped("\xf4\x90\x80\x80") == "????");
  CHECK(page::escaped("\xef\xbf\xbf") == "???");
  CHECK(page::escaped("\xef\xbf\xbd") == "\xef\xbf\xbd");
  CHECK(page::escaped("\xff<") == "?&lt;");
}

TEST_CASE("numbers have four digits, and what is no number is a dash") {
  CHECK(page::number(0) == "0");
  CHECK(page::number(-0.0) == "0");
  CHECK(page::number(0.123456) == "0.1235");
  CHECK(page::number(123456) == "123456");
  CHECK(page::number(-12345.6) == "-12346");
  CHECK(page::number(1e9) == "1e+09");
  CHECK(page::number(page::kNone) == "-");
  CHECK(page::number(kInf) == "-");
}

TEST_CASE("thinned points keep the ends") {
  page::Points points;
  for (int i = 0; i < 1000; ++i) points.emplace_back(i, 2 * i);
  const page::Points few = page::thinned(points, 10);
  REQUIRE(few.size() == 10);
  CHECK(few.front() == points.front());
  CHECK(few.back() == points.back());
  CHECK(page::thinned(few, 10) == few);
  CHECK(page::thinned({}, 10).empty());
}

TEST_CASE("a plot has its lines, its ticks and its legend") {
  page::Plot plot{"Loss", {"epoch"}, {"loss"}, {{"a & b", {{0, 1}, {5, 3}, {10, 2}}}, {"dots", {{2, 2}}}}};
  plot.series[1].mark = page::Series::Mark::kDots;
  plot.series.push_back({"ideal", {{0, 1}, {10, 1}}, page::Series::Mark::kLine, true});
  const std::string html = page::figure(plot);
  CHECK(has(html, "<path d=\"M48.0,208.0h0L216.0,8.0L384.0,108.0\" class=\"k0\"/>"));
  CHECK(has(html, "<path d=\"M115.2,108.0h0\" class=\"few dots k1\"/>"));
  CHECK(has(html, "class=\"reference\"/>"));
  CHECK(has(html, "a &amp; b</span>"));
  for (const std::string tick : {">0</text>", ">4</text>", ">10</text>", ">1.5</text>", ">3</text>"})
    CHECK_MESSAGE(has(html, tick), tick);
  CHECK(has(html, "aria-label=\"Loss\""));
}

TEST_CASE("a line is broken where a value is not finite, and no such number is written") {
  const page::Plot plot{
      "t", {}, {}, {{"", {{0, 0}, {1, page::kNone}, {2, 2}, {page::kNone, 1}, {3, kInf}, {4, 4}, {5, 5}}}}};
  const std::string html = page::figure(plot);
  CHECK_FALSE(has_no_number(html));
  CHECK(count(html, "M") == 3);  // begins at 0, at 2 and at 4
}

TEST_CASE("one point is drawn in the middle, none is said to be none") {
  page::Plot plot{"t", {}, {}, {{"s", {{7, -3}}}}};
  CHECK(has(page::figure(plot), "M216.0,108.0h0"));
  plot.x.logarithmic = true;
  CHECK(has(page::figure(plot), "M216.0,108.0"));
  plot.y.logarithmic = true;  // -3 has no logarithm
  CHECK(has(page::figure(plot), "no data"));
  for (const page::Points& points : {page::Points{}, page::Points{{page::kNone, 1}}, page::Points{{1, kInf}}}) {
    const std::string html = page::figure(page::Plot{"nothing", {}, {}, {{"s", points}}});
    CHECK(has(html, "no data"));
    CHECK_FALSE(has(html, "<svg"));
  }
  CHECK(has(page::figure(page::Plot{"nothing"}), "no data"));
}

TEST_CASE("axes of the largest and of the smallest numbers") {
  const double most = std::numeric_limits<double>::max(), least = std::numeric_limits<double>::denorm_min();
  for (const bool logarithmic : {false, true}) {
    const page::Axis axis{"", logarithmic};
    const std::string html =
        page::figure(page::Plot{"t", axis, axis, {{"", {{least, least}, {1, 1}, {most, most}}}}});
    CHECK_FALSE(has_no_number(html));
    CHECK(has(html, "L384.0,8.0"));
  }
  CHECK_FALSE(has_no_number(page::figure(page::Plot{"t", {}, {}, {{"", {{-most, -most}, {most, most}}}}})));
}

TEST_CASE("logarithmic axes have their ticks at ones, twos and fives") {
  const page::Axis axis{"", true};
  const std::string near = page::figure(page::Plot{"t", axis, {}, {{"", {{1, 0}, {30, 1}}}}});
  for (const std::string tick : {">1</text>", ">2</text>", ">5</text>", ">10</text>", ">20</text>"})
    CHECK_MESSAGE(has(near, tick), tick);
  const std::string far = page::figure(page::Plot{"t", axis, {}, {{"", {{1, 0}, {1e6, 1}}}}});
  CHECK(has(far, ">1e+06</text>"));
  CHECK_FALSE(has(far, ">2</text>"));
  const std::string close = page::figure(page::Plot{"t", axis, {}, {{"", {{1, 0}, {1.2, 1}}}}});
  CHECK(has(close, ">1.05</text>"));
}

TEST_CASE("an axis ends where it is told to, and what lies beyond is at its edge") {
  const std::string html =
      page::figure(page::Plot{"t", {"", false, 0, 10}, {"", false, 0, 1}, {{"", {{20, 5}}}}});
  CHECK(has(html, "M384.0,8.0"));
}

TEST_CASE("steps go across before they go up") {
  const page::Plot plot{"t", {}, {}, {{"", {{0, 0}, {1, 1}}, page::Series::Mark::kSteps}}};
  CHECK(has(page::figure(plot), "M48.0,208.0h0H384.0V8.0"));
}

TEST_CASE("a histogram counts what is finite") {
  page::Histogram histogram{"slowdown", {"factor"}, {0, 0.1, 0.2, 1, page::kNone, kInf}, 2};
  const std::string html = page::figure(histogram);
  CHECK(count(html, "<rect") == 2);
  CHECK(has(html, "<title>3</title>"));
  CHECK(has(html, "<title>1</title>"));
  CHECK_FALSE(has_no_number(html));
  CHECK_FALSE(has(html, ">2.5</text>"));  // there are no halves of a value
  histogram.values = {4};
  CHECK(count(page::figure(histogram), "<rect") == 1);
  histogram.values = {page::kNone};
  CHECK(has(page::figure(histogram), "no data"));
  histogram.values.clear();
  histogram.num_bins = 0;
  CHECK(has(page::figure(histogram), "no data"));
}

TEST_CASE("bars begin at their base, to either side") {
  page::Bars bars{
      "speed-up", {"times as fast"}, {"model", "default"}, {{"a<b", {3, 0.5}}, {"c", {page::kNone}}}, 1};
  const std::string html = page::figure(bars);
  CHECK(count(html, "<rect") == 2);
  CHECK(has(html, "<title>model: 3</title>"));
  CHECK(has(html, "a&lt;b"));
  CHECK_FALSE(has_no_number(html));
  bars.x.from = 0.5, bars.x.to = 3;
  const std::string told = page::figure(bars);
  CHECK(has(told, "<rect x=\"115.2\""));                           // 3 to the right of 1
  CHECK(has(told, "<rect x=\"48.0\" y=\"35.0\" width=\"67.2\""));  // 0.5 to its left
  bars.rows = {{"c", {page::kNone, kInf}}};
  CHECK(has(page::figure(bars), "no data"));
  bars.rows.clear();
  CHECK(has(page::figure(bars), "no data"));
}

TEST_CASE("a table has the keys that it is sorted by, but for what is no number") {
  page::Table table{{"name", "tau"}, {{"a<b", {"0.50", 0.5}}, {"c", {"-", page::kNone}}}};
  table.rows[0][0].link = "#a\"b";
  const std::string html = page::table(table);
  CHECK(has(html, "<td><a href=\"#a&quot;b\">a&lt;b</a></td>"));
  CHECK(has(html, "<td class=\"number\" data-key=\"0.5\">0.50</td>"));
  CHECK(has(html, "<td class=\"number\">-</td>"));
  CHECK(count(html, "<button") == 2);
  CHECK(has(page::table({{"name"}}), "<tbody></tbody>"));
  CHECK(has(page::table({{"name", "tau"}, {{"a"}}}), "<tr><td>a</td><td></td></tr>"));
}

TEST_CASE("a page needs nothing from elsewhere and is the same twice") {
  const auto make = [] {
    page::Page page("a <page>");
    page.heading("b & c");
    page.subheading("d", "id");
    page.paragraph("e < f");
    page.terminal("$ g > h");
    page.command("i < j");
    page.add(page::side_by_side({page::folded("more", "<i>x</i>"), page::scrolling("<b>y</b>")}));
    return page.html();
  };
  const std::string html = make();
  CHECK(html == make());
  CHECK(count(html, "a &lt;page&gt;") == 2);  // title and heading
  for (const std::string part :
       {"<h2>b &amp; c</h2>", "<h3 id=\"id\">d</h3>", "<p>e &lt; f</p>", "<pre>$ g &gt; h</pre>",
        "<pre class=\"command\">$ i &lt; j</pre>", "<summary>more</summary><i>x</i>",
        "<div class=\"scroll\"><b>y</b></div>", "name=\"viewport\"", "prefers-color-scheme: dark"})
    CHECK_MESSAGE(has(html, part), part);
  for (const std::string part : {"http:", "https:", "src=", "url(", "@import"})
    CHECK_FALSE_MESSAGE(has(html, part), part);
}
