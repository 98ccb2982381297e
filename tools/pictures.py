"""Make the tutorial's pictures again: run the lectures' scripts, and put what they leave into docs/pictures/lectures.

    python tools/pictures.py                        all but the neural Turing machine's; two minutes
    python tools/pictures.py gates templates        those of some scripts

Pictures become a palette of 256 colours, a third of the size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "pictures" / "lectures"

PICTURES = {  # what each script leaves, and what it is called on the site
    "gates": {
        f"{name}.svg": f"{name}.svg"
        for name in ("product_of_a_sum", "neuron", "neuron_with_one_gate", "three_kinds", "branches")
    },
    "vectors": {"squared_length.svg": "squared_length.svg"},
    "computation_graphs": {
        "linear_regression.svg": "linear_regression.svg",
        "fourth_power.svg": "fourth_power.svg",
        "2_layers.svg": "two_layer_regression.svg",
    },
    "linear_classifier": {"linear_classifier.svg": "linear_classifier.svg", "regions.png": "linear_classifier.png"},
    "two_layer_network": {"network.svg": "two_layer_network.svg", "loss.png": "two_layer_network.png"},
    "templates": {"linear.png": "templates_linear.png", "two_layers.png": "templates_two_layers.png"},
    "activation_functions": {"activation_functions.png": "activation_functions.png"},
    "gradient_check": {"gradient_check.png": "gradient_check.png"},
    "initialization": {f"{name}.png": f"initialization_{name}.png" for name in ("values", "depth", "learning")},
    "optimizer_paths": {"optimizer_paths.png": "optimizer_paths.png"},
    "wider_networks": {"wider_networks.png": "wider_networks.png"},
    "window_gradients": {"score.svg": "window_score.svg"},
    "word_windows": {"precision_recall.png": "word_windows.png"},
    "convolution": {
        "mnist/filters.png": "convolution_filters.png",
        "mnist/maps.png": "convolution_maps.png",
        "digits/graph.svg": "convolution_graph.svg",
    },
    "recurrent_network": {
        "two_steps.svg": "recurrent_unrolled.svg",
        "parts.png": "recurrent_parts.png",
        "learning.png": "recurrent_learning.png",
    },
    "recurrent_gradients": {"lengths.png": "recurrent_lengths.png"},
}


def put(made: Path, kept: Path) -> None:
    """Copy one picture, fewer colours if it has pixels."""
    if made.suffix == ".svg":
        kept.write_bytes(made.read_bytes())
    else:
        from PIL import Image

        Image.open(made).convert("RGB").quantize(256).save(kept, optimize=True)


def main() -> None:
    """Run the scripts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scripts", nargs="*", choices=[[], *PICTURES], metavar="script", help=", ".join(PICTURES))
    for name in parser.parse_args().scripts or PICTURES:
        with tempfile.TemporaryDirectory() as out:
            script = ROOT / "examples" / "lectures" / f"{name}.py"
            subprocess.run([sys.executable, script, "--device", "cpu", "--out", out], check=True)
            for made, kept in PICTURES[name].items():
                put(Path(out) / made, FOLDER / kept)


if __name__ == "__main__":
    main()
