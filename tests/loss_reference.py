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


def valid_numbers(prediction, target, valid):
    return [(float(p), float(t)) for p, t, v in zip(prediction.ravel(), target.ravel(), valid.ravel()) if v]


def root_mean_square_loss(prediction, target, valid):
    return math.sqrt(pixel_loss(prediction, target, valid, lambda e: e * e) + 1e-6)


def berhu_loss(prediction, target, valid):
    c = 0.2 * max(abs(p - t) for p, t in valid_numbers(prediction, target, valid))
    return pixel_loss(prediction, target, valid, lambda e: abs(e) if abs(e) <= c else (e * e + c * c) / (2 * c))


def log_ratio_moments(prediction, target, valid):
    """Mean of d^2 and mean of d for d = ln p - ln t, where t > 0 and p is at least 1e-3."""
    pairs = [(max(p, 1e-3), t) for p, t in valid_numbers(prediction, target, valid) if t > 0]
    ratios = [math.log(p) - math.log(t) for p, t in pairs]
    return sum(d * d for d in ratios) / len(ratios), sum(ratios) / len(ratios)


def steps(values, valid):
    """(dx, dy): two lists with (place, f[place moved by one] - f[place]) of one picture, both places valid."""
    height, width = values.shape
    found = ([], [])
    for row in range(height):
        for column in range(width):
            for axis, (r, c) in enumerate([(row, column + 1), (row + 1, column)]):
                if r < height and c < width and valid[row, column] and valid[r, c]:
                    found[axis].append(((row, column), float(values[r, c]) - float(values[row, column])))
    return found


def edge_loss(prediction, target, valid):
    total = 0.0
    for p, t, v in zip(prediction[:, 0], target[:, 0], valid[:, 0]):
        for of_p, of_t in zip(steps(p, v), steps(t, v)):
            total += sum(abs(a - b) for (_, a), (_, b) in zip(of_p, of_t))
    return total / valid.sum()


def smoothness_loss(prediction, valid, image):
    total = 0.0
    for p, v, channels in zip(prediction[:, 0], valid[:, 0], image):
        for axis in (0, 1):
            of_image = [steps(channel, v)[axis] for channel in channels]
            for k, (_, step) in enumerate(steps(p, v)[axis]):
                mean = sum(abs(one[k][1]) for one in of_image) / len(of_image)
                total += abs(step) * math.exp(-mean)
    return total / valid.sum()


def smoothness_keras_loss(prediction, target, valid):
    total = 0.0
    for axis in (0, 1):
        of_p, of_t = [], []
        for p, t, v in zip(prediction[:, 0], target[:, 0], valid[:, 0]):
            of_p += [abs(step) for _, step in steps(p, v)[axis]]
            of_t += [abs(step) for _, step in steps(t, v)[axis]]
        total += sum(of_p) / valid.sum() * math.exp(sum(of_t) / valid.sum())
    return total


def ssim_values(p, t, valid, size, c1, c2):
    """S of one picture at each window that sees valid pixels only: the textbook's formula, sigma 1.5."""
    middle = (size - 1) / 2
    taps = [math.exp(-((i - middle) ** 2) / (2 * 1.5**2)) for i in range(size)]
    weights = [[a * b / sum(taps) ** 2 for b in taps] for a in taps]
    found = []
    for row in range(p.shape[0] - size + 1):
        for column in range(p.shape[1] - size + 1):
            places = [(i, j) for i in range(size) for j in range(size)]
            if not all(valid[row + i, column + j] for i, j in places):
                continue
            triples = [(weights[i][j], float(p[row + i, column + j]), float(t[row + i, column + j])) for i, j in places]
            mean_p, mean_t = sum(w * a for w, a, _ in triples), sum(w * b for w, _, b in triples)
            var_p = sum(w * (a - mean_p) ** 2 for w, a, _ in triples)
            var_t = sum(w * (b - mean_t) ** 2 for w, _, b in triples)
            cov = sum(w * (a - mean_p) * (b - mean_t) for w, a, b in triples)
            light = (2 * mean_p * mean_t + c1) / (mean_p**2 + mean_t**2 + c1)
            found.append(light * (2 * cov + c2) / (var_p + var_t + c2))
    return found


def ssim_loss(prediction, target, valid, size, c1, c2, weight):
    found = []
    for p, t, v in zip(prediction[:, 0], target[:, 0], valid[:, 0]):
        found += ssim_values(p, t, v, size, c1, c2)
    return weight * sum(1 - s for s in found) / max(len(found), 1)


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def binary_cross_entropy(probability, target):
    return -target * math.log(probability) - (1 - target) * math.log(1 - probability)


def dice_loss(pairs, smooth):
    """From (probability, target) of each pixel."""
    overlap = sum(p * t for p, t in pairs)
    return 1 - (2 * overlap + smooth) / (sum(p for p, _ in pairs) + sum(t for _, t in pairs) + smooth)


def cross_entropy_loss(logits, labels, valid, weights):
    total, count = 0.0, 0
    for n, _, row, column in zip(*valid.nonzero()):
        z = [float(value) for value in logits[n, :, row, column]]
        share = math.exp(z[labels[n, 0, row, column]]) / sum(math.exp(value) for value in z)
        total -= float(weights[n, 0, row, column]) * math.log(share)
        count += 1
    return total / max(count, 1)


def objects_of(inside):
    """{number: set of places} of the parts of a picture that hang together by their sides, by filling them."""
    left = {(int(r), int(c)) for r, c in zip(*inside.nonzero())}
    parts = []
    while left:
        part, edge = set(), [min(left)]
        while edge:
            row, column = edge.pop()
            if (row, column) in left:
                left.remove((row, column))
                part.add((row, column))
                edge += [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
        parts.append(part)
    return parts


def border_weight(parts, row, column, border=10.0, sigma=5.0):
    """The second term of the U-Net's weights at one pixel, from the places of each object."""
    if any((row, column) in part for part in parts) or len(parts) < 2:
        return 0.0
    distances = sorted(min(math.dist((row, column), place) for place in part) for part in parts)
    return border * math.exp(-((distances[0] + distances[1]) ** 2) / (2 * sigma**2))
