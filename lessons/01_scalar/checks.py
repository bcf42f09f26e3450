"""Checks of lesson 1. Graphs are made by hand, and gradients compared with the solution of a system of equations."""

import math

import numpy as np

from minidepth.learn import check

CHAIN = 3_000
"""Longer than Python lets a function call itself."""

MOST_READS = 1000
"""Enough for any honest walk over the 21 nodes of `doubled`, which has 2,097,151 paths."""


class TooManyVisitsError(Exception):
    """The walk goes along paths instead of over nodes."""


def summary(mine, result, **parents):
    """What a result remembers, in plain values: its value, its parents by name, the slope towards each."""
    if not isinstance(result, mine.Scalar):
        return {"problem": f"the result must be a Scalar, yours is a {type(result).__name__}"}
    names = {id(parent): name for name, parent in parents.items()}
    if not all(isinstance(parent, mine.Scalar) for parent in result.parents):
        return {"problem": "the parents must be the Scalars themselves, not their values"}
    if not all(isinstance(slope, (int, float, np.number)) for slope in result.slopes):
        kinds = ", ".join(type(slope).__name__ for slope in result.slopes)
        return {"problem": f"the slopes must be numbers, yours are {kinds}"}
    if len(result.slopes) != len(result.parents):
        return {"problem": f"{len(result.parents)} parents, but {len(result.slopes)} slopes: one for each is needed"}
    told = {"value": float(result.value), "parents": sorted(names.get(id(p), "another") for p in result.parents)}
    for name, parent in parents.items():
        slopes = zip(result.parents, result.slopes)
        told[f"slope towards {name}"] = float(sum(slope for one, slope in slopes if one is parent))
    return told


def a_times_b(mine, a, b):
    """What a * b remembers."""
    one, other = mine.Scalar(a), mine.Scalar(b)
    return summary(mine, one * other, a=one, b=other)


def a_times_a(mine, a):
    """What a * a remembers, and whether a is as it was."""
    one = mine.Scalar(a)
    return {**summary(mine, one * one, a=one), "value of a afterwards": one.value}


def tanh_of_a(mine, a):
    """What tanh(a) remembers."""
    one = mine.Scalar(a)
    try:
        result = one.tanh()
    except TypeError as error:
        if "not iterable" in str(error):
            return {"problem": f"parents and slopes must be tuples, and one of yours is none ({error})"}
        raise
    return summary(mine, result, a=one)


@check(
    "1.1",
    title="a product that remembers",
    points=1,
    hints=[
        "Read __add__ once more: value, parents, slopes, label. Only the value and the two slopes are different here.",
        "When a moves by h, a * b moves by h * b. So the slope towards a is the value of b. And towards b?",
        "Scalar(self.value * other.value, (self, other), (..., ...), '*')",
    ],
)
def multiply(t):
    a, b = t.uniform(1.5, 3), t.uniform(-3, -1.5)
    answer = t.run(a_times_b, a, b)
    t.that("problem" not in answer.value, f"a * b: {answer.value.get('problem')}")
    slopes = {"slope towards a": b, "slope towards b": a}
    answer.close({"value": a * b, "parents": ["a", "b"], **slopes}, f"a * b for a = {a:.4g}, b = {b:.4g}")
    expected = {"value": a * a, "parents": ["a", "a"], "slope towards a": 2 * a, "value of a afterwards": a}
    t.run(a_times_a, a).close(expected, f"a * a for a = {a:.4g} (slopes towards the same parent added up)")


@check(
    "1.2",
    title="a function that remembers",
    points=1,
    hints=[
        "Compute t = math.tanh(self.value) first: the result needs it twice, as its value and for its slope.",
        "The slope is 1 - t * t. A tuple of one needs a comma: (self,) and (1 - t * t,).",
    ],
)
def tanh(t):
    for a in (t.uniform(0.3, 0.9), t.uniform(-2, -1)):
        answer = t.run(tanh_of_a, a)
        t.that("problem" not in answer.value, f"tanh(a): {answer.value.get('problem')}")
        slope = 1 / math.cosh(a) ** 2
        answer.close({"value": math.tanh(a), "parents": ["a"], "slope towards a": slope}, f"tanh(a) for a = {a:.4g}")


def graph(mine, parents, slopes, kind=None):
    """Scalars by hand: node i has the parents parents[i], of smaller number, and those slopes."""
    nodes = []
    for i, (before, factors) in enumerate(zip(parents, slopes)):
        nodes.append(
            (kind or mine.Scalar)(float(7 * i % 11), tuple(nodes[j] for j in before), tuple(factors), f"node {i}")
        )
    return nodes


def counting(mine):
    """A Scalar that counts how often anybody asks for parents."""

    class Counting(mine.Scalar):
        reads = 0

        @property
        def parents(self):
            Counting.reads += 1
            if Counting.reads > MOST_READS:
                raise TooManyVisitsError(
                    f"asked for parents {MOST_READS} times and is not done, in a graph of 21 nodes: it goes along "
                    "every path; visit each node once"
                )
            return self._parents

        @parents.setter
        def parents(self, value):
            self._parents = value

    return Counting


def newest_first_of_a_graph(mine, parents, slopes):
    """Which nodes newest_first gives, by number, in its order; None where it gives nothing."""
    nodes = graph(mine, parents, slopes)
    place = {id(node): i for i, node in enumerate(nodes)}
    given = mine.newest_first(nodes[-1])
    return None if given is None else [place.get(id(node), -1) for node in given]


def newest_first_of_20_additions(mine):
    """How many nodes newest_first gives for y + y, again and again."""
    nodes = graph(mine, *doubled(20), counting(mine))
    return len(list(mine.newest_first(nodes[-1])))


