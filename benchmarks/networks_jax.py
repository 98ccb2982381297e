"""The networks of ``networks.py`` in JAX: parameters as dictionaries, the loss a function, Adam in the jitted step."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import numpy
from jax import lax
from jax import numpy as jnp
from networks import CLASSES, HEADS, Network

Parameters = dict[str, Any]
Loss = Callable[[Parameters, Any, Any], Any]
RATE, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8


def uniform(rng: numpy.random.Generator, fan_in: int, *shape: int) -> Any:
    """As the layers of PyTorch begin."""
    bound = fan_in**-0.5
    return jnp.asarray(rng.uniform(-bound, bound, shape), jnp.float32)


def linear(rng: numpy.random.Generator, into: int, out: int) -> Parameters:
    return {"w": uniform(rng, into, into, out), "b": uniform(rng, into, out)}


def applied(p: Parameters, x: Any) -> Any:
    return x @ p["w"] + p["b"]


def cross_entropy(scores: Any, y: Any) -> Any:
    scores = scores.reshape(-1, scores.shape[-1])
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(scores), y.reshape(-1, 1), axis=-1))


def mlp(rng: numpy.random.Generator, widths: tuple[int, ...]) -> tuple[Any, Any]:
    layers = [linear(rng, a, b) for a, b in itertools.pairwise(widths)]

    def forward(layers: Any, x: Any) -> Any:
        for p in layers[:-1]:
            x = jax.nn.relu(applied(p, x))
        return applied(layers[-1], x)

    return layers, forward


def cnn(rng: numpy.random.Generator, side: int, channels: tuple[int, int]) -> tuple[Any, Any]:
    first, second = channels
    params = {
        "k1": uniform(rng, 25, first, 1, 5, 5), "b1": uniform(rng, 25, first, 1, 1),
        "k2": uniform(rng, 25 * first, second, first, 5, 5), "b2": uniform(rng, 25 * first, second, 1, 1),
        "linear": linear(rng, second * (side // 4) ** 2, CLASSES),
    }  # fmt: skip

    def forward(p: Parameters, x: Any) -> Any:
        for i in "12":
            x = jax.nn.relu(lax.conv_general_dilated(x, p["k" + i], (1, 1), "SAME") + p["b" + i])
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        return applied(p["linear"], x.reshape(len(x), -1))

    return params, forward


def lstm(rng: numpy.random.Generator, width: int, length: int) -> tuple[Any, Any]:
    params = {
        "input": linear(rng, width, 4 * width), "state": linear(rng, width, 4 * width),
        "linear": linear(rng, width, CLASSES),
    }  # fmt: skip

    def forward(p: Parameters, x: Any) -> Any:
        def step(state: Any, mixed: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(mixed + applied(p["state"], h), 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zeros = jnp.zeros((len(x), width), jnp.float32)
        (h, _), _ = lax.scan(step, (zeros, zeros), applied(p["input"], x).swapaxes(0, 1))
        return applied(p["linear"], h)

    return params, forward


def gpt(rng: numpy.random.Generator, layers: int, width: int, length: int, vocabulary: int) -> tuple[Any, Any]:
    def norm() -> Parameters:
        return {"w": jnp.ones(width), "b": jnp.zeros(width)}

    def block() -> Parameters:
        return {
            "norm1": norm(), "norm2": norm(), "mix": linear(rng, width, 3 * width), "out": linear(rng, width, width),
            "wide": linear(rng, width, 4 * width), "narrow": linear(rng, 4 * width, width),
        }  # fmt: skip

    params = {
        "tokens": jnp.asarray(rng.standard_normal((vocabulary, width)), jnp.float32),
        "places": jnp.zeros((length, width)), "blocks": [block() for _ in range(layers)],
        "norm": norm(), "scores": linear(rng, width, vocabulary),
    }  # fmt: skip
    mask = jnp.tril(jnp.ones((length, length), bool))

    def normed(p: Parameters, x: Any) -> Any:
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(variance + 1e-5) * p["w"] + p["b"]

    def attention(p: Parameters, x: Any) -> Any:
        n, t, _ = x.shape
        mixed = applied(p["mix"], x).reshape(n, t, 3, HEADS, -1)
        q, k, v = (mixed[:, :, i].swapaxes(1, 2) for i in range(3))
        weights = jax.nn.softmax(jnp.where(mask, q @ k.swapaxes(-1, -2) * q.shape[-1] ** -0.5, -jnp.inf), axis=-1)
        return applied(p["out"], (weights @ v).swapaxes(1, 2).reshape(n, t, width))

    def forward(p: Parameters, x: Any) -> Any:
        x = p["tokens"][x] + p["places"]
        for b in p["blocks"]:
            x = x + attention(b, normed(b["norm1"], x))
            hidden = jax.nn.gelu(applied(b["wide"], normed(b["norm2"], x)), approximate=False)
            x = x + applied(b["narrow"], hidden)
        return applied(p["scores"], normed(p["norm"], x))

    return params, forward


BUILDERS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "gpt": gpt}


def training(network: Network) -> Callable[[], float]:
    """A function that takes one step with Adam and waits for its loss."""
    params, forward = BUILDERS[network.kind](numpy.random.default_rng(0), **network.sizes)
    zeros = jax.tree_util.tree_map(jnp.zeros_like, params)
    x, y = (jnp.asarray(a) for a in network.data())

    def step(params: Any, m: Any, v: Any, t: Any, x: Any, y: Any) -> Any:
        loss, g = jax.value_and_grad(lambda p: cross_entropy(forward(p, x), y))(params)
        each = jax.tree_util.tree_map
        m = each(lambda m, g: m + (1 - BETA1) * (g - m), m, g)
        v = each(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
        rate, root = RATE / (1 - BETA1**t), jnp.sqrt(1 - BETA2**t)
        params = each(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + EPS), params, m, v)
        return params, m, v, t + 1, loss

    compiled = jax.jit(step, donate_argnums=(0, 1, 2))
    state = [params, zeros, jax.tree_util.tree_map(jnp.copy, zeros), jnp.float32(1)]

    def run() -> float:
        *state[:], loss = compiled(*state, x, y)
        return float(loss)

    return run
