"""The furniture of `rooms`: each function makes one piece from boxes and spheres, in sizes that real furniture has.

A piece stands on z = 0 with its back on y = 0 and its middle at x = 0; its front looks along +y. Lengths in metres.
"""

from __future__ import annotations

from minidepth.data.rooms.parts import Part, Piece
from minidepth.data.rooms.style import Rng, Style, ball, box, legs, piece, random_cloth, seed_of, tint
from minidepth.data.rooms.texture import Material, linear
from minidepth.data.rooms.things import table_lamp, things


def bed(rng: Rng, style: Style) -> Piece:
    """Head at the wall, a cover over most of the mattress, one or two pillows."""
    width, length, high = float(rng.choice([0.95, 1.4, 1.65])), 2.03, float(rng.uniform(0.42, 0.6))
    a, head = 0.5 * width, high + float(rng.uniform(0.3, 0.6))
    sheet = style.white._replace(texture="cloth", gloss=0.0)
    cover_from = float(rng.uniform(0.55, 0.8))
    cover = random_cloth(rng)._replace(scale=float(rng.uniform(0.1, 0.3)))
    parts = [
        box((-a, a), (0, 0.06), (0, head), style.wood),
        box((-a, a), (0.06, length), (0.08, high - 0.2), style.wood),
        box((-a + 0.02, a - 0.02), (0.07, length - 0.02), (high - 0.2, high - 0.02), sheet),
        box((-a - 0.02, a + 0.02), (cover_from, length + 0.02), (high - 0.28, high + 0.03), cover),
    ]
    count = 1 if width < 1.2 else 2
    pillow = sheet if rng.random() < 0.5 else random_cloth(rng)
    for k in range(count):
        x = (k - 0.5 * (count - 1)) * 0.5 * width + float(rng.normal(0, 0.02))
        half = (0.24, 0.16, 0.07)
        parts.append(Part((x, 0.28, high + 0.05), half, pillow, yaw=float(rng.normal(0, 0.15))))
    return piece(parts, width + 0.04, length + 0.02, head)


def sofa(rng: Rng, style: Style, seats: int = 0) -> Piece:
    """A sofa of two or three seats, or an armchair of one."""
    seats = seats or int(rng.integers(2, 4))
    width, depth, cloth = 0.68 * seats + 0.36, float(rng.uniform(0.8, 0.95)), style.cloth
    a, arm, seat, back = 0.5 * width, 0.18, float(rng.uniform(0.40, 0.46)), float(rng.uniform(0.75, 0.9))
    parts = [
        box((-a, a), (0, depth), (0.06, seat - 0.13), cloth),
        box((-a, a), (0, 0.24), (seat - 0.13, back), cloth),
        box((-a, -a + arm), (0.2, depth), (seat - 0.13, seat + 0.18), cloth),
        box((a - arm, a), (0.2, depth), (seat - 0.13, seat + 0.18), cloth),
    ]
    for k in range(seats):
        x = -a + arm + 0.68 * k
        parts.append(box((x + 0.01, x + 0.67), (0.22, depth + 0.02), (seat - 0.13, seat + 0.02), cloth))
    for _ in range(int(rng.integers(0, 3))):  # cushions
        x = float(rng.uniform(-a + 0.4, a - 0.4))
        parts.append(Part((x, 0.31, seat + 0.2), (0.2, 0.07, 0.19), style.second_cloth, yaw=float(rng.normal(0, 0.3))))
    return piece(parts, width, depth, back)


def armchair(rng: Rng, style: Style) -> Piece:
    """A sofa of one seat."""
    return sofa(rng, style._replace(cloth=random_cloth(rng)), seats=1)


def cupboard(rng: Rng, style: Style) -> Piece:
    """A wardrobe or tall cupboard."""
    width, depth = float(rng.uniform(0.8, 1.9)), float(rng.uniform(0.4, 0.62))
    height, a = float(rng.uniform(1.7, 2.15)), 0.5 * width
    fronts = style.fronts._replace(seed=seed_of(rng))
    body = box((-a, a), (0, depth), (0.06, height), style.wood, front=fronts)
    return piece([body, box((-a + 0.03, a - 0.03), (0, depth - 0.04), (0, 0.06), style.wood)], width, depth, height)


