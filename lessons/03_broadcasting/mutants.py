"""Mistakes that students make in lesson 3."""

from minidepth.learn import Mutant

DA, DB = "unbroadcast(da, a.shape)", "unbroadcast(db, b.shape)"
ADD = "np.add.at(dx, index, g)"

MUTANTS = [
    Mutant("3.1", "new axes forgotten", "while g.ndim > len(shape)", "while False", "the axes that were put in front are still there; sum over them until g has as many as shape."),
    Mutant("3.1", "ones forgotten", "if length == 1", "if False", "axes of length 1 that were repeated are still long; sum over those as well."),
    Mutant("3.1", "axis lost", "axis=axis, keepdims=True", "axis=axis", "summing over an axis of length 1 removes it; keepdims=True keeps it there, with length 1."),
    Mutant("3.1", "mean of new axes", "g.sum(axis=0)", "g.mean(axis=0)", "the copies in front are averaged; each has a share of its own, and they add up."),
    Mutant("3.1", "mean of ones", "g.sum(axis=axis, keepdims=True)", "g.mean(axis=axis, keepdims=True)", "repeated axes are averaged; each copy has a share of its own, and they add up."),
    Mutant("3.1", "first copy in front", "g.sum(axis=0)", "g[0]", "only the first copy counts here; the copies along the new axes have shares, too."),
    Mutant("3.1", "first copy of ones", "g.sum(axis=axis, keepdims=True)", "g.take([0], axis=axis)", "only the first copy along the repeated axis counts; all of them have shares."),
    Mutant("3.1", "last axes", "g.sum(axis=0)", "g.sum(axis=-1)", "the axes that were added are the first ones, since shapes are laid side by side from the end."),
    Mutant("3.1", "g itself", "g.copy()", "g", "where nothing was stretched you return g itself; return a copy, so that nobody changes two arrays at once."),
    Mutant("3.1", "other axes", "length == 1", "length != 1", "it sums over the axes that were not stretched, and leaves those that were."),
    Mutant("3.1", "sum of everything", "return g.copy()", "return np.full(shape, g.sum())", "every number gets the sum of all of g; it should get that of its own copies only."),
    Mutant("3.1", "largest copy", "g.sum(axis=axis, keepdims=True)", "g.max(axis=axis, keepdims=True)", "the largest of the copies is taken; it is their sum that counts."),
    Mutant("3.2", "b not turned", "g @ b.swapaxes(-1, -2)", "g @ b", "in da, b is not turned on its side; with square matrices nobody complains."),
    Mutant("3.2", "a not turned", "a.swapaxes(-1, -2) @ g", "a @ g", "in db, a is not turned on its side; with square matrices nobody complains."),
    Mutant("3.2", "wrong side of g in da", "g @ b.swapaxes(-1, -2)", "b.swapaxes(-1, -2) @ g", "in da, b' stands on the wrong side of g: it is g b'."),
    Mutant("3.2", "wrong side of g in db", "a.swapaxes(-1, -2) @ g", "g @ a.swapaxes(-1, -2)", "in db, a' stands on the wrong side of g: it is a' g."),
    Mutant("3.2", "all axes of b turned", "b.swapaxes(-1, -2)", "b.T", ".T turns all axes of b round, those of the stack as well; swapaxes(-1, -2) turns the last two."),
    Mutant("3.2", "all axes of a turned", "a.swapaxes(-1, -2)", "a.T", ".T turns all axes of a round, those of the stack as well; swapaxes(-1, -2) turns the last two."),
    Mutant("3.2", "stretch of a", DA, "da", "da has the axes of the stack, but a was the same matrix all along: undo the stretch."),
    Mutant("3.2", "stretch of b", DB, "db", "db has the axes of the stack, but b was the same matrix all along: undo the stretch."),
    Mutant("3.2", "order", f"{DA}, {DB}", f"{DB}, {DA}", "the two results are in the wrong order: first da, then db."),
    Mutant("3.2", "result turned", "a.swapaxes(-1, -2) @ g", "(a.swapaxes(-1, -2) @ g).swapaxes(-1, -2)", "db lies on its side: g' a is (m, k), and a' g is (k, m)."),
    Mutant("3.2", "g forgotten", "g @ b.swapaxes(-1, -2)", "np.ones(g.shape) @ b.swapaxes(-1, -2)", "da is right for g = 1 only; multiply g with b'."),
    Mutant("3.3", "not divided", "stretched / count", "stretched * 1.0", "that is the gradient of a sum; a mean divides by how many numbers went into it."),
    Mutant("3.3", "divided by all", "stretched.size / g.size", "stretched.size", "it divides by all numbers of x; only those along the axis go into one mean."),
    Mutant("3.3", "divided by the others", "stretched.size / g.size", "g.size", "it divides by how many means there are, not by how many numbers go into each."),
    Mutant("3.3", "axis not put back", "np.expand_dims(g, axis)", "g", "the axis is not put back, so g is laid along the last axes; np.expand_dims(g, axis) puts it where it was."),
    Mutant("3.3", "axis at the end", "np.expand_dims(g, axis)", "np.expand_dims(g, -1)", "the axis is put back at the end; it belongs where it was."),
    Mutant("3.3", "multiplied", "stretched / count", "stretched * count", "each share is multiplied by the count; the mean divides."),
    Mutant("3.3", "one axis counted", "stretched.size / g.size", "shape[np.ravel(axis)[0]]", "with several axes, the numbers along all of them go into a mean; only the first axis is counted."),
    Mutant("3.3", "a view", "stretched / count", "np.broadcast_to(np.expand_dims(g / count, axis), shape)", "the numbers are right, but broadcast_to gives a view that cannot be written to; divide last, or make a copy."),
    Mutant("3.4", "last one wins", ADD, "dx[index] += g", "a row that was picked twice is written twice, and the last one wins; np.add.at adds both."),
    Mutant("3.4", "rows counted from 1", ADD, "np.add.at(dx, index - 1, g)", "the row numbers are off by one; they begin at 0."),
    Mutant("3.4", "shape of g", "np.zeros(shape)", "np.zeros((len(g), *shape[1:]))", "the result has as many rows as were picked; it should have as many as x."),
    Mutant("3.4", "divided", "return dx", "return dx / np.maximum(np.bincount(index.ravel() % shape[0], minlength=shape[0]), 1).reshape(-1, *[1] * (dx.ndim - 1))", "the shares of a row are averaged; they add up."),
    Mutant("3.4", "picked again", ADD, "dx = g[index % len(g)]", "this picks rows of g, as forward picked rows of x; backward puts them back to where they came from."),
    Mutant("3.4", "counted", ADD, "np.add.at(dx, index, 1)", "it counts how often a row was picked; add the rows of g instead."),
    Mutant("3.4", "each row once", ADD, "np.add.at(dx, np.unique(index), g.reshape(-1, *shape[1:])[np.unique(index, return_index=True)[1]])", "each row gets the share of its first copy only; all copies count."),
    Mutant("3.4", "first rows", ADD, "dx[: len(g)] = g[: len(dx)].reshape(-1, *shape[1:])[: len(g)]", "g is written to the first rows, whatever the index says."),
]  # fmt: skip
