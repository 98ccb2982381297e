"""Train a two-layer network to read handwritten digits; the same command again goes on where it was stopped.

python examples/train_digits.py                                1,797 images of 8x8, no download
python examples/train_digits.py --data mnist --data-dir DIR    MNIST from its files in DIR; without, it is downloaded
"""

import argparse
import sys

from reporting import draw_misclassified, load_weights, save_weights

import gpugrad as gg
from gpugrad import data, nn, optim, training

OPTIMIZERS = {"sgd": (optim.SGD, 0.3), "adagrad": (optim.Adagrad, 0.03), "rmsprop": (optim.RMSprop, 0.001),
              "adam": (optim.Adam, 0.004), "adamw": (optim.AdamW, 0.004)}  # fmt: skip


def main(args: argparse.Namespace) -> None:
    """Train, test, save. Ctrl-C saves the run and ends it with status 130, SIGTERM with 75."""
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device
    gg.random.seed(args.seed)
    train, test = data.digits() if args.data == "digits" else data.mnist(args.data_dir)
    print(f"{len(train)} images to train on, {len(test)} to test, on {gg.get_default_device()}")
    model = nn.Sequential(nn.Flatten(), nn.Linear(train[0][0].size, args.hidden), nn.ReLU(), nn.Linear(args.hidden, 10))
    load_weights(model, args.load)
    make, usual_rate = OPTIMIZERS[args.optimizer]
    optimizer = make(model.parameters(), lr=args.lr or usual_rate)
    falling = optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 - epoch / max(args.epochs, 1))
    batches = data.DataLoader(train, args.batch_size, shuffle=True, seed=args.seed)
    trainer = training.Trainer(
        model, nn.CrossEntropyLoss(), optimizer, folder=args.out, scheduler=falling, schedule="epoch",
        metrics={"accuracy": training.Accuracy()},
        settings={name: getattr(args, name) for name in ("data", "hidden", "optimizer", "lr", "batch_size", "seed")},
    )  # fmt: skip
    trainer.fit(batches, data.DataLoader(test, 1000), args.epochs)
    print(f"test accuracy: {trainer.evaluate(data.DataLoader(test, 1000))['accuracy']:.2%}")
    save_weights(model, args.out)
    draw_misclassified(model, test, args.out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", choices=("digits", "mnist"), default="digits", help="what to train on (%(default)s)")
    add("--data-dir", help="folder with MNIST's files; without it they are downloaded")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute (auto: GPU if any)")
    add("--epochs", type=int, default=30, help="how often to go through the data, in all (%(default)s)")
    add("--lr", type=float, help="learning rate (chosen for the optimizer)")
    add("--hidden", type=int, default=256, help="neurons in the hidden layer (%(default)s)")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="(%(default)s)")
    add("--batch-size", type=int, default=32, help="images for one step (%(default)s)")
    add("--seed", type=int, default=0, help="of the first weights and the order of the images (%(default)s)")
    add("--out", default="runs/train_digits", help="folder for checkpoints, report and weights (%(default)s)")
    add("--load", help="start from the weights in this model.npz")
    try:
        main(parser.parse_args())
    except (ImportError, OSError, ValueError, FloatingPointError, training.CheckpointError) as error:
        sys.exit(str(error))
