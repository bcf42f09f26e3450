"""Mistakes that students make in lesson 10."""

from minidepth.learn import Mutant

HALF = "(np.arange(n_out) + 0.5) * n_in / n_out - 0.5"
ALIGNED = "np.arange(n_out) * (n_in - 1) / max(n_out - 1, 1)"
CLIP = "u = np.clip(u, 0, n_in - 1)\n    left = np.floor(u).astype(int)"
ROWS_3, COLUMNS_3 = "size[0], align_corners", "size[1], align_corners"
ROWS_4, COLUMNS_4 = "g.shape[2], align_corners", "g.shape[3], align_corners"

MUTANTS = [
    Mutant("10.1", "naive", HALF, "np.arange(n_out) * n_in / n_out", "this is the naive grid: it takes the left edge of a pixel for its centre, so everything moves by half a pixel."),
    Mutant("10.1", "no way back", " / n_out - 0.5", " / n_out", "u is the place of the centre; the pixel whose centre lies there has a number that is 0.5 less."),
    Mutant("10.1", "edge to centre", "(np.arange(n_out) + 0.5)", "np.arange(n_out)", "the 0.5 is taken off, but was never put on: the centre of new pixel r is at r + 0.5."),
    Mutant("10.1", "wrong way round", "+ 0.5) * n_in / n_out", "+ 0.5) * n_out / n_in", "the ratio is upside down: n_out new pixels are as long as n_in old ones."),
    Mutant("10.1", "sign of the half", "(np.arange(n_out) + 0.5) * n_in / n_out - 0.5", "(np.arange(n_out) - 0.5) * n_in / n_out + 0.5", "the signs of the two halves are swapped: go to the centre with + 0.5, and back with - 0.5."),
    Mutant("10.1", "clipped", HALF, f"np.clip({HALF}, 0, n_in - 1)", "the places are clipped to 0 .. n_in - 1. They may lie outside here; exercise 10.2 puts them back."),
    Mutant("10.1", "rounded", HALF, f"np.round({HALF})", "the places are rounded, which gives the nearest pixel; between two pixels is what this is about."),
    Mutant("10.1", "choice inverted", "if align_corners", "if not align_corners", "the two grids are swapped: align_corners is the one that keeps first and last where they are."),
    Mutant("10.1", "posts and fences", "(n_in - 1) / max(n_out - 1, 1)", "n_in / max(n_out - 1, 1)", "from the first of n_in pixels to the last there are n_in - 1 steps, not n_in."),
    Mutant("10.1", "fences and posts", "(n_in - 1) / max(n_out - 1, 1)", "(n_in - 1) / n_out", "from the first of n_out pixels to the last there are n_out - 1 steps, not n_out."),
    Mutant("10.1", "clipped below", HALF, f"np.maximum({HALF}, 0)", "places below 0 are put back to 0. They may lie outside here; exercise 10.2 puts them back."),
    Mutant("10.1", "always corners", "if align_corners", "if True", "the corners are always aligned; that is for align_corners=True only."),
    Mutant("10.2", "shares swapped", "left] += 1 - f\n    matrix[rows, right] += f", "left] += f\n    matrix[rows, right] += 1 - f", "the shares are swapped: the closer u is to the left pixel, the more that one counts."),
    Mutant("10.2", "not put back", CLIP, "left = np.floor(u).astype(int).clip(0, n_in - 1)", "places outside are not put back to the edge, so the line through two pixels is followed beyond it; put u itself back."),
    Mutant("10.2", "wrapped round", CLIP, "left = np.floor(u).astype(int) % n_in", "left = -1 is the last pixel to Python, so the picture is closed to a ring; put u back to 0 first."),
    Mutant("10.2", "no pixel on the right", "np.minimum(left + 1, n_in - 1)", "left + 1", "at the last pixel there is none on the right. Its weight would be 0, but its place must exist."),
    Mutant("10.2", "overwritten", "right] += f", "right] = f", "at the edge left and right are the same pixel, and = puts the second share, 0, over the first; use +=."),
    Mutant("10.2", "nearest", "f, rows = u - left,", "f, rows = np.round(u - left),", "the shares are rounded to 0 and 1: that is the nearest pixel, not a bit of both."),
    Mutant("10.2", "rounded", "np.floor(u).astype(int)", "np.round(u).astype(int)", "left is rounded, so it may be the pixel on the right; it is np.floor."),
    Mutant("10.2", "transposed", "return matrix", "return matrix.T", "this is the matrix transposed: A has a row for each new pixel."),
    Mutant("10.2", "half and half", "f, rows = u - left,", "f, rows = 0.5 + 0 * u,", "both neighbours get 1/2 wherever u lies; the closer one counts more."),
    Mutant("10.2", "share of another place", CLIP, "left = np.floor(u).astype(int)\n    u = u - left\n    left = np.clip(left, 0, n_in - 1)\n    u = u + left", "left is put back to the edge, but the share is still that of the place outside; put u itself back, then take its share."),
    Mutant("10.3", "sizes swapped", "x.shape[2], size[0]", "x.shape[2], size[::-1][0]", "the rows are resized to the width; size is (rows, columns)."),
    Mutant("10.3", "one grid for rows", ROWS_3, "size[0], False", "align_corners does not reach the rows: there it is always False."),
    Mutant("10.3", "one grid for columns", COLUMNS_3, "size[1], False", "align_corners does not reach the columns: there it is always False."),
    Mutant("10.3", "rows only", "rows @ x @ columns.T", "rows @ x", "only one direction is resized; columns.T from the right does the other."),
    Mutant("10.3", "not transposed", "rows @ x @ columns.T", "rows @ x @ columns", "from the right the matrix has to be transposed: each new column is a sum of old columns."),
    Mutant("10.3", "turned", "return rows @ x @ columns.T", "return (rows @ x @ columns.T).swapaxes(2, 3)", "rows and columns of the result are swapped."),
    Mutant("10.3", "grids inverted", "rows = weights", "align_corners = not align_corners\n    rows = weights", "align_corners is taken the wrong way round."),
    Mutant("10.3", "one grid for all", "rows = weights", "align_corners = False\n    rows = weights", "align_corners is not looked at: pass it on to source_coordinates, twice."),
    Mutant("10.4", "resized back", "return rows.T @ g @ columns", "return resize_bilinear(g, in_size, align_corners)", "this resizes g back. That is no gradient: each x gets the sum of what its shares earned, not a mean."),
    Mutant("10.4", "mean of shares", "return rows.T @ g @ columns", "return (rows / np.maximum(rows.sum(axis=0), 1e-300)).T @ g @ (columns / np.maximum(columns.sum(axis=0), 1e-300))", "the shares are divided by their sum, which makes a mean; a gradient is the bare sum."),
    Mutant("10.4", "scaled by area", "return rows.T @ g @ columns", "return rows.T @ g @ columns * (in_size[0] * in_size[1] / (g.shape[2] * g.shape[3]))", "it is divided by how many times larger the picture has become; a gradient is the bare sum."),
    Mutant("10.4", "inverse", "return rows.T @ g @ columns", "return np.linalg.pinv(rows) @ g @ np.linalg.pinv(columns).T", "this is the (pseudo-)inverse, which undoes the resizing; a gradient takes the transposed matrix."),
    Mutant("10.4", "one grid for rows", ROWS_4, "g.shape[2], False", "align_corners does not reach the rows: there it is always False."),
    Mutant("10.4", "one grid for columns", COLUMNS_4, "g.shape[3], False", "align_corners does not reach the columns: there it is always False."),
    Mutant("10.4", "one grid for all", "rows = weights", "align_corners = False\n    rows = weights", "align_corners is not looked at: pass it on to source_coordinates, twice."),
    Mutant("10.4", "rows only", "rows.T @ g @ columns", "rows.T @ g", "only one direction is taken back; columns from the right does the other."),
    Mutant("10.4", "as forward", "return rows.T @ g @ columns", "return rows @ g @ columns.T", "these are the matrices as forward has them; backward takes each of them transposed."),
]  # fmt: skip