def chest(rng: Rng, style: Style) -> Piece:
    """A chest of drawers or sideboard with something on it."""
    width, depth = float(rng.uniform(0.6, 1.6)), float(rng.uniform(0.38, 0.5))
    height, a = float(rng.uniform(0.65, 0.95)), 0.5 * width
    fronts = style.fronts._replace(seed=seed_of(rng), scale=0.3)
    parts = [
        box((-a + 0.01, a - 0.01), (0, depth - 0.015), (0.05, height - 0.03), style.wood, front=fronts),
        box((-a, a), (0, depth), (height - 0.03, height), style.wood),
    ]
    parts += things(rng, style, width, depth, height, int(rng.integers(1, 3)))
    return piece(parts, width, depth, height)


def bedside(rng: Rng, style: Style) -> Piece:
    """A small table with a drawer and a lamp."""
    height = float(rng.uniform(0.45, 0.6))
    parts = [box((-0.22, 0.22), (0, 0.4), (0.08, height), style.wood, front=style.fronts._replace(scale=0.22, seed=3))]
    parts += table_lamp(rng, style, (float(rng.uniform(-0.08, 0.08)), 0.2, height))
    return piece(parts, 0.44, 0.4, height)


def bookshelf(rng: Rng, style: Style) -> Piece:
    """Boards with rows of books, some places empty."""
    width, height, depth = float(rng.uniform(0.7, 1.3)), float(rng.uniform(1.5, 2.1)), 0.3
    a, count = 0.5 * width, int(rng.integers(4, 6))
    step = (height - 0.08) / count
    parts = [
        box((-a, -a + 0.025), (0, depth), (0, height), style.wood),
        box((a - 0.025, a), (0, depth), (0, height), style.wood),
        box((-a, a), (0, 0.015), (0, height), style.wood),
    ]
    parts += [box((-a, a), (0.01, depth), (0.055 + k * step, 0.08 + k * step), style.wood) for k in range(count + 1)]
    for k in range(count):
        if rng.random() < 0.85:
            left = -a + 0.03 + (float(rng.uniform(0, 0.3)) if rng.random() < 0.3 else 0)
            right = a - 0.03 - (float(rng.uniform(0, 0.3)) if rng.random() < 0.4 else 0)
            low, high = 0.08 + k * step, 0.08 + k * step + min(0.75 * step, 0.28)
            cover = Material("paint", (0.35, 0.33, 0.28))
            books = Material("books", (0.0, 0.0, 0.0), seed=seed_of(rng))
            parts.append(box((left, right), (0.05, float(rng.uniform(0.2, 0.25))), (low, high), cover, front=books))
    return piece(parts, width, depth, height)


def table(rng: Rng, style: Style) -> Piece:
    """A table on four legs, with a few things on it."""
    width, depth = float(rng.uniform(1.1, 1.8)), float(rng.uniform(0.7, 0.95))
    height, a = float(rng.uniform(0.71, 0.77)), 0.5 * width
    parts = [box((-a, a), (0, depth), (height - 0.035, height), style.wood)]
    parts += [box((-a + 0.06, a - 0.06), (0.06, depth - 0.06), (height - 0.1, height - 0.035), style.wood)]
    parts += legs(width, depth, height - 0.035, 0.06, style.wood)
    parts += things(rng, style, width, depth, height, int(rng.integers(1, 4)))
    return piece(parts, width, depth, height)


def coffee_table(rng: Rng, style: Style) -> Piece:
    """A low table with a lower board."""
    width, depth, height = float(rng.uniform(0.8, 1.2)), float(rng.uniform(0.5, 0.7)), float(rng.uniform(0.38, 0.46))
    a = 0.5 * width
    parts = [
        box((-a, a), (0, depth), (height - 0.04, height), style.wood),
        box((-a + 0.05, a - 0.05), (0.05, depth - 0.05), (0.13, 0.155), style.wood),
    ]
    parts += legs(width, depth, height - 0.04, 0.05, style.wood)
    parts += things(rng, style, width, depth, height, int(rng.integers(0, 3)))
    return piece(parts, width, depth, height)


