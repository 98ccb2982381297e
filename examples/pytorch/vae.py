"""A variational autoencoder: pictures through a few numbers and back."""

import argparse

from made import pictures

import gpugrad.torch as torch

nn, F, optim = torch.nn, torch.nn.functional, torch.optim


class VAE(nn.Module):
    def __init__(self, width=256, hidden=64, latent=4):
        super().__init__()
        self.width = width
        self.fc1 = nn.Linear(width, hidden)
        self.fc21 = nn.Linear(hidden, latent)
        self.fc22 = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, width)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, self.width))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon, x, mu, logvar):
    bce = F.binary_cross_entropy(recon, x.view(-1, recon.size(1)), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


def build():
    return VAE()


def train(model, steps=20, device="cpu", batch=32):
    x = torch.from_numpy(pictures(320)[0]).to(device)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    model.train()
    for step in range(steps):
        part = x.narrow(0, step * batch % x.size(0), batch)
        optimizer.zero_grad()
        recon, mu, logvar = model(part)
        loss = loss_function(recon, part, mu, logvar)
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / len(part))
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build().to(device)
    losses = train(model, args.steps, device)
    print(f"loss of a picture {losses[0]:.1f} to {losses[-1]:.1f}")
    with torch.no_grad():
        sample = model.decode(torch.randn(1, 4).to(device)).cpu().view(16, 16)
    print("\n".join("".join(" .:#"[int(v * 3.99)] for v in row) for row in sample.tolist()))
