"""The comparison as a picture: requests a second as ratio to the C limit, by number of clients, in SVG."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 960, 600
LEFT, RIGHT, TOP, BOTTOM = 80, 230, 70, 60
# The limit in black, postern in blues, nginx in greens, the others in warm colours.
COLOURS = {
    "loops": "#222222", "token": "#08306b", "jwt": "#2171b5", "jwt-unseen": "#6baed6", "session": "#7b6fd0",
    "basic": "#41b6c4", "throttled": "#54278f", "refusal": "#9e9ac8", "gate": "#d95f9f", "nginx": "#1b7837",
    "auth-basic": "#7fbf7b", "php": "#e6ab02", "drf": "#d94801", "simplejwt": "#a50f15"}


def write(path, subjects, rows, note):
    lines = {}
    for name, subject in subjects.items():
        if subject.is_plotted:
            lines[name] = [
                (clients, by_name[name].ratio(by_name[subject.reference], "rate")) for clients, by_name in rows.items()]
    path.write_text(picture(lines, {name: subject.title for name, subject in subjects.items()}, note))


def picture(lines, titles, note):
    counts = [clients for clients, _ in next(iter(lines.values()))]
    values = [ratio for line in lines.values() for _, ratio in line]
    bottom = 10 ** math.floor(math.log10(min(values)))
    top = next(tick for power in range(6) for tick in (10 ** power, 2 * 10 ** power, 5 * 10 ** power)
               if tick >= max(values) * 1.05)

    def x(clients):
        span = math.log(counts[-1] / counts[0]) or 1
        return LEFT + math.log(clients / counts[0]) / span * (WIDTH - LEFT - RIGHT)

    def y(ratio):
        return HEIGHT - BOTTOM - math.log(ratio / bottom) / math.log(top / bottom) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="DejaVu Sans, Verdana, sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(LEFT, 28, "Requests a second, as ratio to the smallest C responder", size=17),
        text(LEFT, 48, note, size=12, colour="#666"),
    ]
    for tick in ticks(bottom, top):
        is_one = tick == 1
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" '
                     f'stroke="{"#999" if is_one else "#e4e4e4"}" stroke-width="{1.2 if is_one else 1}"/>')
        parts.append(text(LEFT - 8, y(tick) + 4.5, f"{tick:g}", anchor="end", colour="#444"))
    for clients in counts:
        parts.append(f'<line x1="{x(clients):.1f}" x2="{x(clients):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#e4e4e4"/>')
        parts.append(text(x(clients), HEIGHT - BOTTOM + 20, str(clients), anchor="middle", colour="#444"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "clients", anchor="middle", colour="#444"))

    for name, line in lines.items():
        points = " ".join(f"{x(clients):.1f},{y(ratio):.1f}" for clients, ratio in line)
        colour = COLOURS[name]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(clients):.1f}" cy="{y(ratio):.1f}" r="3" fill="{colour}"/>' for clients, ratio in line]

    # The legend has the order in which the lines end, each name as near to its line as the others let it.
    ends = sorted(lines, key=lambda name: -lines[name][-1][1])
    for name, place in zip(ends, spread([y(lines[name][-1][1]) for name in ends], TOP, HEIGHT - BOTTOM, 19)):
        end = lines[name][-1]
        edge = WIDTH - RIGHT
        parts.append(f'<line x1="{edge + 5}" y1="{y(end[1]):.1f}" x2="{edge + 24}" y2="{place:.1f}" stroke="{COLOURS[name]}"/>')
        parts.append(f'<circle cx="{edge + 30}" cy="{place:.1f}" r="4" fill="{COLOURS[name]}"/>')
        parts.append(text(edge + 40, place + 4.5, f"{titles[name]}  {end[1]:.2g}"))
    return "\n".join(parts + ["</svg>", ""])


def ticks(bottom, top):
    value, steps = bottom, [2, 2.5, 2]
    for step in range(100):
        if value > top * 1.001:
            return
        yield round(value, 9)
        value *= steps[step % 3]


def spread(places, top, bottom, distance):
    """The places, moved so that no two are nearer than `distance`."""
    places = list(places)
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + distance)
    limit = bottom
    for index in reversed(range(len(places))):
        places[index] = min(places[index], limit)
        limit = places[index] - distance
    return places


def text(x, y, words, size=13, anchor="start", colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'
