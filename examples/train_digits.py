"""Train a two-layer network to read handwritten digits.

    python examples/train_digits.py                                       1,797 images of 8x8, no download
    python examples/train_digits.py --data mnist                          MNIST, downloaded once
    python examples/train_digits.py --data mnist --data-dir DIR           MNIST from its files in DIR
    python examples/train_digits.py --optimizer sgd --device cuda         stochastic gradient descent, on the GPU

Written to ``--out``: ``model.npz`` (the weights; ``--load`` reads them), ``loss.png`` and ``misclassified.png``.
Ctrl-C stops the training and keeps what was learned; the exit status is then 130.
"""

import argparse
import sys
from pathlib import Path

import numpy
from reporting import Report, draw_loss, draw_misclassified, written_whole

import gpugrad as gg
from gpugrad import data, nn, optim

OPTIMIZERS = {  # each with the learning rate it is used with here
    "sgd": (optim.SGD, 0.3),
    "adagrad": (optim.Adagrad, 0.03),
    "rmsprop": (optim.RMSprop, 0.001),
    "adam": (optim.Adam, 0.004),
    "adamw": (optim.AdamW, 0.004),
}


def main() -> int:
    """Train, test, save; the exit status of the program."""
    args = arguments()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device
    gg.random.seed(args.seed)

    train_data, test_data = read(args)
    batches = data.DataLoader(train_data, args.batch_size, shuffle=True, seed=args.seed)
    pixels, classes = train_data[0][0].size, 10
    print(f"{len(train_data)} images to train on, {len(test_data)} to test, on {gg.get_default_device()}")

    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, args.hidden),
        nn.ReLU(),
        nn.Linear(args.hidden, classes),
    )
    if args.load:
        model.load_state_dict(dict(numpy.load(args.load)))
    optimizer, usual_rate = OPTIMIZERS[args.optimizer]
    optimizer = optimizer(model.parameters(), lr=args.lr or usual_rate)

    status = 0
    report = Report(args.epochs, samples=len(train_data))
    try:
        train(model, optimizer, batches, args.epochs, report)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C: keeping what was learned")
        status = 130
    except FloatingPointError as error:
        sys.exit(f"{error}: nothing is saved; try a smaller --lr")

    accuracy, predicted = test(model, test_data)
    print(f"test accuracy: {accuracy:.2%}")

    args.out.mkdir(parents=True, exist_ok=True)
    with written_whole(args.out / "model.npz") as file:
        numpy.savez(file, **{name: value.numpy() for name, value in model.state_dict().items()})
    draw_loss(args.out / "loss.png", report, accuracy)
    draw_misclassified(args.out / "misclassified.png", *test_data.arrays, predicted)
    print(f"saved in {args.out}: {', '.join(sorted(path.name for path in args.out.iterdir()))}")
    return status


def read(args: argparse.Namespace) -> tuple[data.ArrayDataset, data.ArrayDataset]:
    """Training and test data; what is missing or wrong with a file ends the program with a word about it."""
    try:
        return data.digits() if args.data == "digits" else data.mnist(args.data_dir)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(str(error))


def train(model: nn.Module, optimizer: optim.Optimizer, batches: data.DataLoader, epochs: int, report: Report) -> None:
    """Fit the model to the data."""
    (group,) = optimizer.param_groups
    rate = group["lr"]
    with report:
        for epoch in range(epochs):
            group["lr"] = rate * (1 - epoch / epochs)  # ever smaller steps
            for images, labels in batches:
                scores = model(images)
                loss = nn.functional.cross_entropy(scores, labels)

                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

                correct = (gg.argmax(scores, axis=1) == labels).sum()
                report.step(loss.item(), correct.item(), len(labels))
            report.end_epoch()


@gg.no_grad()
def test(model: nn.Module, dataset: data.ArrayDataset) -> tuple[float, numpy.ndarray]:
    """The fraction of images that the model reads correctly, and what it read for each."""
    model.eval()
    scores = [model(images) for images, _ in data.DataLoader(dataset, batch_size=1000)]
    predicted = gg.argmax(gg.concat(scores), axis=1).numpy()
    _, labels = dataset.arrays
    return float((predicted == labels).mean()), predicted


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train a two-layer network to read handwritten digits.")
    add = parser.add_argument
    add("--data", choices=("digits", "mnist"), default="digits", help="what to train on (%(default)s)")
    add("--data-dir", type=Path, help="folder with MNIST's files; without it they are downloaded")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute (%(default)s: GPU if any)")
    add("--epochs", type=int, default=30, help="how often to go through the data (%(default)s)")
    add("--lr", type=float, help="learning rate (chosen for the optimizer)")
    add("--hidden", type=int, default=256, help="neurons in the hidden layer (%(default)s)")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="(%(default)s)")
    add("--batch-size", type=int, default=32, help="images for one step (%(default)s)")
    add("--seed", type=int, default=0, help="of the first weights and the order of the images (%(default)s)")
    add("--out", type=Path, default=Path("runs/digits"), help="folder for the results (%(default)s)")
    add("--load", type=Path, help="start from the weights in this model.npz")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
