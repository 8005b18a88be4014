# SPDX-License-Identifier: GPL-2.0-or-later
"""draw(): a run's ratios as an SVG of bars, grouped by work, on a logarithmic scale; readable on light and dark."""
import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, BAR, GAP = 920, 330, 70, 16, 22
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; } .h { font-weight: 600; } .s { font-size: 10.5px; fill: #6e7781; }
.g { stroke: #d0d7de; } .one { stroke: #57606a; } .b { fill: #2f81c7; } .f { fill: #d1503f; } .n { fill: #8c959f; }
.aim { stroke: #1a7f37; stroke-width: 2; } .bg { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .s { fill: #9198a1; } .g { stroke: #30363d; } .one { stroke: #9198a1; } .b { fill: #58a6ff; }
.f { fill: #ff7b72; } .n { fill: #6e7681; } .aim { stroke: #3fb950; } .bg { fill: #0d1117; } }
"""


def groups(results):
    """[(work, [rows])] of those that are times faster than something."""
    found = {}
    for r in results:
        if r["theirs"] is not None and not r["row"].startswith("linear"):
            found.setdefault(r["work"], []).append(r)
    return list(found.items())


def scale(results):
    """x of a factor: how many times faster than the peer."""
    factors = [1 / r["ratio"] for r in results] + [1 / r["aim"] for r in results if r["aim"]] + [0.5, 10]
    low, high = math.floor(math.log10(min(factors)) * 2) / 2, math.ceil(math.log10(max(factors)) * 2) / 2
    return low, high, lambda f: LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(f) - low) / (high - low)


def bar(r, y, x):
    factor = 1 / r["ratio"]
    one, end = x(1), x(factor)
    missed = r["aim"] is not None and r["ratio"] > r["aim"]
    kind = "f" if missed else "n" if r["aim"] is None else "b"
    out = [f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(r["peer"])}</text>',
           f'<rect class="{kind}" x="{min(one, end):.1f}" y="{y}" width="{max(abs(end - one), 1):.1f}" '
           f'height="{BAR}" rx="2"/>']
    if r["aim"]:
        at = x(1 / r["aim"])
        out.append(f'<line class="aim" x1="{at:.1f}" x2="{at:.1f}" y1="{y - 2}" y2="{y + BAR + 2}"/>')
    text = f"{factor:.0f} ×" if factor >= 10 else f"{factor:.1f} ×" if factor >= 2 else f"{factor:.2f} ×"
    return out + [f'<text x="{max(end, one) + 5:.1f}" y="{y + 12}">{text}</text>']


def grid(low, high, x, height):
    out = []
    for power in range(math.ceil(low), math.floor(high) + 1):
        for step in (1, 2, 5):
            factor = step * 10 ** power
            if not low <= math.log10(factor) <= high:
                continue
            out.append(f'<line class="{"one" if factor == 1 else "g"}" x1="{x(factor):.1f}" x2="{x(factor):.1f}" '
                       f'y1="58" y2="{height - 20}"/>')
            out.append(f'<text class="s" x="{x(factor):.1f}" y="{height - 6}" text-anchor="middle">{factor:g} ×</text>')
    return out


def draw(path, title, results, table):
    shown = groups(results)
    if not shown:
        return
    low, high, x = scale([r for _, rs in shown for r in rs])
    height = 66 + sum(24 + GAP * len(rs) for _, rs in shown) + 24
    out, y = grid(low, high, x, height), 66
    for work, rs in shown:
        out.append(f'<text class="h" x="12" y="{y + 12}">{escape(work)}</text>')
        out.append(f'<text class="s" x="{WIDTH - 12}" y="{y + 12}" text-anchor="end">{rs[0]["peak"] / 1024:.0f} MiB</text>')
        y += 22
        for r in rs:
            out += bar(r, y, x)
            y += GAP
        y += 2
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
            f"<!--\n{table.replace('--', '- -')}\n-->", f"<style>{STYLE}</style>",
            f'<rect class="bg" width="{WIDTH}" height="{height}"/>',
            '<text class="h" x="12" y="22">ckpt-resume: how many times faster than what people use for the same</text>',
            f'<text class="s" x="12" y="40">{escape(title)}. Paired runs, medians, logarithmic; green: the aim; '
            'right: our peak memory.</text>']
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(head + out + ["</svg>"]) + "\n")
