"""A comparison's figures as a plot (SVG): for each work a group of bars, one a program, on a logarithmic scale."""

import math

COLORS = {"ringpost": "#d9480f", "postfix": "#1c7ed6", "exim": "#2b8a3e", "opensmtpd": "#862e9c", "haraka": "#868e96"}
LEFT, BAR, GAP, WIDTH, TOP = 330, 11, 12, 430, 58  # pixels


def bars(values, width):
    """Lengths of bars for values on a logarithmic scale that begins a decade below the least."""
    least = math.floor(math.log10(min(values.values())))
    most = max(math.log10(max(values.values())), least + 1)
    return {name: max(2.0, (math.log10(value) - least) / (most - least) * width) for name, value in values.items()}


def panel(report, key, title, offset):
    """One measure over all works."""
    lines = ['<text x="%d" y="%d" font-weight="bold">%s</text>' % (offset, TOP - 12, title)]
    everything = {(work, name): figures[key] for work, results in report["works"].items()
                  for name, figures in results.items() if figures.get(key)}
    if not everything:
        return lines
    lengths, y = bars(everything, WIDTH), TOP
    for work, results in report["works"].items():
        for name in results:
            if (work, name) in lengths:
                lines.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>' % (
                    offset, y, lengths[work, name], BAR - 2, COLORS.get(name, "#000")))
                lines.append('<text x="%.1f" y="%d" font-size="9">%.*f</text>' % (
                    offset + lengths[work, name] + 4, y + BAR - 3, 0 if everything[work, name] >= 100 else 1,
                    everything[work, name]))
            y += BAR
        y += GAP
    return lines


def svg(report):
    height = TOP + sum(len(results) * BAR + GAP for results in report["works"].values()) + 10
    names = list(next(iter(report["works"].values())))
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">'
             % (LEFT + 2 * WIDTH + 200, height), '<rect width="100%" height="100%" fill="#fff"/>']
    for i, name in enumerate(names):
        lines.append('<rect x="%d" y="12" width="10" height="10" fill="%s"/><text x="%d" y="21">%s</text>' % (
            10 + i * 110, COLORS.get(name, "#000"), 25 + i * 110, name))
    y = TOP
    for work, results in report["works"].items():
        lines.append('<text x="10" y="%d" font-size="11">%s</text>' % (y + len(results) * BAR / 2 + 4, work))
        y += len(results) * BAR + GAP
    lines += panel(report, "cpu_us", "CPU per message, µs (logarithmic, less is better)", LEFT)
    lines += panel(report, "rate", "messages per second (logarithmic, more is better)", LEFT + WIDTH + 90)
    return "\n".join(lines + ["</svg>"]) + "\n"
