"""A neural Turing machine learns to copy: to write what it sees into a memory, and to read it back in order.

    python examples/lectures/neural_turing_machine.py             # 3,000 steps, 80 seconds
    python examples/lectures/neural_turing_machine.py --quick     # 60 steps: shows that it runs, learns little

The input is a mark, up to ten random vectors of 8 bits, and another mark; then the machine has to tell the vectors
again, with nothing coming in. It is trained on lengths of 1 to 10 and tested on 20, and on longer ones with a longer
memory. All operations are differentiable, so the gradient goes back through each read, each write and each move of the
heads. Written to ``--out``: the cost while learning, a copy with the paths of the heads, and the unrolled graph.

Source: Graves, Wayne and Danihelka 2014, "Neural Turing Machines", section 4.1.
"""

import math
import time
from typing import NamedTuple

from showing import BLUE, GREY, RED, command_line, figure, rows, save, tidy
from turing import NeuralTuringMachine

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.drawing import draw, observe
from gpugrad.nn import functional as F  # noqa: N812

LONGEST = 10
"""Of the sequences to learn from."""
BATCH = 32
"""Sequences of a step, all of one length."""


def copy_task(length, batch, bits):
    """Sequences to copy, all of one length.

    Returns:
        What comes in, ``(2 length + 2, batch, bits + 2)``: a mark in the last channel but one, the vectors, a mark in
        the last channel, and nothing; and what is to come out in the last ``length`` steps, ``(length, batch, bits)``.
    """
    vectors = gg.astype(gg.random.integers(0, 2, size=(length, batch, bits)), gg.get_default_dtype())
    sequence = gg.zeros((2 * length + 2, batch, bits + 2))
    sequence[0, :, bits] = 1.0
    sequence[1 : length + 1, :, :bits] = vectors
    sequence[length + 1, :, bits + 1] = 1.0
    return sequence, vectors


class Score(NamedTuple):
    """How well sequences of one length are copied."""

    length: int
    bits: float
    """The cost of a sequence: bits of surprise at what would have been right."""
    wrong: float
    """The fraction of sequences with a wrong bit in them."""


def score(machine, length, count, bits, memory=None):
    """Copy ``count`` new sequences, with another length of the memory if one is given."""
    with gg.no_grad():
        sequence, vectors = copy_task(length, count, bits)
        logits, _ = machine.run(sequence, length, memory)
        nats = F.binary_cross_entropy_with_logits(logits, vectors, reduction="sum").item()
        wrong = gg.any((logits > 0) != (vectors > 0.5), axis=(0, 2)).sum().item()
    return Score(length, nats / math.log(2) / count, wrong / count)


def train(machine, steps, bits, batch=BATCH, lr=5e-3):
    """Adam on random lengths, its rate going down to a twentieth over the last third; the bits of each sequence.

    Now and then a step meets a cliff in the loss; gradients cut off at a norm of 0.1 let the rate be high nevertheless.
    """
    optimizer = optim.Adam(machine.parameters(), lr=lr)
    lengths = gg.random.integers(1, LONGEST + 1, size=(steps,)).tolist()
    costs = []
    started = time.process_time()
    for step, length in enumerate(lengths, start=1):
        optimizer.param_groups[0]["lr"] = lr * max(0.05, min(1.0, 3 * (1 - step / steps)))
        sequence, vectors = copy_task(length, batch, bits)
        logits, _ = machine.run(sequence, length)
        loss = F.binary_cross_entropy_with_logits(logits, vectors)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(machine.parameters(), 0.1)
        optimizer.step()
        costs.append(loss.item() / math.log(2) * length * bits)
        if step % 250 == 0:
            mean = sum(costs[-250:]) / 250
            print(f"step {step:5}  {time.process_time() - started:4.0f} s  {mean:9.4f} bits a sequence", flush=True)
    return costs


def draw_costs(costs, smooth=50):
    """The cost of each step, and of the steps around it."""
    drawing = figure(figsize=(7, 3.6))
    if drawing is None:
        return None
    axes = drawing.add_subplot()
    axes.plot(range(1, len(costs) + 1), costs, ".", color=BLUE, alpha=0.25, markersize=2)
    means = [sum(costs[max(0, i - smooth) : i]) / min(i, smooth) for i in range(1, len(costs) + 1)]
    axes.plot(range(1, len(costs) + 1), means, color=BLUE, label=f"mean of {smooth} steps")
    axes.axhline(0.1, color=RED, linewidth=1, label="0.1 bit")
    axes.set(xlabel="step", ylabel="bits a sequence", yscale="log", title=f"Copying 1 to {LONGEST} vectors")
    axes.legend(frameon=False)
    tidy(axes)
    return drawing