def chair(rng: Rng, style: Style) -> Piece:
    """Four legs, seat, back."""
    width, height = 0.43, float(rng.uniform(0.82, 0.98))
    seat = style.second_cloth if rng.random() < 0.5 else style.wood
    parts = [
        *legs(width, 0.44, 0.44, 0.035, style.wood),
        box((-0.215, 0.215), (0, 0.44), (0.43, 0.47), seat),
        box((-0.2, -0.165), (0, 0.035), (0.47, height), style.wood),
        box((0.165, 0.2), (0, 0.035), (0.47, height), style.wood),
        box((-0.2, 0.2), (0.005, 0.03), (height - 0.24, height), seat),
    ]
    return piece(parts, width, 0.44, height)


def desk(rng: Rng, style: Style) -> Piece:
    """A desk with drawers on one side, a monitor and papers."""
    width, depth, height = float(rng.uniform(1.2, 1.6)), float(rng.uniform(0.6, 0.75)), 0.74
    a, glow = 0.5 * width, float(rng.choice([0.0, 0.35]))
    screen = Material("screen", tint(rng, (0.2, 0.3, 0.5), 0.1), tint(rng, (0.75, 0.8, 0.85), 0.1), 1.0, 5, 0.5, glow)
    dark = Material("paint", (0.02, 0.02, 0.022), gloss=0.3)
    x, drawers = float(rng.uniform(-0.3, 0.3)), style.fronts._replace(seed=9, scale=0.22)
    parts = [
        box((-a, a), (0, depth), (height - 0.03, height), style.wood),
        box((-a, -a + 0.03), (0.02, depth - 0.03), (0, height - 0.03), style.wood),
        box((a - 0.42, a), (0.02, depth - 0.03), (0.03, height - 0.03), style.wood, front=drawers),
        box((x - 0.27, x + 0.27), (0.18, 0.21), (height + 0.1, height + 0.44), dark, front=screen),
        box((x - 0.03, x + 0.03), (0.17, 0.2), (height, height + 0.2), dark),
        box((x - 0.12, x + 0.12), (0.1, 0.28), (height, height + 0.015), dark),
        box((x - 0.22, x + 0.22), (0.38, 0.52), (height, height + 0.02), dark if rng.random() < 0.5 else style.white),
    ]
    return piece(parts, width, depth, height)


def tv_stand(rng: Rng, style: Style) -> Piece:
    """A low cupboard with a television."""
    width, depth, height = float(rng.uniform(1.2, 1.8)), 0.42, float(rng.uniform(0.4, 0.55))
    a, wide, glow = 0.5 * width, float(rng.uniform(0.4, 0.58)), float(rng.choice([0.0, 0.0, 0.4]))
    colours = ((0.01, 0.01, 0.012), (0.05, 0.055, 0.065))
    if glow:
        colours = (tint(rng, (0.1, 0.2, 0.4), 0.1), tint(rng, (0.6, 0.55, 0.4), 0.1))
    screen = Material("screen", *colours, seed=seed_of(rng), gloss=0.6, glow=glow)
    dark = Material("paint", (0.012, 0.012, 0.014), gloss=0.4)
    low = height + 0.08
    parts = [
        box((-a, a), (0, depth), (0.05, height), style.wood, front=style.fronts._replace(seed=4)),
        box((-wide, wide), (0.16, 0.2), (low, low + 1.13 * wide), dark, front=screen),
        box((-0.06, 0.06), (0.15, 0.18), (height, low), dark),
        box((-0.22, 0.22), (0.08, 0.28), (height, height + 0.02), dark),
    ]
    return piece(parts, width, depth, height)


