"""The look of the report's page: light, dark and paper, wide and narrow. Blue, orange and grey are told apart by all.

Charts take their colours from here through their classes; nothing is loaded from anywhere.
"""

from __future__ import annotations

#: Variables of both schemes: ground, text, quiet text, lines; the three tables; good and bad.
_LIGHT = """
  --ground: #ffffff; --panel: #f5f7f9; --text: #1a2027; --quiet: #5a6570; --line: #dde3e9; --axis: #9aa5b1;
  --grey: #c9d1d9; --blue: #1764ab; --orange: #d9660a; --good: #1764ab; --bad: #b3261e; --doubt: #8a5a00;
"""
_DARK = """
  --ground: #13171b; --panel: #1b2026; --text: #e3e7eb; --quiet: #9ca7b2; --line: #2c343c; --axis: #66717c;
  --grey: #4a545f; --blue: #6fb4f2; --orange: #f59b45; --good: #6fb4f2; --bad: #ff8a80; --doubt: #e0b050;
"""
_PAGE = """
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth }
body { margin: 0; background: var(--ground); color: var(--text); overflow-wrap: anywhere;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px }
h1, h2, h3, p, ul, dl, dd { margin: 0 }
h2 { font-size: 21px; line-height: 1.25; font-weight: 650; margin: 56px 0 6px; letter-spacing: -.01em }
h3 { font-size: 15px; line-height: 1.35; font-weight: 650 }
a { color: inherit; text-decoration-color: var(--axis); text-underline-offset: 3px }
.lead { color: var(--quiet); max-width: 78ch; margin-bottom: 16px }
.note { color: var(--quiet); font-size: 13px; margin-top: 10px; max-width: 100ch }
.code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .88em }
.quiet { color: var(--quiet) }
.number, td.number { font-variant-numeric: tabular-nums; white-space: nowrap }
"""
_VERDICT = """
.verdict { border-left: 6px solid var(--good); padding: 2px 0 2px 20px }
.verdict.fail { border-color: var(--bad) }
.verdict h1 { font-size: 52px; line-height: 1.1; font-weight: 750; letter-spacing: -.02em;
  color: var(--good) }
.verdict.fail h1 { color: var(--bad) }
.verdict .sentence { font-size: 19px; line-height: 1.35 }
.reasons { list-style: none; padding: 0; margin: 16px 0 0; display: grid; gap: 8px }
.reasons li { max-width: 90ch }
.reasons .mark { margin-right: 8px }
nav { margin: 24px 0 0; display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 14px }
.mark { font-size: 12px; font-weight: 700; letter-spacing: .03em }
.mark.pass { color: var(--good); font-weight: 500 }
.mark.fail { color: var(--bad) }
.mark.warn { color: var(--doubt) }
.mark.not_measured { color: var(--quiet); font-weight: 500 }
"""
_TABLES = """
.scroll { overflow-x: auto; max-width: 100% }
table { border-collapse: collapse; width: 100%; font-size: 14px }
th { text-align: left; font-weight: 500; color: var(--quiet); font-size: 13px; padding: 6px 20px 6px 0;
  border-bottom: 1px solid var(--axis); white-space: nowrap; vertical-align: bottom }
td { padding: 6px 20px 6px 0; border-bottom: 1px solid var(--line); vertical-align: baseline }
th:last-child, td:last-child { padding-right: 0 }
th.number, td.number { text-align: right }
td.name { font-weight: 500; min-width: 12em; overflow-wrap: break-word }
tr.below td.name { padding-left: 20px; font-weight: 400 }
tr.head td { border-bottom: 0; padding-bottom: 2px }
tr.family td { padding-top: 22px; font-weight: 650; border-bottom: 1px solid var(--axis); text-transform: capitalize }
tr.measure td { border-bottom: 0; padding-bottom: 0; vertical-align: middle }
tr.detail td { color: var(--quiet); font-size: 13px; padding-top: 0; padding-bottom: 9px }
td.picture { width: 236px; padding-top: 3px }
"""
_CHARTS = """
.chart { display: block; width: 100%; height: auto; overflow: visible }
.chart text { font-size: 11px; fill: var(--quiet); font-variant-numeric: tabular-nums }
.chart.matrix text { font-size: inherit }
.chart .small { font-size: 10px }
.chart .figure { fill: var(--text) }
.range { width: 220px }
.range text { font-size: 10px }
.axis { stroke: var(--axis); fill: none }
.grid { stroke: var(--line); fill: none }
.guess { stroke: var(--axis); stroke-dasharray: 2 4; fill: none }
.interval { fill: var(--orange); fill-opacity: .38 }
.value { fill: var(--orange) }
.reference { stroke: var(--blue); stroke-width: 2.5 }
.floor { stroke: var(--axis); stroke-width: 2.5 }
.step { fill: none; stroke-width: 1.5; stroke-linejoin: round }
.step.train { fill: var(--grey) }
.step.holdout { stroke: var(--blue); stroke-dasharray: 3 2; stroke-width: 1.2 }
.step.synthetic { stroke: var(--orange); stroke-width: 1.9 }
.bar.train { fill: var(--grey) }
.bar.synthetic { fill: var(--orange) }
.tick.holdout { stroke: var(--blue); stroke-width: 2 }
.cut { stroke: var(--ground); stroke-width: 3.5; fill: none }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round }
.line.holdout { stroke: var(--blue); stroke-dasharray: 7 3 }
.line.synthetic { stroke: var(--orange) }
.sensor { fill: var(--text); fill-opacity: 0 }
.sensor:hover { fill-opacity: .08 }
.cell { fill: var(--blue); stroke: var(--line); stroke-width: .5 }
.cell.more { fill: var(--orange) }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 13px; color: var(--quiet); margin: 0 0 14px;
  padding: 0; list-style: none }
.legend i { display: inline-block; width: 20px; height: 10px; margin-right: 7px; border-radius: 1px }
.legend .train { background: var(--grey) }
.legend .holdout { height: 2px; vertical-align: 3px; width: 21px;
  background: repeating-linear-gradient(90deg, var(--blue) 0 5px, transparent 5px 8px) }
.legend .synthetic { background: var(--orange) }
.legend .rule { height: 0; border-top: 3px solid var(--orange); vertical-align: 3px }
.legend .dot { width: 9px; height: 9px; border-radius: 50%; background: var(--orange) }
.legend .spread { background: var(--orange); opacity: .38 }
.legend .upright { width: 3px; height: 14px; background: var(--blue); vertical-align: -3px }
.legend .upright.low { background: var(--axis) }
.legend .ramp, .legend .both { width: 90px; border: 1px solid var(--line) }
.legend .ramp { background: linear-gradient(90deg, transparent, var(--blue)) }
.legend .both { background: linear-gradient(90deg, var(--blue), transparent, var(--orange)) }
"""
_CARDS = """
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 20px }
.card { border: 1px solid var(--line); border-radius: 6px; padding: 14px 16px 12px; min-width: 0 }
.card.fails { border-color: var(--bad) }
.card .facts { display: flex; flex-wrap: wrap; gap: 0 14px; font-size: 13px; color: var(--quiet); margin: 2px 0 10px }
.card .facts b { color: var(--text); font-weight: 600 }
.card .kind { font-weight: 400; color: var(--quiet); font-size: 13px; margin-left: 6px }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 290px), 1fr)); gap: 18px 24px;
  margin-top: 8px }
.maps.wide { grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)) }
.stack { display: grid; gap: 20px }
.duo { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 32px }
figure { margin: 0; min-width: 0 }
figcaption { font-size: 13px; color: var(--quiet); margin-bottom: 6px }
.matrix.wide { min-width: 540px }
details { margin-top: 18px }
summary { cursor: pointer; font-weight: 500; padding: 4px 0 }
details > :nth-child(2) { margin-top: 10px }
pre { margin: 0; padding: 14px 16px; background: var(--panel); border-radius: 6px; overflow-x: auto;
  font-size: 13px; line-height: 1.5; overflow-wrap: normal }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 20px; font-size: 14px }
dl.facts dt { color: var(--quiet) }
"""
_NARROW = """
@media (max-width: 680px) {
  main { padding: 20px 16px 48px }
  h2 { margin-top: 44px }
  .verdict { padding-left: 14px }
  .verdict h1 { font-size: 42px }
  .verdict .sentence { font-size: 17px }
  .flow thead { display: none }
  .flow, .flow tbody { display: block; width: 100% }
  .flow tr { display: flex; flex-wrap: wrap; gap: 0 14px; border-bottom: 1px solid var(--line); padding: 7px 0 }
  .flow tr.family { padding-top: 24px; border-color: var(--axis) }
  .flow tr.measure, .flow tr.head { border-bottom: 0; padding-bottom: 0 }
  .flow tr.detail { padding-top: 0 }
  .flow td { display: block; border: 0 !important; padding: 0 !important; text-align: left; white-space: normal;
    width: auto }
  .flow td.name { flex: 1 1 76%; min-width: 0 }
  .flow.lines td.name { flex-basis: 100% }
  .flow td.none { display: none }
  .flow tr.below td.name { padding-left: 14px !important }
  .flow td[data-name]:not(:empty)::before { content: attr(data-name) " "; color: var(--quiet); font-size: 12px }
  .flow td.picture { flex: 1 1 100%; padding: 6px 0 2px !important }
  .flow .range { width: 100%; max-width: 330px }
  .flow .range text { font-size: 8px }
}
"""
_PAPER = """
@media print {
  :root { color-scheme: light; __LIGHT__ }
  body { font-size: 10.5pt }
  main { max-width: none; padding: 0 }
  nav { display: none }
  h2 { break-after: avoid; margin-top: 28px }
  .card, figure, tr { break-inside: avoid }
  tr.measure, tr.head, tr.family, .lead, .legend { break-after: avoid }
  .maps { grid-template-columns: repeat(3, 1fr) }
  .maps.wide { grid-template-columns: repeat(2, 1fr) }
  .matrix.wide { min-width: 0 }
  .scroll, pre { overflow: visible; white-space: pre-wrap }
  .scroll { white-space: normal }
  details::details-content { content-visibility: visible; display: block }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
"""