def draw_copy(machine, length, bits):
    """A sequence on its way through the memory: what comes in and out, where the heads are, what is kept."""
    drawing = figure(figsize=(10, 7.4))
    if drawing is None:
        return None
    with gg.no_grad():
        sequence, _ = copy_task(length, 1, bits)
        logits, states = machine.run(sequence, length)
    steps = len(sequence)
    told = gg.zeros((steps, bits))
    told[steps - length :] = gg.sigmoid(logits[:, 0])
    heads = gg.stack([state.weights[0] for state in states])
    panels = [
        ("what comes in", sequence[:, 0], "channel"),
        ("what comes out", told, "bit"),
        ("where it writes", heads[:, machine.reads], "row of the memory"),
        ("where it reads", heads[:, 0], "row of the memory"),
    ]
    upper, lower = drawing.subfigures(2, 1, height_ratios=(1.55, 1))
    axes = upper.subplots(2, 2, sharex=True, height_ratios=(1, 2)).ravel()
    for place, (title, values, label) in zip(axes, panels, strict=True):
        place.imshow(values.numpy().T, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        place.axvline(length + 1.5, color=RED, linewidth=1)
        place.set(title=title, ylabel=label)
        place.yaxis.get_major_locator().set_params(integer=True)
    for place in axes[2:]:
        place.set_xlabel("step (red: from here on nothing comes in)")
    moments = (0, length // 2, length + 1, steps - 1)
    largest = max(abs(states[moment].memory[0].numpy()).max() for moment in moments)
    for place, moment in zip(lower.subplots(1, len(moments), sharey=True), moments, strict=True):
        memory = states[moment].memory[0].numpy()
        image = place.imshow(memory, cmap="RdBu", vmin=-largest, vmax=largest, aspect="auto", interpolation="nearest")
        place.set_title(f"the memory after step {moment}", fontsize=9, color=GREY)
        place.set_xlabel("number in the row")
    lower.axes[0].set_ylabel("row")
    lower.colorbar(image, ax=lower.axes, shrink=0.9)
    return drawing


def unrolled(machine, length, bits):
    """The graph of copying one sequence, a box for each step, with values and gradients."""
    with observe() as seen:  # noqa: F841  what it saw is there as long as it is
        sequence, vectors = copy_task(length, 1, bits)
        logits, _ = machine.run(sequence, length)
        loss = F.binary_cross_entropy_with_logits(logits, vectors)
        return draw(loss, title=f"a neural Turing machine copies {length} vectors")


def main():
    """Train, test on lengths seen and unseen, draw."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--steps", type=int, default=3000, help="steps of training (%(default)s)")
    parser.add_argument("--bits", type=int, default=8, help="of a vector (%(default)s)")
    parser.add_argument("--rows", type=int, default=32, help="of the memory in training (%(default)s)")
    parser.add_argument("--width", type=int, default=16, help="numbers in a row of the memory (%(default)s)")
    parser.add_argument("--hidden", type=int, default=64, help="units of the controller (%(default)s)")
    parser.add_argument("--controller", choices=("lstm", "feedforward"), default="lstm", help="(%(default)s)")
    parser.add_argument("--count", type=int, default=500, help="sequences of each length to test on (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and data (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="few steps, few sequences")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device
    steps, count = (60, 5) if args.quick else (args.steps, args.count)
    gg.random.seed(args.seed)

    sizes = {"rows": args.rows, "width": args.width, "hidden": args.hidden, "controller": args.controller}
    machine = NeuralTuringMachine(args.bits + 2, args.bits, **sizes)
    parameters = sum(p.size for p in machine.parameters())
    print(f"{args.controller} controller, {parameters:,} parameters, memory of {args.rows} x {args.width}, "
          f"on {gg.get_default_device()}")  # fmt: skip
    started = time.process_time()
    costs = train(machine, steps, args.bits)
    print(f"trained in {time.process_time() - started:.0f} s of processor time, {steps:,} steps of {BATCH} sequences\n")
    gg.random.seed(args.seed + 1)
    found = [score(machine, length, count, args.bits) for length in (*range(1, LONGEST + 1), 2 * LONGEST)]
    print(rows([("length", "bits a sequence", "with a wrong bit"),
                *((str(s.length), f"{s.bits:.4f}", f"{s.wrong:.1%}") for s in found)]))  # fmt: skip
    for length in (3 * LONGEST, 5 * LONGEST):
        longer = score(machine, length, count, args.bits, memory=128)
        print(f"{length} vectors, memory of 128 rows: {longer.bits:.2f} bits of {length * args.bits}, "
              f"{longer.wrong:.1%} with a wrong bit")  # fmt: skip
    save(draw_costs(costs), args.out / "cost.png")
    save(draw_copy(machine, 2 * LONGEST, args.bits), args.out / "copy.png")
    args.out.mkdir(parents=True, exist_ok=True)
    print(f"graph: {unrolled(machine, 2, args.bits).save(args.out / 'graph.html')}")


if __name__ == "__main__":
    main()