def floor_lamp(rng: Rng, style: Style) -> Piece:
    """Foot, pole, glowing shade."""
    height = float(rng.uniform(1.4, 1.7))
    shade = Material("paint", tint(rng, (0.95, 0.88, 0.72), 0.02), glow=float(rng.uniform(0.5, 1.1)))
    parts = [
        box((-0.14, 0.14), (0.06, 0.34), (0, 0.025), style.metal),
        box((-0.0125, 0.0125), (0.1875, 0.2125), (0.025, height), style.metal, casts_shadow=False),
        ball((0, 0.2, height), 0.17, shade, casts_shadow=False),
    ]
    return piece(parts, 0.36, 0.38, height)


def plant(rng: Rng, style: Style) -> Piece:
    """A pot and a few round masses of leaves."""
    leaves = Material("leaves", tint(rng, (0.28, 0.42, 0.2)), tint(rng, (0.12, 0.22, 0.1), 0.03), seed=seed_of(rng))
    pot = Material("paint", tint(rng, (0.68, 0.4, 0.28), 0.1), gloss=0.1)
    parts = [box((-0.14, 0.14), (0.06, 0.34), (0, 0.3), pot)]
    for _ in range(int(rng.integers(3, 6))):
        x, y, z = rng.normal((0, 0.22, 0.62), (0.08, 0.05, 0.15))
        parts.append(ball((float(x), float(y), float(z)), float(rng.uniform(0.11, 0.2)), leaves))
    return piece(parts, 0.5, 0.45, 0.85)


def kitchen_row(rng: Rng, style: Style) -> Piece:
    """Lower cupboards with a worktop, upper cupboards, a row of tiles between them."""
    width = float(rng.uniform(1.8, 2.8))
    a = 0.5 * width
    top = Material("paint", tint(rng, (0.45, 0.43, 0.4), 0.15), gloss=0.3)
    tiles = Material("tiles", tint(rng, (0.85, 0.86, 0.84), 0.06), (0.5, 0.5, 0.48), 0.12, seed_of(rng), 0.3)
    upper = style.fronts._replace(seed=1)
    parts = [
        box((-a, a), (0, 0.58), (0.1, 0.87), style.wood, front=style.fronts._replace(seed=2)),
        box((-a, a), (0, 0.52), (0, 0.1), Material("paint", (0.03, 0.03, 0.03))),
        box((-a, a), (0, 0.62), (0.87, 0.91), top),
        box((-a, a), (0, 0.012), (0.91, 1.45), tiles),
        box((-a, a - float(rng.choice([0.0, 0.7]))), (0, 0.34), (1.45, 2.1), style.wood, front=upper),
    ]
    parts += things(rng, style, width, 0.62, 0.91, 2)
    return piece(parts, width, 0.62, 2.1)


def fridge(rng: Rng, style: Style) -> Piece:
    """A white or steel fridge with two doors."""
    grey = float(rng.choice([0.9, 0.62]))
    height = float(rng.uniform(1.5, 1.85))
    steel = Material("paint", linear((grey, grey, grey)), gloss=0.25)
    doors = Material("fronts", steel.colour, steel.colour, scale=0.9, seed=12, gloss=0.25)
    return piece([box((-0.3, 0.3), (0, 0.62), (0.02, height), steel, front=doors)], 0.6, 0.62, height)


def crate(rng: Rng, style: Style) -> Piece:
    """A cardboard box, a stool or a ball on the floor."""
    size = float(rng.uniform(0.25, 0.45))
    if rng.random() < 0.4:
        radius = 0.5 * size * 0.8
        toy = random_cloth(rng)._replace(texture="stripes", scale=0.1, gloss=0.2)
        return piece([ball((0, radius, radius), radius, toy)], 2 * radius, 2 * radius, 2 * radius)
    card = Material("cloth", tint(rng, (0.67, 0.53, 0.37))) if rng.random() < 0.5 else random_cloth(rng)
    high = float(rng.uniform(0.25, 0.45))
    return piece([box((-0.5 * size, 0.5 * size), (0, size), (0, high), card)], size, size, high)
