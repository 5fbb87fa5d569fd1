"""Draws the spans of one trace as a timeline, in SVG. Reads a list of spans in OTLP's JSON, each with the name of its service.

The spans are real. Their order and the colors are chosen here, and the number is left out that makes the topic of a test unique.
"""

import json
import re
import sys
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 960, 430, 70, 30, 64
KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
COLORS = ["#3b6fb6", "#4c956c"]


def main():
    spans = json.load(sys.stdin)
    starts = [int(span["startTimeUnixNano"]) for span in spans]
    begin = min(starts)
    length = max(int(span["endTimeUnixNano"]) for span in spans) - begin
    services = list(dict.fromkeys(span["service"] for span in spans))
    height = TOP + ROW * len(spans) + 20
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-weight="bold">Trace {spans[0]["traceId"]}</text>',
    ]
    for index, service in enumerate(services):
        x = 16 + 190 * index
        out.append(f'<rect x="{x}" y="36" width="12" height="12" fill="{COLORS[index]}"/>')
        out.append(f'<text x="{x + 18}" y="47">{escape(service)}</text>')
    for row, (depth, span) in enumerate(ordered(spans)):
        y = TOP + ROW * row
        start = (int(span["startTimeUnixNano"]) - begin) / length
        duration = int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])
        x = LEFT + start * (WIDTH - LEFT - RIGHT)
        width = max(duration / length * (WIDTH - LEFT - RIGHT), 2)
        name = re.sub(r"-\d+-\d+-\d+$", "", span["name"])
        label = f"{name} ({KINDS[span['kind']]})"
        color = COLORS[services.index(span["service"])]
        out.append(f'<text x="{16 + 20 * depth}" y="{y + 19}">{escape(label)}</text>')
        out.append(f'<rect x="{x:.1f}" y="{y + 6}" width="{width:.1f}" height="18" rx="2" fill="{color}"/>')
        out.append(f'<text x="{x + width + 6:.1f}" y="{y + 19}" fill="#555555">{duration / 1e6:.2f} ms</text>')
    out.append("</svg>")
    print("\n".join(out))


def ordered(spans):
    """Each span with its depth, parents first, and children by their start."""
    known = {span["spanId"] for span in spans}

    def below(parent, depth):
        children = [span for span in spans if span.get("parentSpanId", "") == parent]
        for span in sorted(children, key=lambda span: int(span["startTimeUnixNano"])):
            yield depth, span
            yield from below(span["spanId"], depth + 1)

    roots = [span for span in spans if span.get("parentSpanId", "") not in known]
    for root in roots:
        yield 0, root
        yield from below(root["spanId"], 1)


main()