STYLESHEET = "".join(
    (
        f":root {{ color-scheme: light dark; {_LIGHT} }}",
        f"@media (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}",
        _PAGE,
        _VERDICT,
        _TABLES,
        _CHARTS,
        _CARDS,
        _NARROW,
        _PAPER.replace("__LIGHT__", _LIGHT),
    )
)

#: What the page of an augmentation adds: green for a help that was measured, and the classes of its own charts.
_GREEN_ON_LIGHT, _GREEN_ON_DARK = "--green: #1a7f37;", "--green: #56c271;"
_GAINS = """
.verdict.helps { border-color: var(--green) }
.verdict.helps h1 { color: var(--green) }
.verdict.hurts { border-color: var(--bad) }
.verdict.hurts h1 { color: var(--bad) }
.verdict.level { border-color: var(--doubt) }
.verdict.level h1 { color: var(--doubt) }
.verdict.unmeasured { border-color: var(--axis) }
.verdict.unmeasured h1 { color: var(--quiet) }
.verdict.made { border-color: var(--axis) }
.verdict.made h1 { color: var(--text) }
.verdict .sentence { max-width: 70ch }
section h3 { margin: 28px 0 8px }
section h3:first-child, figure h3, figure + figure h3 { margin-top: 8px }
.large { max-width: 620px }
.scroll + .duo { margin-top: 14px }
.large + .legend { margin: 8px 0 14px }
.bar.imputed { fill: var(--orange); fill-opacity: .5 }
.legend .imputed { background: var(--orange); opacity: .5 }
.chart text.own { fill: var(--orange); font-weight: 650 }
.chart text.real { fill: var(--blue) }
.ground { fill: var(--panel) }
.zero { stroke: var(--blue); stroke-width: 1.2; fill: none }
.lead-line { stroke: var(--axis); stroke-width: 1; stroke-dasharray: 1 3; fill: none }
td.picture { vertical-align: middle }
.whisker { stroke: var(--axis); stroke-width: 2.5; fill: none }
.whisker.own { stroke: var(--orange); stroke-width: 3.5 }
.whisker.real { stroke: var(--blue) }
.whisker.thin { stroke-width: 1.6; stroke-opacity: .5 }
.arm { fill: none; stroke: var(--axis); stroke-width: 1.3; stroke-linejoin: round }
.arm.own { stroke: var(--orange); stroke-width: 2.4 }
.arm.real { stroke: var(--blue); stroke-width: 1.6; stroke-dasharray: 6 3 }
.dot { fill: var(--quiet) }
.dot.own { fill: var(--orange) }
.dot.real { fill: var(--blue) }
tr.own td { font-weight: 650 }
tr.size td { padding-top: 18px; font-weight: 650; border-bottom: 1px solid var(--axis) }
.gain { display: block; font-size: 12px; font-weight: 400; color: var(--quiet) }
.gain.better { color: var(--green); font-weight: 650 }
.gain.worse { color: var(--bad); font-weight: 650 }
@media (max-width: 560px) {
  .chart.large text { font-size: 14px }
  .gain { display: inline; margin-left: 5px }
}
"""
GAINS = "".join(
    (
        f":root {{ {_GREEN_ON_LIGHT} }}",
        f"@media (prefers-color-scheme: dark) {{ :root {{ {_GREEN_ON_DARK} }} }}",
        _GAINS,
        f"@media print {{ :root {{ {_GREEN_ON_LIGHT} }} .lead {{ break-inside: avoid }} }}",
    )
)

