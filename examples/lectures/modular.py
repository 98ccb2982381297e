"""Forward and backward, one class a gate; a whole graph of them; and the same as the library declares it.

    python examples/lectures/modular.py

A gate keeps on its way forward what it needs on its way back. A graph asks its gates in topological order, forward, and
in the opposite order, backward, and adds up gradients where a value is used twice. That is all there is to
backpropagation, and it is written out here on plain numbers and NumPy arrays. Beside it stands gpugrad's declaration of
the same gates: a forward, and a rule an edge whose arguments say what is kept. The table shows where the layers of a
framework of the first generation went, Caffe's, a file each.

Source: CS231n, lecture 4, modularized implementation, and the notes on backpropagation.
"""

import inspect
from graphlib import TopologicalSorter
from pathlib import Path

import numpy
from showing import command_line, rows

import gpugrad as gg
from gpugrad.core import OPERATIONS
from gpugrad.kernels import REGISTRY

# ---------------------------------------------------------------- as the lecture does it


class MultiplyGate:
    """``x y``: a switcher."""

    def forward(self, x, y):
        self.x, self.y = x, y  # each is the other's local gradient
        return x * y

    def backward(self, upstream):
        return upstream * self.y, upstream * self.x


class AddGate:
    """``x + y``: a distributor."""

    def forward(self, x, y):
        return x + y

    def backward(self, upstream):
        return upstream, upstream


class DotGate:
    """``W x``, of a matrix and a vector."""

    def forward(self, w, x):
        self.w, self.x = w, x
        return w @ x

    def backward(self, upstream):
        return numpy.outer(upstream, self.x), self.w.T @ upstream


class SigmoidLayer:
    """``1 / (1 + e^-x)``, element by element."""

    def forward(self, x):
        self.y = 1 / (1 + numpy.exp(-x))
        return self.y

    def backward(self, upstream):
        return (upstream * self.y * (1 - self.y),)


class SquareGate:
    """``x^2``."""

    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, upstream):
        return (2 * self.x * upstream,)


class SumGate:
    """The sum of all elements."""

    def forward(self, x):
        self.shape = numpy.shape(x)
        return numpy.sum(x)

    def backward(self, upstream):
        return (numpy.full(self.shape, upstream),)


class Graph:
    """Gates with names, each fed by leaves or by other gates; in whatever order they are written down.

    Args:
        gates: for each name a gate and the names of its inputs. The output is the one that feeds no other.
    """

    def __init__(self, **gates):
        self.gates = gates
        inputs = {name: sources for name, (_, *sources) in gates.items()}
        self.order = [name for name in TopologicalSorter(inputs).static_order() if name in gates]
        used = {source for sources in inputs.values() for source in sources}
        (self.output,) = (name for name in gates if name not in used)

    def forward(self, **leaves):
        """The value of every leaf and gate."""
        values = dict(leaves)
        for name in self.order:
            gate, *sources = self.gates[name]
            values[name] = gate.forward(*(values[source] for source in sources))
        return values

    def backward(self):
        """The gradient of the output by every leaf and gate, after forward."""
        gradients = {self.output: 1.0}
        for name in reversed(self.order):
            gate, *sources = self.gates[name]
            for source, gradient in zip(sources, gate.backward(gradients[name]), strict=True):
                gradients[source] = gradients.get(source, 0.0) + gradient  # branches add up
        return gradients


def neuron():
    """``sigmoid(w0 x0 + w1 x1 + w2)``."""
    return Graph(
        product0=(MultiplyGate(), "w0", "x0"),
        product1=(MultiplyGate(), "w1", "x1"),
        total=(AddGate(), "product0", "product1"),
        dot=(AddGate(), "total", "w2"),
        f=(SigmoidLayer(), "dot"),
    )


def network():
    """``sum (W2 sigmoid(W1 x) + x)^2``: two layers and a way past them, so that x is used twice. Written backwards."""
    return Graph(
        loss=(SumGate(), "squares"),
        squares=(SquareGate(), "outputs"),
        outputs=(AddGate(), "second", "x"),
        second=(DotGate(), "W2", "hidden"),
        hidden=(SigmoidLayer(), "first"),
        first=(DotGate(), "W1", "x"),
    )


NEURON = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}


def network_leaves() -> dict[str, numpy.ndarray]:
    """Weights and an input for :func:`network`."""
    rng = numpy.random.default_rng(0)
    return {name: rng.standard_normal(shape) for name, shape in (("W1", (4, 3)), ("W2", (3, 4)), ("x", (3,)))}


# ---------------------------------------------------------------- as the library declares it


