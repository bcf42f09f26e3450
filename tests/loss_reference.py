"""The losses of one batch in plain loops over pixels, to compare with. Imports nothing from the package."""

from __future__ import annotations

import math

KX = ((1, 0, -1), (2, 0, -2), (1, 0, -1))
KY = ((1, 2, 1), (0, 0, 0), (-1, -2, -1))


def slopes(depth, valid, border):
    """{(row, column): (gx, gy)} of one picture, at the pixels whose nine neighbours are valid.

    border "zeros": neighbours outside the picture are valid zeros; "valid": they are not valid.
    """
    height, width = depth.shape
    found = {}
    for row in range(height):
        for column in range(width):
            gx = gy = 0.0
            complete = True
            for i in range(3):
                for j in range(3):
                    r, c = row + i - 1, column + j - 1
                    if 0 <= r < height and 0 <= c < width:
                        if not valid[r, c]:
                            complete = False
                            continue
                        gx += KX[i][j] * float(depth[r, c])
                        gy += KY[i][j] * float(depth[r, c])
                    elif border == "valid":
                        complete = False
            if complete:
                found[row, column] = (gx, gy)
    return found


def pixel_loss(prediction, target, valid, cost):
    """Mean of cost(error) over all valid pixels of the batch."""
    errors = [float(p) - float(t) for p, t, v in zip(prediction.ravel(), target.ravel(), valid.ravel()) if v]
    return sum(cost(e) for e in errors) / max(len(errors), 1)


def gradient_loss(prediction, target, valid, border, cost, components_counted=1):
    """Mean over pixels of cost(dx p - dx t) + cost(dy p - dy t)."""
    total, count = 0.0, 0
    for p, t, v in zip(prediction[:, 0], target[:, 0], valid[:, 0]):
        of_p, of_t = slopes(p, v, border), slopes(t, v, border)
        for place, (px, py) in of_p.items():
            tx, ty = of_t[place]
            total += cost(px - tx) + cost(py - ty)
            count += components_counted
    return total / max(count, 1)


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def normal_loss(prediction, target, valid, border, third):
    """Mean over pixels of 1 - cosine between (-gx, -gy, third), without those where the target's vector is zero."""
    total, count = 0.0, 0
    for p, t, v in zip(prediction[:, 0], target[:, 0], valid[:, 0]):
        of_p, of_t = slopes(p, v, border), slopes(t, v, border)
        for place, (px, py) in of_p.items():
            tx, ty = of_t[place]
            if third == 0 and tx == ty == 0:
                continue
            total += 1 - cosine((-px, -py, third), (-tx, -ty, third))
            count += 1
    return total / max(count, 1)


def normal_loss_of_images(prediction, target, valid, border):
    """Mean over pictures and the two components of 1 - cosine between whole gradient images."""
    costs = []
    for p, t, v in zip(prediction[:, 0], target[:, 0], valid[:, 0]):
        of_p, of_t = slopes(p, v, border), slopes(t, v, border)
        for component in (0, 1):
            a = [of_p[place][component] for place in of_p]
            b = [of_t[place][component] for place in of_p]
            if any(b):
                costs.append(1 - cosine(a, b))
    return sum(costs) / max(len(costs), 1)
