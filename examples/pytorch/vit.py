"""A vision transformer: patches of a picture as words, and one more word that is read at the end."""

import argparse

from made import pictures

import gpugrad.torch as torch

nn, F, optim = torch.nn, torch.nn.functional, torch.optim


class FeedForward(nn.Module):
    def __init__(self, dim, hidden_dim, dropout=0.0):
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, hidden_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, dim),
            nn.Dropout(dropout),
        )

    def forward(self, x):
        return self.net(x)


class Attention(nn.Module):
    def __init__(self, dim, heads=4, dim_head=8, dropout=0.0):
        super().__init__()
        self.heads = heads
        self.scale = dim_head**-0.5
        self.norm = nn.LayerNorm(dim)
        self.attend = nn.Softmax(dim=-1)
        self.dropout = nn.Dropout(dropout)
        self.to_qkv = nn.Linear(dim, dim_head * heads * 3, bias=False)
        self.to_out = nn.Linear(dim_head * heads, dim)

    def forward(self, x):
        b, n, _ = x.shape
        qkv = self.to_qkv(self.norm(x)).chunk(3, dim=-1)
        q, k, v = (t.view(b, n, self.heads, -1).transpose(1, 2) for t in qkv)
        dots = torch.matmul(q, k.transpose(-1, -2)) * self.scale
        attn = self.dropout(self.attend(dots))
        out = torch.matmul(attn, v).transpose(1, 2).contiguous().view(b, n, -1)
        return self.to_out(out)


class Transformer(nn.Module):
    def __init__(self, dim, depth, heads, dim_head, mlp_dim, dropout=0.0):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList([])
        for _ in range(depth):
            pair = [Attention(dim, heads, dim_head, dropout), FeedForward(dim, mlp_dim, dropout)]
            self.layers.append(nn.ModuleList(pair))

    def forward(self, x):
        for attn, ff in self.layers:
            x = attn(x) + x
            x = ff(x) + x
        return self.norm(x)


class ViT(nn.Module):
    def __init__(self, image=16, patch=4, classes=4, dim=32, depth=2, heads=4, mlp_dim=64, channels=1, dropout=0.0):
        super().__init__()
        self.patch = patch
        count, width = (image // patch) ** 2, channels * patch * patch
        self.to_embedding = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, dim), nn.LayerNorm(dim))
        self.pos_embedding = nn.Parameter(torch.randn(1, count + 1, dim))
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        self.dropout = nn.Dropout(dropout)
        self.transformer = Transformer(dim, depth, heads, 8, mlp_dim, dropout)
        self.head = nn.Linear(dim, classes)

    def patches(self, img):
        b, c, h, w = img.size()
        p = self.patch
        x = img.view(b, c, h // p, p, w // p, p)
        return x.permute(0, 2, 4, 3, 5, 1).reshape(b, (h // p) * (w // p), p * p * c)

    def forward(self, img):
        x = self.to_embedding(self.patches(img))
        cls_tokens = self.cls_token.expand(x.size(0), -1, -1)
        x = torch.cat((cls_tokens, x), dim=1)
        x = self.dropout(x + self.pos_embedding[:, : x.size(1)])
        x = self.transformer(x)
        return self.head(x[:, 0])


def build(dropout=0.0):
    return ViT(dropout=dropout)


def train(model, steps=20, device="cpu", batch=32):
    x, y = (torch.from_numpy(a).to(device) for a in pictures(320))
    optimizer = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    losses = []
    model.train()
    for step in range(steps):
        at = step * batch % x.size(0)
        loss = F.cross_entropy(model(x[at : at + batch]), y[at : at + batch], label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build(0.1).to(device)
    losses = train(model, args.steps, device)
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}")
