# ---
# minutes: 60
# seconds: 5
# ---

# %% [markdown]
# # 1. A number that remembers
#
# **How can a program know its own derivative?**
#
# A network is a program with a few million knobs. To train it, you must know for each knob how much the error moves
# when you turn it a little. You could try them one by one: a few million runs for one small step. You could work it out
# on paper, and begin again whenever somebody changes a line. Or the numbers could remember where they came from. Then
# one walk back through their memory answers for all knobs at once. That walk is what you build here.

# %%
import math

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.learn import open_page

page = open_page("01_scalar")

# %% [markdown]
# ## Slopes
#
# Let y = a + b. Move a by a small h, and y moves by h: the *slope* of y towards a is 1, and towards b it is 1 as well.
# A slope is a derivative with all other inputs held still: how many times as much the result moves as the input.
#
# A `Scalar` is a number with a memory. It keeps its `value`, its `parents` (the Scalars it was made from) and its
# `slopes` (towards each parent, in the same order). Read `__add__` below: that is all there is to it. `number` counts
# the Scalars in the order in which they are made, `label` is for drawing, and `grad` waits for exercise 1.4.
#
# ## Predict
#
# Take y = x * x + x at x = 3. By how much does y grow, per unit, when x grows a little? Put your number in place of
# `None`, here and wherever you are asked. Nobody marks a guess. But what you have guessed wrong, you will not forget.

# %%
page.guess("growth", None, "By how much does x * x + x grow, per unit of x, at x = 3?")

# %% [markdown]
# ## Exercise 1.1: a product that remembers
#
# Let y = a * b. When a moves by h, how far does y move? Give back a Scalar that knows it, as `__add__` does.
#
# ## Exercise 1.2: a function that remembers
#
# tanh squeezes any number into -1 to 1; until about 2010 it was the usual bend in a network. The result has one parent,
# and a pleasant slope, as that can be had from the result itself: with t = tanh(a), it is 1 - t t.
#
# When you have written one of the two, let it be looked at: `minidepth check 1` in a terminal. You need not be done.


# %%
class Scalar:
    """A number that remembers: value, and parents with the slope of this number towards each of them."""

    made = 0

    def __init__(self, value: float, parents: tuple = (), slopes: tuple = (), label: str = "") -> None:
        self.value, self.parents, self.slopes, self.label = value, tuple(parents), tuple(slopes), label
        self.grad = 0.0
        Scalar.made += 1
        self.number = Scalar.made

    def __add__(self, other: "Scalar") -> "Scalar":
        """self + other. The slope is 1 towards either."""
        return Scalar(self.value + other.value, (self, other), (1.0, 1.0), "+")

    def __mul__(self, other: "Scalar") -> "Scalar":
        """self * other, with its parents and the slope towards each of them."""
        # BEGIN SOLUTION 1.1
        return Scalar(self.value * other.value, (self, other), (other.value, self.value), "*")
        # END SOLUTION

    def tanh(self) -> "Scalar":
        """tanh of self: one parent, one slope. `math.tanh` computes the value."""
        # BEGIN SOLUTION 1.2
        t = math.tanh(self.value)
        return Scalar(t, (self,), (1 - t * t,), "tanh")
        # END SOLUTION


# %% [markdown]
# ## From slopes to derivatives
#
# Parents have parents. So behind each number there hangs a *graph*: the Scalars are its nodes, and from every Scalar an
# arrow with a slope on it leads back to each of its parents. In y = x * x + x, call the product p. Two arrows lead from
# p to x, with the slope 3 on each; two lead from y, to p and to x, with the slope 1. Now two rules do everything:
#
# * **Along a path, slopes multiply.** If p moves 3 times as much as x, and y 1 time as much as p, then y moves 3 * 1
#   times as much as x. That is the chain rule.
# * **Over all paths, they add.** There are three ways from y to x: twice through p, once straight. So 3 + 3 + 1.
#
# Do not list the paths, though; there may be very many. Let each node collect in `grad` how much y moves when *it*
# moves. For y itself that is 1. A node whose `grad` is complete hands slope * grad on to each parent, who adds it up.
#
# ## Exercise 1.3: who goes first?
#
# "Complete" is the word to stumble over: a node must wait until everybody who used it has paid in. So each node has to
# come before its own parents. Here is a gift: a Scalar can only be made from Scalars that exist already, so of any
# number of them the newest, with the largest `number`, is used by none of the others.
#
# Collect each node once, however many ways lead to it, then sort. And collect with a loop: a function that calls itself
# for each parent is stopped by Python after some 1000 calls inside each other, and graphs get deep.


