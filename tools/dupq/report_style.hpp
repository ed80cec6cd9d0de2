// How a report looks: on a screen by day and by night, and on paper.
#pragma once

#include <string_view>

namespace dupq_tool::report {

/// Colours of series are told apart by eyes that do not see red and green as well; each also has its number.
inline constexpr std::string_view style = R"css(
:root{--page:#fff;--card:#fff;--ink:#1b1f24;--soft:#5b6470;--rule:#d9dee4;--grid:#e8ebef;--right:#8fa3b8;--wrong:#d1495b;
--right-bg:95,130,165;--wrong-bg:209,73,91;--mark:240,180,40;--on:#fff;
--s1:#0072b2;--s2:#b37400;--s3:#00806a;--s4:#b0478a;--s5:#2f94cf;--s6:#86511f;--s7:#6c4fb3;--s8:#50565e}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--page:#14171b;--card:#1b1f25;--ink:#e6e9ed;
--soft:#9aa4b0;--rule:#343b44;--grid:#282e36;--right:#61788f;--wrong:#ff7b88;--right-bg:110,150,190;--wrong-bg:255,110,125;
--on:#111;--s1:#5fb5f2;--s2:#f0b64a;--s3:#41cfae;--s4:#ec9acb;--s5:#a9dcff;--s6:#d6a376;--s7:#b9a2f3;--s8:#c3c9d1}}
*{box-sizing:border-box}
html{background:var(--page);color:var(--ink);-webkit-text-size-adjust:100%;text-size-adjust:100%;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
body{max-width:76rem;margin:0 auto;padding:2rem 1.25rem 3rem}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.75rem 0 .6rem;padding-top:.9rem;border-top:1px solid var(--rule)}
h3{font-size:1.05rem;margin:1.8rem 0 .6rem;overflow-wrap:anywhere}
p{margin:.4rem 0;max-width:52rem}
small,figcaption,.legend,nav,footer,caption{color:var(--soft)}
small{font-size:.85em;font-weight:400}
a{color:var(--s1)}
nav ul,.legend,.judges{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem}
nav{margin-top:.8rem}
figure{margin:0;min-width:0}
figcaption{font-size:.9rem;margin-top:.2rem}
.legend{color:var(--ink);margin:.4rem 0 1rem}
.legend li{overflow-wrap:anywhere;min-width:0}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.5rem 2rem;align-items:start}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:12px;fill:var(--ink);text-anchor:middle;font-variant-numeric:tabular-nums;
paint-order:stroke;stroke:var(--page);stroke-width:3px;stroke-linejoin:round}
svg .tick{fill:var(--soft)}
svg .end{text-anchor:end}svg .start{text-anchor:start}
svg .name{font-weight:600}
svg .number{fill:var(--on);stroke:none;font-size:11px;font-weight:700}
path{fill:none;stroke-width:1}
.grid{stroke:var(--grid)}.axis{stroke:var(--soft)}
.curve{stroke-width:2;stroke-linejoin:round}
.equal{stroke:var(--rule);stroke-dasharray:2 3}
.chance{stroke:var(--soft);stroke-dasharray:6 4}
.drop{stroke-dasharray:2 3;opacity:.8}.lead{opacity:.8}
.threshold{stroke:var(--ink);stroke-width:1.5}
.dot{stroke:var(--page);stroke-width:1.5}
rect.right{fill:var(--right)}rect.wrong{fill:var(--wrong)}
.s1{--s:var(--s1)}.s2{--s:var(--s2)}.s3{--s:var(--s3)}.s4{--s:var(--s4)}
.s5{--s:var(--s5)}.s6{--s:var(--s6)}.s7{--s:var(--s7)}.s8{--s:var(--s8)}
path[class*=" s"]{stroke:var(--s)}circle{fill:var(--s)}
.curve.d1{stroke-dasharray:7 3}.curve.d2{stroke-dasharray:2 2}.curve.d3{stroke-dasharray:9 3 2 3}
.n{display:inline-block;min-width:1.45em;padding:0 .3em;border-radius:.75em;background:var(--s);color:var(--on);
font-size:.8rem;line-height:1.45em;text-align:center}
.wide{overflow-x:auto;margin:.6rem 0 1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.95rem}
caption{text-align:left;font-size:.9rem;padding:.2rem 0 .4rem}
th,td{padding:.35rem .7rem;border-bottom:1px solid var(--rule);text-align:right;vertical-align:top}
th:first-child,td:first-child{text-align:left;padding-left:.2rem}
thead th{color:var(--soft);font-weight:600;font-size:.85rem;vertical-align:bottom}
tbody th{font-weight:600}
.results th:first-child{min-width:11rem;overflow-wrap:anywhere}
.results td{white-space:nowrap}
.best{font-weight:700}
.results small{white-space:nowrap}
.differences td:last-child,.differences th:last-child{text-align:left}
.confusion td,.confusion th{padding:.6rem .8rem}
.confusion tbody td{text-align:center;min-width:8rem;border:2px solid var(--page)}
.confusion thead th{text-align:center}
.confusion b{font-size:1.2rem}.confusion small{display:block}
.confusion .right{background:rgba(var(--right-bg),calc(.08 + .5*var(--share)))}
.confusion .wrong{background:rgba(var(--wrong-bg),calc(.08 + .5*var(--share)))}
.confusion tbody small{color:inherit}
.pairs{width:100%}
.pairs th,.pairs td{text-align:start}
.pairs .row,.pairs th:last-child{text-align:right}
mark{background:rgba(var(--mark),.28);color:inherit;border-radius:.2em;padding:0 .1em;margin:0 -.1em}
.pairs .row{color:var(--soft)}
.pairs .text{width:36%;min-width:12rem;overflow-wrap:anywhere;unicode-bidi:isolate}
.judges{flex-direction:column;gap:.15rem}
.judges li{white-space:nowrap}
.judges .wrong{color:var(--wrong);font-weight:600}
.none{color:var(--soft)}
footer{margin-top:3rem;border-top:1px solid var(--rule);padding-top:.8rem;font-size:.9rem}
@media print{@page{margin:14mm}html{font-size:10.5px}body{max-width:none;padding:0}nav{display:none}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.wide{overflow:visible}h2,h3,h2+p,caption{break-after:avoid}figure,tr,.confusion{break-inside:avoid}
.two{grid-template-columns:1fr 1fr;gap:1rem}.pairs .text{min-width:0}}
)css";

}  // namespace dupq_tool::report
