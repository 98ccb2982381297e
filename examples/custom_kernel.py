"""Your own kernel, differentiable: two to copy, and a small network that learns with them.

    python examples/custom_kernel.py                      on the GPU if there is one, else on the CPU
    python examples/custom_kernel.py --device cuda

`bump` is elementwise: one CUDA statement, what it means in Python, and its gradient. `moving_average` is a whole kernel
with its own launch and shared memory. Both are checked when they are first used: the kernel against its meaning in
Python, the gradient against finite differences. Change a sign in one of them, and see what you are told.
"""

import argparse

import gpugrad as gg
from gpugrad import nn, optim

# An elementwise kernel. The statement runs on a GPU, for every element of arrays of any shape that broadcast, in
# float16 to float64 (T is the type to compute in); `reference` says the same in Python, and is what runs on a CPU.
# The gradient is an expression of g, the gradient of what comes after: it becomes a fused kernel as well, and so do
# the second derivatives, which gpugrad works out from it.
bump = gg.elementwise_kernel(
    "bump", inputs="x width", outputs="y",
    body="const T u = x / width; y = exp(-u * u);",
    reference="exp(-(x / width) ** 2)",
    gradient={
        "x": "-2 * g * y * x / width ** 2",
        "width": "2 * g * y * x ** 2 / width ** 3",
    },
    domain={"width": (0.5, 2.0)},  # where the check draws its random inputs from: not at 0
)  # fmt: skip


# A raw kernel. You write all of it, and say how it is launched.
SOURCE = """
extern "C" __global__ void moving_average(const T* x, T* y, int n) {
    __shared__ T part[130];                                     // this block's elements, and one on either side
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    const int k = threadIdx.x + 1;
    part[k] = i < n ? x[i] : T(0);
    if (k == 1) part[0] = i > 0 && i - 1 < n ? x[i - 1] : T(0);
    if (k == blockDim.x) part[k + 1] = i + 1 < n ? x[i + 1] : T(0);
    __syncthreads();                                            // no thread reads before all have written
    if (i < n) y[i] = (part[k - 1] + part[k] + part[k + 1]) / T(3);
}
"""


def launch(xp, x):
    """Memory for the result, the kernel's arguments in order, blocks, and threads to a block."""
    y = xp.empty_like(x)
    return gg.Launch(y, (x, y, xp.int32(x.size)), grid=(-(-x.size // 128),), block=(128,))


def average(xp, x):
    """What the kernel computes, in functions of xp: numpy, cupy, or gpugrad itself for second derivatives."""
    zero = xp.zeros_like(x[:1])
    return (xp.concat([zero, x[:-1]]) + x + xp.concat([x[1:], zero])) / 3


moving_average = gg.raw_kernel(
    "moving_average", inputs="x", source=SOURCE, launch=launch,
    reference=average,
    gradient={"x": average},  # f(xp, g): an average of neighbours is its own transpose
    sample=lambda rng: {"x": rng.standard_normal(20)},  # inputs for the check
)  # fmt: skip


class Bumps(nn.Module):
    """A sum of bumps: radial basis functions, whose places, widths and heights are learned."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.places = nn.Parameter(gg.linspace(-3, 3, count))
        self.widths = nn.Parameter(gg.ones(count))
        self.heights = nn.Linear(count, 1)

    def forward(self, x: gg.Tensor) -> gg.Tensor:
        return self.heights(bump(x - self.places, self.widths))


def main() -> None:
    """Fit a noisy curve, smoothed first."""
    parser = argparse.ArgumentParser(description="Two kernels of one's own, and a network that learns with them.")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute (%(default)s)"
    )
    parser.add_argument("--steps", type=int, default=300, help="steps of the optimizer (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device
    gg.random.seed(0)

    x = gg.linspace(-3, 3, 200)
    target = moving_average(gg.sin(2 * x) + 0.1 * gg.random.normal(size=200))

    model = Bumps(20)
    optimizer = optim.Adam(model.parameters(), lr=0.03)
    for step in range(args.steps + 1):
        loss = nn.functional.mse_loss(model(x.reshape(200, 1)), target.reshape(200, 1))
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.5f}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    curvature = gg.grad(gg.grad(lambda t: bump(t, 1.0)))(gg.tensor(0.0))
    print(f"second derivative of the bump at 0: {curvature.item():.3f}")


if __name__ == "__main__":
    main()