def newest_first_of_a_long_chain(mine):
    """How many nodes newest_first gives for a long chain."""
    return len(list(mine.newest_first(graph(mine, *chain(CHAIN))[-1])))


def doubled(additions):
    return [()] + [(i, i) for i in range(additions)], [()] + [(1.0, 1.0)] * additions


def chain(length):
    return [()] + [(i,) for i in range(length)], [()] + [(1.0 if i % 2 else -1.0,) for i in range(length)]


DIAMONDS = [(), (), (0, 1), (2, 0), (), (1, 3), (4, 1), (4, 2), (5, 5), (8, 7)]
"""Parents of ten nodes: diamonds within diamonds, one used twice by another, and number 6, which nothing is made of."""


@check(
    "1.3",
    title="who goes first?",
    points=2,
    hints=[
        "Two steps: collect all nodes, then sort them by number, the largest first.",
        "Collect in a list that begins with root, and walk along it with for: what you append on the way is walked "
        "over as well. A set of those that you have seen already keeps every node single.",
        "for node in found: for parent in node.parents: if parent not in seen: put it into both. Then "
        "sorted(found, key=lambda node: node.number, reverse=True).",
    ],
)
def order(t):
    behind = [i for i in range(len(DIAMONDS)) if i != 6]
    slopes = [t.randn(len(before)).tolist() for before in DIAMONDS]
    seen = t.run(newest_first_of_a_graph, DIAMONDS, slopes).value
    t.that(isinstance(seen, list), "newest_first gives None; is there a return at the end?")
    t.that(-1 not in seen, "newest_first gives something that is none of the graph's Scalars")
    lines = [f"in a graph of {len(behind)} nodes, made by hand; numbers are in the order in which they were made"]
    lines += [f"yours: {' '.join(map(str, seen))}"]
    twice = sorted({i for i in seen if seen.count(i) > 1})
    t.that(not twice, f"node {twice and twice[0]} is there more than once", *lines)
    missing = sorted(set(behind) - set(seen))
    t.that(not missing, f"node {missing and missing[0]} is missing, though the root was made from it", *lines)
    extra = sorted(set(seen) - set(behind))
    t.that(not extra, f"node {extra and extra[0]} is there, but the root was not made from it", *lines)
    for i, before in enumerate(DIAMONDS):
        for parent in before:
            ok = i not in seen or seen.index(i) < seen.index(parent)
            t.that(ok, f"node {parent} comes before node {i}, which was made from it and has not paid in yet", *lines)
    t.run(newest_first_of_20_additions).close(21, "number of nodes of 20 additions y + y")
    t.run(newest_first_of_a_long_chain).close(CHAIN + 1, "number of nodes of a long chain")


def our_newest_first(root):
    """For exercise 1.4: an order of our own, so that a mistake in 1.3 does not show twice."""
    found = {root.number: root}
    waiting = [root]
    while waiting:
        for parent in waiting.pop().parents:
            if parent.number not in found:
                found[parent.number] = parent
                waiting.append(parent)
    return [found[number] for number in sorted(found, reverse=True)]


def walked_back(mine, nodes, times):
    """The gradients after so many calls of backward. Theirs finds our newest_first in place of their own."""
    names = mine.backward.__globals__
    theirs = names.get("newest_first")
    names["newest_first"] = our_newest_first
    try:
        for _ in range(times):
            mine.backward(nodes[-1])
    finally:
        names["newest_first"] = theirs
    return [float(node.grad) for node in nodes]


def backward_over_a_graph(mine, parents, slopes, times):
    """The gradients of all nodes."""
    return walked_back(mine, graph(mine, parents, slopes), times)


def backward_over_20_additions(mine):
    """The gradient of the first node of y + y, again and again."""
    return walked_back(mine, graph(mine, *doubled(20), counting(mine)), 1)[0]


def backward_over_a_long_chain(mine):
    """The gradient of the first node of a long chain."""
    return walked_back(mine, graph(mine, *chain(CHAIN)), 1)[0]


def by_equations(parents, slopes):
    """Each gradient is the sum over its users of slope times their gradient, and 1 at the root: solve all at once."""
    matrix = np.eye(len(parents))
    for i, (before, factors) in enumerate(zip(parents, slopes)):
        for parent, slope in zip(before, factors):
            matrix[parent, i] -= slope
    return np.linalg.solve(matrix, np.eye(len(parents))[-1]).tolist()


@check(
    "1.4",
    title="backward",
    points=3,
    hints=[
        "Set every grad to 0 and the root's to 1. Then walk over newest_first(root): what does each node do for each "
        "of its parents?",
        "for parent, slope in zip(node.parents, node.slopes): the parent gets slope times the node's own grad.",
        "parent.grad += slope * node.grad, as several nodes may pay in to the same parent.",
    ],
)
def back(t):
    slopes = [t.randn(len(before)).tolist() for before in DIAMONDS]
    expected = by_equations(DIAMONDS, slopes)
    for times in (1, 2):
        answer = t.run(backward_over_a_graph, DIAMONDS, slopes, times)
        for i in reversed(range(len(DIAMONDS))):
            users = [f"node {j}" for j, before in enumerate(DIAMONDS) if i in before and j != 6]
            by = f", used by {' and '.join(users)}" if users else ""
            after = " after a second call of backward" if times == 2 else ""
            answer.item(i).close(
                expected[i], f"grad of {'the root' if i == 9 else f'node {i}{by}'}{after}", 1e-9, 1e-12
            )
    t.run(backward_over_20_additions).close(2.0**20, "grad of x for 20 additions y + y")
    t.run(backward_over_a_long_chain).close(1.0, "grad of the first node of a long chain")