# %%
def newest_first(root: Scalar) -> list[Scalar]:
    """All Scalars that `root` was made from, itself included: each once, and each one before its parents."""
    # BEGIN SOLUTION 1.3
    found, seen = [root], {root}
    for node in found:  # the list grows while we walk along it
        for parent in node.parents:
            if parent not in seen:
                seen.add(parent)
                found.append(parent)
    return sorted(found, key=lambda node: node.number, reverse=True)
    # END SOLUTION


# %% [markdown]
# ## Exercise 1.4: backward
#
# Now hand the shares back. A second call must find the same gradients again, so begin with every `grad` at 0, and with
# 1 at the root. (The check of this exercise brings a `newest_first` of its own, so it works without yours.)


# %%
def backward(root: Scalar) -> None:
    """Set `grad` of every Scalar that `root` was made from to d(root)/d(that Scalar)."""
    # BEGIN SOLUTION 1.4
    nodes = newest_first(root)
    for node in nodes:
        node.grad = 0.0
    root.grad = 1.0
    for node in nodes:
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad += slope * node.grad
    # END SOLUTION


# %%
x = Scalar(3.0)
backward(x * x + x)
page.measured(growth=x.grad)

# %% [markdown]
# {{growth:.0f}}, and nobody has told the program what the derivative of x * x + x is.
#
# ## One neuron, drawn
#
# A neuron multiplies its input with a weight w, adds a bias b and bends the sum by tanh. The *loss* says how bad the
# output is: the error, that is its distance from a target, squared. Each box below shows value | grad.


# %%
def neuron(w: Scalar, b: Scalar, x: float, target: float) -> Scalar:
    """The loss (tanh(w x + b) - target)^2."""
    error = (w * Scalar(x, label="x") + b).tanh() + Scalar(-target, label="-target")
    return error * error


def draw(ax, root: Scalar) -> None:
    """The graph behind root: a node stands one column left of the first that uses it."""
    column, rows = {root: 0}, {}
    for node in newest_first(root):
        rows.setdefault(column[node], []).append(node)
        column.update({parent: min(column.get(parent, 0), column[node] - 1) for parent in node.parents})
    place = {node: (k, i - (len(row) - 1) / 2) for k, row in rows.items() for i, node in enumerate(row)}
    style = {"color": "#0072B2", "ha": "center", "va": "center", "backgroundcolor": "white"}
    for node, (right, up) in place.items():
        for i, (parent, slope) in enumerate(zip(node.parents, node.slopes)):
            (left, low), bend = place[parent], (i - 0.5) * (node.parents.count(parent) > 1)
            arrow = {"arrowstyle": "->", "color": "#0072B2", "connectionstyle": f"arc3,rad={bend}"}
            ax.annotate("", (left + 0.28, low), (right - 0.28, up), arrowprops=arrow)
            ax.text((left + right) / 2, (low + up) / 2 - 0.5 * bend, f"{slope:.2f}", **style)
        box = {"boxstyle": "round,pad=0.4", "facecolor": "#f4f0e6" if node.parents else "white"}
        ax.text(right, up, f"{node.label}\n{node.value:.2f} | {node.grad:.2f}", bbox=box, ha="center", va="center")
    ax.axis((min(rows) - 0.4, 0.4, -0.8, 0.8))
    ax.axis("off")


w, b = Scalar(0.5, label="w"), Scalar(-0.4, label="b")
loss = neuron(w, b, x=2.0, target=-0.5)
backward(loss)
nodes = newest_first(loss)[::-1]
fig, ax = page.subplots(figsize=(9, 2.6))
draw(ax, loss)
page.figure(
    fig,
    "graph",
    alt="A graph from left to right: w times x, plus b, through tanh, minus the target, is the error. Two arrows lead "
    "from the loss to it. Each box shows value and gradient: 1 at the loss, then slope times gradient for each arrow.",
    table={name: [getattr(node, name) for node in nodes] for name in ("label", "value", "grad")},
)
page.measured(error=nodes[-2].value, error_grad=nodes[-2].grad, w_grad=w.grad)

