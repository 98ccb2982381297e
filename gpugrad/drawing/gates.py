"""What each operation is called in a picture, and what it does to gradients: one row an operation.

To add a row: the operation's name, what is written in the gate (``{}`` stands for an operand that is a number), a word
for what it does to gradients, a sentence, and the local derivative where values are arrays. What has no row gets the
honest default: its own name, and that it multiplies by its local derivative.
"""

from __future__ import annotations

from typing import NamedTuple


class Gate(NamedTuple):
    """A row of the table.

    Attributes:
        label: in the gate, where all operands are values of the graph.
        gate: what it does to gradients, in a word.
        says: in a sentence.
        left, right: the label where the first or the second operand is a number, which stands for ``{}``.
        local: the local derivative of arrays, by the operand's position (the last one for all further ones).
    """

    label: str
    gate: str | None
    says: str
    left: str | None = None
    right: str | None = None
    local: tuple[str, ...] = ()


ELEMENTWISE = "multiplies its gradient by its local derivative, element by element"
MOVES = "moves numbers to other places; their gradients go the same way back"
SLOPE = "diagonal"
ONES = "identity"

GATES: dict[str, Gate] = {
    # distributors
    "add": Gate("+", "distributor", "add hands its gradient to every input", "+{}", "+{}", (ONES,)),
    "subtract": Gate("−", "distributor", "subtract hands its gradient to the first input, and with the other sign to "
                     "the second", "{}−", "−{}", (ONES, "minus the identity")),
    "sum": Gate("Σ", "distributor", "sum hands its gradient to every element that it adds up", None, None,
                ("a one for every element",)),
    "mean": Gate("mean", "distributor", "mean hands every one of its n elements 1/n of its gradient", None, None,
                 ("1/n for every element",)),
    # switchers
    "multiply": Gate("×", "switcher", "multiply hands each input its gradient times the other input", "×{}", "×{}",
                     ("diagonal: the other input",)),
    "matmul": Gate("@", "switcher", "a product of matrices hands each input its gradient times the other input, "
                   "transposed", None, None, ("the right operand, transposed", "the left operand, transposed")),
    "divide": Gate("÷", "switcher", "divide hands its gradient over the divisor to the dividend, and minus that times "
                   "the quotient to the divisor", "{}/x", "÷{}", ("diagonal: 1 / divisor", "diagonal: −y / divisor")),
    "einsum": Gate("einsum", "switcher", "hands each input its gradient times the other inputs"),
    "convolve": Gate("conv", "switcher", "a convolution hands the input its gradient convolved with the turned "
                     "filters, and the filters its gradient correlated with the input"),
    # routers
    "maximum": Gate("max", "router", "max hands its gradient to the larger input, and 0 to the other",
                    "max({}, x)", "max(x, {})", ("diagonal of ones and zeros",)),
    "minimum": Gate("min", "router", "min hands its gradient to the smaller input, and 0 to the other",
                    "min({}, x)", "min(x, {})", ("diagonal of ones and zeros",)),
    "max": Gate("max", "router", "max hands its gradient to the largest element, and 0 to the others", None, None,
                ("a one at the largest element",)),
    "min": Gate("min", "router", "min hands its gradient to the smallest element, and 0 to the others", None, None,
                ("a one at the smallest element",)),
    "relu": Gate("ReLU", "router", "ReLU lets its gradient pass where the input is positive, and stops it elsewhere",
                 None, None, ("diagonal of ones and zeros",)),
    "where": Gate("where", "router", "where hands its gradient to the branch that was taken, and 0 to the other"),
    "clip": Gate("clip", "router", "clip lets its gradient pass between the bounds, and stops it outside"),
    "max_pool": Gate("max pool", "router", "hands its gradient to the largest element of each window"),
    **{name: Gate("dropout", "router", "dropout lets its gradient pass, scaled, where the value was kept")
       for name in ("dropout", "drawn_dropout")},
    # copies: gradients add up
    "broadcast_to": Gate("copy", "copy", "copies its input; the gradients of the copies add up"),
    "repeat": Gate("repeat", "copy", "copies its input; the gradients of the copies add up"),
    # the same value
    "identity": Gate("=", None, "hands its gradient on as it is", None, None, (ONES,)),
    "positive": Gate("=", None, "hands its gradient on as it is", None, None, (ONES,)),
    "astype": Gate("dtype", None, "hands its gradient on, in the dtype of its input", None, None, (ONES,)),
    "backward hooks": Gate("hooks", None, "hands its gradient on; hooks are not called for a picture"),
    "checkpoint": Gate("checkpoint", None, "computes what is inside again when its gradient is needed"),
    "output": Gate("[i]", None, "one of the results; its gradient is a part of the whole"),
    # places
    **{name: Gate(label, "mover", MOVES, None, None, ("a one for every number that is moved",)) for name, label in {
        "reshape": "reshape", "permute_dims": "xᵀ", "expand_dims": "reshape", "squeeze": "reshape", "flip": "flip",
        "concat": "concat", "stack": "stack", "split": "split", "unstack": "unstack", "slice": "[ ]", "gather": "[ ]",
        "set_at": "[ ] =", "pad": "pad", "roll": "roll", "diagonal": "diag", "place": "place",
    }.items()},
    # one input, element by element
    **{name: Gate(label, None, f"{what} multiplies its gradient by {slope}", None, None, (f"diagonal: {slope}",))
       for name, (label, what, slope) in {
        "negative": ("×−1", "minus", "−1"),
        "exp": ("exp", "exp", "its own output, exp(x)"),
        "log": ("log", "log", "1/x"),
        "sqrt": ("√", "the square root", "1/(2 √x)"),
        "square": ("x²", "the square", "2x"),
        "reciprocal": ("1/x", "1/x", "−1/x²"),
        "sin": ("sin", "sin", "cos(x)"),
        "cos": ("cos", "cos", "−sin(x)"),
        "tanh": ("tanh", "tanh", "1 − y²"),
        "sigmoid": ("σ", "the sigmoid", "y (1 − y)"),
        "abs": ("|x|", "the absolute value", "the sign of x"),
        "softplus": ("softplus", "softplus", "σ(x)"),
    }.items()},
    "pow": Gate("xʸ", None, "a power multiplies its gradient by exponent · x^(exponent − 1)", "{}^x", "x^{}"),
    "softmax": Gate("softmax", None, "softmax takes from its gradient the mean under its output, and multiplies by it"),
    "log_softmax": Gate("log softmax", None, "takes from its gradient the softmax times the sum of the gradient"),
    "logsumexp": Gate("logsumexp", "router", "a soft router: hands its gradient out in the proportions of the softmax"),
    "cross_entropy": Gate("cross-entropy", None, "hands back the softmax minus the true label, over the number of "
                          "samples"),
    "norm": Gate("‖x‖", None, "hands its gradient times the unit vector along its input"),
}  # fmt: skip