@gg.primitive
def times(xp, a, b, /):
    """``a b``; ``xp`` is NumPy on the CPU, CuPy on a GPU, gpugrad itself for second derivatives."""
    return xp.multiply(a, b)


times.vjp(
    a=lambda xp, g, b: g * b,  # names b, so b is kept, and only where a needs a gradient
    b=lambda xp, g, a: g * a,
)


@gg.primitive
def logistic(xp, x, /):
    """``1 / (1 + e^-x)``."""
    return 1 / (1 + xp.exp(-x))


logistic.vjp(x=lambda xp, g, y: g * y * (1 - y))  # y is always the output


def declared_neuron(w0, x0, w1, x1, w2):
    """The neuron, from declared gates. The graph is made by calling them, and walked back by the engine."""
    return logistic(times(w0, x0) + times(w1, x1) + w2)


def declared_network(W1, W2, x):  # noqa: N803  named as in the lecture
    """The network, likewise."""
    return ((W2 @ logistic(W1 @ x) + x) ** 2).sum()


def gradients(f, **leaves) -> dict[str, numpy.ndarray]:
    """The gradient of a function of named leaves by each of them."""
    names = list(leaves)
    found = gg.grad(lambda *values: f(**dict(zip(names, values, strict=True))), argnums=tuple(range(len(names))))(
        *(gg.tensor(numpy.asarray(leaf)) for leaf in leaves.values())
    )
    return {name: gradient.numpy() for name, gradient in zip(names, found, strict=True)}


# ---------------------------------------------------------------- where the layers of a framework are

LAYERS = {  # a file of Caffe's src/caffe/layers, and the operation that is the same here
    "relu_layer": "activation.relu",
    "sigmoid_layer": "activation.sigmoid",
    "tanh_layer": "trigonometry.tanh",
    "elu_layer": "activation.elu",
    "exp_layer": "functions.exp",
    "log_layer": "functions.log",
    "power_layer": "arithmetic.pow",
    "absval_layer": "arithmetic.abs",
    "eltwise_layer": "arithmetic.multiply",
    "inner_product_layer": "linear.matmul",
    "conv_layer": "convolution._convolve",
    "pooling_layer": "pooling._max_pool",
    "reduction_layer": "reduction.sum",
    "reshape_layer": "shaping.reshape",
    "concat_layer": "shaping._concat",
    "slice_layer": "shaping._split",
    "embed_layer": "indexing._gather",
    "dropout_layer": "activation.dropout",
    "batch_norm_layer": "normalization.normalize",
    "softmax_layer": "softmax.softmax",
    "softmax_loss_layer": "softmax.cross_entropy",
    "lstm_layer": "recurrent.lstm",
}


def where(operation: str) -> tuple[str, int, str]:
    """The file of an operation, its line there, and the file of its CUDA kernel, if it has one of its own."""
    forward = inspect.unwrap(OPERATIONS[f"gpugrad.ops.{operation}"].op.forward)
    name = operation.partition(".")[2]
    kernel = REGISTRY.get(f"{name}_forward")
    source = "" if kernel is None else short(inspect.getsourcefile(kernel.reference))
    return short(forward.__code__.co_filename), forward.__code__.co_firstlineno, source


def short(file: str | None) -> str:
    """A file's path from the library's folder on."""
    return str(Path(file or "").relative_to(Path(gg.__file__).parent.parent))


def main() -> None:
    """Compare both ways, then show where things are."""
    args = command_line(__file__, __doc__).parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    for title, graph, declared, leaves in (
        ("the sigmoid neuron", neuron(), declared_neuron, NEURON),
        ("two layers and a way past them", network(), declared_network, network_leaves()),
    ):
        values = graph.forward(**leaves)
        by_gates, by_library = graph.backward(), gradients(declared, **leaves)
        print(f"{title}: {' '.join(graph.order)}, then back")
        print(f"  {graph.output} = {values[graph.output]:.4f}")
        for name in leaves:
            off = abs(by_gates[name] - by_library[name]).max()
            shown = numpy.round(by_gates[name], 2).tolist()
            print(f"  gradient of {name}: {shown}, the library's differs by {off:.0e}")
        print()

    lines = [
        (f"{layer}.cpp", f"{file}:{line}", kernel or "-")
        for layer, (file, line, kernel) in ((layer, where(operation)) for layer, operation in LAYERS.items())
    ]
    print(rows([("Caffe", "forward and gradient rules", "CUDA kernel"), *lines]))
    print("split_layer.cpp, which adds up gradients, is a line of gpugrad/core/engine.py")


if __name__ == "__main__":
    main()