#: What the page of a simulated collapse adds to both: a colour for each of six arms, which people without one of the
#: three cones tell apart too, on either ground; and the classes of its own charts.
_HUES_ON_LIGHT = (
    "--hue-0: #6b7580; --hue-1: #c8530a; --hue-2: #1942a8; --hue-3: #258b60; --hue-4: #750862; --hue-5: #b39044; "
    "--hue-6: #058ced;"
)
_HUES_ON_DARK = (
    "--hue-0: #9ca7b2; --hue-1: #f58a3c; --hue-2: #86cbff; --hue-3: #45c98c; --hue-4: #e04bf0; --hue-5: #f3e59a; "
    "--hue-6: #4b8ebe;"
)
_COURSES = """
.verdict h1, .word { text-transform: uppercase }
.verdict h1 { hyphens: manual; font-size: 44px }
.verdict .sentence { max-width: 76ch; margin-top: 8px }
.verdict.stable { border-color: var(--green) }
.verdict.stable h1, .word.stable { color: var(--green) }
.verdict.collapsing { border-color: var(--bad) }
.verdict.collapsing h1, .word.collapsing { color: var(--bad) }
.verdict.degraded-plateau, .verdict.inconclusive { border-color: var(--doubt) }
.verdict.degraded-plateau h1, .verdict.inconclusive h1 { color: var(--doubt) }
.word.degraded-plateau, .word.inconclusive { color: var(--doubt) }
.word { font-size: 12px; font-weight: 700; letter-spacing: .03em; white-space: nowrap }
.reasons .word { margin-right: 8px }
.hue-1 { --hue: var(--hue-1) }
.hue-2 { --hue: var(--hue-2) }
.hue-3 { --hue: var(--hue-3) }
.hue-4 { --hue: var(--hue-4) }
.hue-5 { --hue: var(--hue-5) }
.hue-6 { --hue: var(--hue-6) }
.control { --hue: var(--hue-0) }
.course { fill: none; stroke: var(--hue); stroke-width: 1.9; stroke-linejoin: round }
.course.dash-2 { stroke-dasharray: 8 3 }
.course.dash-3 { stroke-dasharray: 2 2.5 }
.course.dash-4 { stroke-dasharray: 9 3 2 3 }
.course.dash-5 { stroke-dasharray: 4 3 }
.course.control { stroke-width: 2.4 }
.band { fill: var(--hue); fill-opacity: .12 }
.band.control { fill-opacity: .3 }
.spot, .mark-end { fill: var(--hue) }
.mark-end { stroke: var(--ground); stroke-width: .8 }
.ring { fill: var(--ground); stroke: var(--hue); stroke-width: 1.8 }
.chart text.own { fill: var(--hue) }
.limit { stroke: var(--text); stroke-width: 1.1; stroke-dasharray: 6 4; stroke-opacity: .75; fill: none }
.leader { stroke: var(--axis); stroke-width: 1; stroke-dasharray: 1 3; fill: none }
.span { fill: var(--blue); fill-opacity: .14 }
.crossing { stroke: var(--blue); stroke-width: 2; fill: none }
.chart text.needed { fill: var(--blue); font-weight: 650 }
.predicted { fill: var(--quiet) }
.fit { fill: none; stroke: var(--orange); stroke-width: 2; stroke-linejoin: round }
.reach { stroke: var(--text); stroke-opacity: .45; stroke-width: 1.6; fill: none }
.point { fill: var(--text) }
.ridge { fill: var(--orange); fill-opacity: .3; stroke: var(--orange); stroke-width: 1.4; stroke-linejoin: round }
.origin { fill: none; stroke: var(--blue); stroke-width: 1.3; stroke-dasharray: 3 2; stroke-linejoin: round }
.swatch { width: 34px; height: 14px; margin-right: 7px; vertical-align: -2px }
.legend .dashed { height: 0; border-top: 2px dashed var(--text); border-radius: 0; vertical-align: 3px }
.legend .fitted { height: 0; border-top: 3px solid var(--orange); border-radius: 0; vertical-align: 3px }
.legend .point { width: 8px; height: 8px; border-radius: 50%; background: var(--text) }
.legend .crossing { width: 3px; height: 14px; background: var(--blue); vertical-align: -3px }
.legend .span { background: var(--blue); opacity: .3 }
.legend .predicted { width: 0; height: 0; border: 5px solid transparent; border-top: 8px solid var(--quiet);
  border-bottom: 0 }
.legend .ridge { background: var(--orange); opacity: .5 }
.legend .origin { height: 0; border-top: 2px dashed var(--blue); border-radius: 0; vertical-align: 3px }
.kind { font-weight: 400; color: var(--quiet); font-size: 13px; margin-left: 6px }
.maps + h3, .maps + .scroll { margin-top: 32px }
.maps figure { display: flex; flex-direction: column }
.maps .chart { margin-top: auto }
.chart text.on-top { paint-order: stroke; stroke: var(--ground); stroke-width: 3px; stroke-linejoin: round }
tr.arm td { font-weight: 650; border-bottom: 0; padding-top: 14px }
tr.arm td.about { font-weight: 400; color: var(--quiet) }
@media screen {
  .maps { grid-template-columns: repeat(auto-fill, minmax(min(100%, 290px), 1fr)) }
}
@media (max-width: 680px) {
  .verdict h1 { font-size: 30px }
  .flow tr.arm { border-bottom: 0; padding-top: 14px }
  .flow tr.arm td { padding: 0 !important }
  .flow tr.arm td.name, .flow tr.below td.name { flex-basis: calc(100% - 150px) }
}
"""
COURSES = GAINS + "".join(
    (
        f":root {{ {_HUES_ON_LIGHT} }}",
        f"@media (prefers-color-scheme: dark) {{ :root {{ {_HUES_ON_DARK} }} }}",
        _COURSES,
        f"@media print {{ :root {{ {_HUES_ON_LIGHT} }} }}",
    )
)