# %% [markdown]
# Follow it with a finger, from the right. The loss is the error times itself, so two arrows lead to the same box, each
# with the slope {{error:.2f}}, and the error collects {{error_grad:.2f}}. From there, multiply your way down to w:
# {{w_grad:.2f}}. So turning w up by 0.01 makes the loss larger by about 0.01 times that. Now turn both knobs a little
# the other way, make the graph anew, and repeat. That is all of training:

# %%
first_loss = loss.value
for _ in range(10):
    w.value, b.value = w.value - 0.1 * w.grad, b.value - 0.1 * b.grad
    loss = neuron(w, b, x=2.0, target=-0.5)
    backward(loss)
    print(f"loss {loss.value:.1e}   w {w.value:.3f}   b {b.value:.3f}")
page.measured(within=0.01, first_loss=first_loss, last_loss=loss.value)

# %% [markdown]
# From {{first_loss:.2f}} to {{last_loss:.0e}} in ten steps. A U-Net learns by the same three lines; it has more knobs.
#
# ## The pitfall: `=` in place of `+=`
#
# Let each parent's `grad` be overwritten where it should be added to. What does such a program hold for the derivative
# of x * x at x = 3? The answer has been printed in course material as a model solution.

# %%
page.guess("overwritten", None, "d(x * x)/dx at x = 3, if shares are overwritten?")
x, overwritten, added = Scalar(3.0), 0.0, 0.0
for slope in (x * x).slopes:  # two arrows, both to x
    overwritten = slope * 1.0
    added += slope * 1.0
page.measured(overwritten=overwritten, added=added)

# %% [markdown]
# {{overwritten:.0f}}, where it is {{added:.0f}}: one of two shares is lost. A network that uses everything once never
# shows it. A U-Net uses the result of each encoder level twice, gets wrong gradients, and does not complain.
#
# ## The other pitfall: right, but not today
#
# A shorter program hands each share on at once and waits for nobody. It walks every path, and its sums are right. Let y
# be x + x, then y + y, and so on: how many calls does it take for 20 such additions?

# %%
page.guess("calls_20", None, "Calls of the program that walks every path, for 20 additions?")


def every_path(node: Scalar, grad: float = 1.0) -> int:
    """Add this share to the node's grad and hand it on at once. Gives the number of calls."""
    node.grad += grad
    return 1 + sum(every_path(parent, slope * grad) for parent, slope in zip(node.parents, node.slopes))


def doubled(additions: int) -> Scalar:
    y = Scalar(1.0)
    for _ in range(additions):
        y = y + y
    return y


print("additions  every path  2^(n + 1) - 1  every node once")
for n in (1, 2, 3, 4, 8, 14):
    calls, visits = every_path(doubled(n)), len(newest_first(doubled(n)))
    print(f"{n:9} {calls:11} {2 ** (n + 1) - 1:14} {visits:16}")
page.measured(calls_14=calls, visits_14=visits, calls_20=2**21 - 1, paths_16=2**16)

# %% [markdown]
# For 14 additions it takes {{calls_14:,.0f}} calls, where you look at {{visits_14:.0f}} nodes. Each addition doubles
# that, so for 20 it is {{calls_20:,.0f}}. That is no freak: ResNet-50 (He and others, 2015) has 16 blocks of the form
# x + f(x), so {{paths_16:,.0f}} paths lead through it. When each node is visited once, nobody notices.
#
# ## What PyTorch does
#
# The same, with arrays in place of numbers: `loss.backward()` walks the graph from the newest node to the oldest and
# adds up. Three differences. Each node has a function in place of its slopes, as the slopes of arrays would fill large
# matrices. The graph is freed on the way. And the `grad` of a knob is *not* set to 0 first: two calls add up, which is
# why training loops have a `zero_grad()`. This library does all three alike, in `minidepth/engine.py`.

# %%
w, b = (Tensor(np.array(value), requires_grad=True) for value in (0.5, -0.4))
error = ops.tanh(w * 2.0 + b) + 0.5
(error * error).backward()
print(f"d(loss)/dw by the library: {w.grad:.2f}, and you know that number already")

# %% [markdown]
# ## To think about
#
# You could walk the other way: begin at w and carry forward, beside each value, how much it moves when w moves. No
# memory, no graph, no order. Why does nobody train networks like that? A good answer says how many walks a million
# knobs and one loss take in either direction, when it is the other way round (one knob, a million results), and what
# the walk back has to keep until it comes by.
