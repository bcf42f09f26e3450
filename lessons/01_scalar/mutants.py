"""Mistakes that students make in lesson 1."""

from minidepth.learn import Mutant

COLLECT = """found, seen = [root], {root}
    for node in found:  # the list grows while we walk along it
        for parent in node.parents:
            if parent not in seen:
                seen.add(parent)
                found.append(parent)
    return sorted(found, key=lambda node: node.number, reverse=True)"""

RECURSION = """found, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            found.append(node)

    visit(root)
    return found[::-1]"""

DEPTH_FIRST = """found, stack = [], [root]
    while stack:
        node = stack.pop()
        if node not in found:
            found.append(node)
            stack.extend(node.parents)
    return found"""

WALK = """for node in nodes:
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad += slope * node.grad"""

NO_WAITING = """def go(node):
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad += slope * node.grad
            go(parent)

    go(root)"""

MUTANTS = [
    Mutant("1.1", "slopes swapped", "(other.value, self.value)", "(self.value, other.value)", "the two slopes are swapped. When a moves by h, a * b moves by h * b: the slope towards a is the value of b."),
    Mutant("1.1", "slopes of a sum", "(other.value, self.value)", "(1.0, 1.0)", "these are the slopes of a sum. The larger b is, the more a * b moves with a."),
    Mutant("1.1", "slope is the product", "(other.value, self.value)", "(self.value * other.value, self.value * other.value)", "the slope is the product itself; it is how much the product moves for each unit of one factor, and that is the other factor."),
    Mutant("1.1", "value of a sum", "self.value * other.value, ", "self.value + other.value, ", "the value is still that of the sum; it should be the product."),
    Mutant("1.1", "remembers nothing", "(self, other), (other.value, self.value), ", "(), (), ", "the value is right, but the result has no parents, so it does not remember where it came from."),
    Mutant("1.1", "values as parents", "(self, other)", "(self.value, other.value)", "the parents are numbers; keep the Scalars themselves, since they are the ones that remember."),
    Mutant("1.1", "Scalars as slopes", "(other.value, self.value)", "(other, self)", "the slopes are Scalars; a slope is a plain number, so take their .value."),
    Mutant("1.1", "one slope", "(other.value, self.value)", "(other.value,)", "there is one slope for two parents; each parent needs its own."),
    Mutant("1.1", "plain number", 'Scalar(self.value * other.value, (self, other), (other.value, self.value), "*")', "self.value * other.value", "you give back a plain number, and plain numbers forget; wrap it in a Scalar, as __add__ does."),
    Mutant("1.1", "other twice", "(self, other)", "(other, other)", "the same parent is named twice; there are two, self and other."),
    Mutant("1.2", "slope from the input", "1 - t * t", "1 - self.value * self.value", "the slope is made from the input a; in 1 - t t, t is the result tanh(a)."),
    Mutant("1.2", "square forgotten", "1 - t * t", "1 - t", "t is not squared: the slope is 1 - t t."),
    Mutant("1.2", "slope of the sigmoid", "1 - t * t", "t * (1 - t)", "t (1 - t) is the slope of the sigmoid, a relative of tanh; here it is 1 - t t."),
    Mutant("1.2", "tanh twice", "1 - t * t", "1 - math.tanh(t) ** 2", "tanh is taken twice in the slope: t is tanh(a) already."),
    Mutant("1.2", "value as slope", "1 - t * t", "t", "the slope is the value itself; how steep a curve is and how high it is are two things."),
    Mutant("1.2", "plus", "1 - t * t", "1 + t * t", "the sign is wrong: tanh gets flatter the further it is from 0, so it is 1 - t t. (1 + t t is the slope of tan.)"),
    Mutant("1.2", "slope 1", "1 - t * t", "1.0", "the slope is 1 everywhere, as for a sum; tanh is as steep as that at 0 only."),
    Mutant("1.2", "remembers nothing", "(self,), (1 - t * t,), ", "(), (), ", "the value is right, but the result has no parent, so it does not remember where it came from."),
    Mutant("1.2", "comma", "(self,)", "(self)", "there is a tuple of one without its comma: (self) is only self in brackets, (self,) is a tuple, and so is (1 - t * t,)."),
    Mutant("1.2", "value as parent", "(self,)", "(self.value,)", "the parent is a number; keep the Scalar itself, since it is the one that remembers."),
    Mutant("1.3", "as found", "sorted(found, key=lambda node: node.number, reverse=True)", "found", "the nodes are in the order in which you found them. One that is found early on a short way may be used by one that is found later."),
    Mutant("1.3", "depth first", COLLECT, DEPTH_FIRST, "each way is followed to its end before the next one begins, so a node may come before another that was made from it; sort the nodes by number when you have them all."),
    Mutant("1.3", "oldest first", ", reverse=True", "", "the oldest node comes first. The walk back begins at the root, which is the newest."),
    Mutant("1.3", "every path", "if parent not in seen:", "if True:", "a node is collected once for each way that leads to it; look first whether you have it already."),
    Mutant("1.3", "root missing", "[root], {root}", "list(root.parents), {root, *root.parents}", "the root is missing: it is the one with which the walk begins."),
    Mutant("1.3", "leaves missing", "if parent not in seen:", "if parent not in seen and parent.parents:", "the Scalars without parents are left out; they are the inputs and knobs, for whose gradients all this is done."),
    Mutant("1.3", "first parent", "in node.parents:", "in node.parents[:1]:", "only the first parent of each node is followed."),
    Mutant("1.3", "parents only", "for node in found:", "for node in [root]:", "only the root's own parents are collected; they have parents, too."),
    Mutant("1.3", "by value", "node.number,", "node.value,", "the nodes are sorted by their values; the order in which they were made is in number."),
    Mutant("1.3", "calls itself", COLLECT, RECURSION, "the order is right, but the function calls itself for each parent, and Python stops that after some 1000 calls inside each other; collect with a loop."),
    Mutant("1.4", "overwritten", "parent.grad += slope", "parent.grad = slope", "each share overwrites the one before; several nodes may pay in to the same parent, so it is +=.", "the pitfall"),
    Mutant("1.4", "root without its 1", "root.grad = 1.0", "pass", "every grad stays 0, as the root's is not 1 when the walk begins; set it to 1 after all of them have been set to 0."),
    Mutant("1.4", "value at the root", "root.grad = 1.0", "root.grad = root.value", "the walk begins with the root's value; when the root moves by h, the root moves by 1 times h, so it is 1."),
    Mutant("1.4", "grads kept", "node.grad = 0.0", "pass", "the shares of the former call are still there and are handed on once more; begin with every grad at 0."),
    Mutant("1.4", "slope alone", "slope * node.grad", "slope", "the parent gets the slope alone; along a path slopes multiply, so it is the slope times the node's own grad."),
    Mutant("1.4", "sum along a path", "slope * node.grad", "slope + node.grad", "slope and grad are added; along a path slopes multiply. It is over several paths that they add."),
    Mutant("1.4", "no waiting", WALK, NO_WAITING, "a node hands on its grad as soon as one share has come in, and again with the next one, so the first is counted twice; walk over newest_first(root), and each node hands on once."),
    Mutant("1.4", "first arrow twice", "parent.grad += slope *", "parent.grad += node.slopes[node.parents.index(parent)] *", "where two arrows lead to the same parent, both take the first one's slope: index finds that one each time; walk over zip(node.parents, node.slopes)."),
    Mutant("1.4", "oldest first", "for node in nodes:\n        for parent", "for node in nodes[::-1]:\n        for parent", "the walk begins at the oldest node, when nothing has come to it yet; begin at the root."),
    Mutant("1.4", "value in place of grad", "slope * node.grad", "slope * node.value", "the slope is multiplied with the node's value; what a node hands on is a share of its grad."),
    Mutant("1.4", "parent's grad", "slope * node.grad", "slope * parent.grad", "the parent gets a share of its own grad; it is the node's that is handed on."),
    Mutant("1.4", "slope forgotten", "slope * node.grad", "node.grad", "the grad is handed on as it is; each arrow multiplies it with its slope."),
]  # fmt: skip
