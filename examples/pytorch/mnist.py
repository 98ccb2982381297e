"""A small convolutional network on pictures in four classes, as the first program that people write in PyTorch."""

import argparse

from made import pictures

import gpugrad.torch as torch

nn, F, optim, data = torch.nn, torch.nn.functional, torch.optim, torch.utils.data


class Net(nn.Module):
    def __init__(self, dropout=0.25):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 1)
        self.dropout = nn.Dropout(dropout)
        self.fc1 = nn.Linear(16 * 6 * 6, 32)
        self.fc2 = nn.Linear(32, 4)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x), inplace=True)
        x = F.max_pool2d(x, 2)
        x = self.dropout(torch.flatten(x, 1))
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)


def loader(count, seed, batch_size, **options):
    x, y = pictures(count, seed=seed)
    return data.DataLoader(data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size, **options)


def build(dropout=0.0):
    return Net(dropout)


def train(model, steps=20, device="cpu", lr=0.5):
    optimizer = optim.Adadelta(model.parameters(), lr=lr)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    losses = []
    model.train()
    while len(losses) < steps:
        for x, target in loader(320, 0, batch_size=32):
            x, target = x.to(device), target.to(device)
            optimizer.zero_grad()
            loss = F.nll_loss(model(x), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                break
        scheduler.step()
    return losses


def test(model, device):
    model.eval()
    loss, correct, count = 0.0, 0, 0
    with torch.no_grad():
        for x, target in loader(200, 1, batch_size=100):
            x, target = x.to(device), target.to(device)
            output = model(x)
            loss += F.nll_loss(output, target, reduction="sum").item()
            guess = output.argmax(dim=1, keepdim=True)
            correct += guess.eq(target.view_as(guess)).sum().item()
            count += target.size(0)
    return loss / count, correct / count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build(0.25).to(device)
    losses = train(model, args.steps, device)
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}, test loss and accuracy: %.3f, %.3f" % test(model, device))