POWERS = {"2": "x²", "3": "x³", "0.5": "√x", "-1": "1/x"}


def gate(op: str) -> Gate:
    """The row of an operation, or the honest default.

    >>> gate("multiply").gate, gate("erf").says
    ('switcher', 'multiplies its gradient by the local derivative of erf')
    """
    return GATES.get(op) or Gate(op, None, f"multiplies its gradient by the local derivative of {op}")


def label(op: str, numbers: dict[int, object], operands: int) -> str:
    """What is written in a gate; operands that are numbers stand in it.

    >>> label("add", {1: 1.0}, 2), label("divide", {0: 1}, 2), label("pow", {1: 2}, 2), label("multiply", {}, 2)
    ('+1', '1/x', 'x²', '×')
    """
    row = gate(op)
    if not numbers:
        return row.label
    words = {position: word(number) for position, number in numbers.items()}
    if operands == 2 and len(words) == 1:
        ((position, text),) = words.items()
        if op == "pow" and position == 1 and text in POWERS:
            return POWERS[text]
        if op in ("add", "subtract") and position == 1 and text.startswith("−"):
            return f"{'−' if op == 'add' else '+'}{text[1:]}"
        pattern = row.right if position else row.left
        if pattern is not None:
            return pattern.format(text)
    return f"{row.label}({', '.join(words.get(i, 'x') for i in range(operands))})"


def word(number: object) -> str:
    """A number as it stands in a gate.

    >>> word(1.0), word(-0.25), word(1 / 3)
    ('1', '−0.25', '0.333')
    """
    if not isinstance(number, bool | int | float):
        return str(number)
    return f"{number:.3g}".replace("-", "−")
