"""Six families of convolutional networks, small: VGG, ResNet, GoogLeNet, DenseNet, MobileNet and ShuffleNet."""

import argparse

from made import pictures

import gpugrad.torch as torch

nn, F, optim = torch.nn, torch.nn.functional, torch.optim


class VGG(nn.Module):
    def __init__(self, cfg=(8, "M", 16, "M", 16, 16, "M"), classes=4):
        super().__init__()
        self.features = self._make_layers(cfg)
        self.classifier = nn.Linear(16, classes)

    def _make_layers(self, cfg):
        layers, channels = [], 3
        for x in cfg:
            if x == "M":
                layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
            else:
                layers += [nn.Conv2d(channels, x, kernel_size=3, padding=1), nn.BatchNorm2d(x), nn.ReLU(inplace=True)]
                channels = x
        layers += [nn.AdaptiveAvgPool2d((1, 1))]
        return nn.Sequential(*layers)

    def forward(self, x):
        out = self.features(x)
        out = out.view(out.size(0), -1)
        return self.classifier(out)


class BasicBlock(nn.Module):
    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, planes, 1, stride=stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class ResNet(nn.Module):
    def __init__(self, blocks=(1, 1), classes=4):
        super().__init__()
        self.in_planes = 8
        self.conv1 = nn.Conv2d(3, 8, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = self._make_layer(8, blocks[0], stride=1)
        self.layer2 = self._make_layer(16, blocks[1], stride=2)
        self.linear = nn.Linear(16, classes)

    def _make_layer(self, planes, count, stride):
        layers = []
        for s in [stride] + [1] * (count - 1):
            layers.append(BasicBlock(self.in_planes, planes, s))
            self.in_planes = planes
        return nn.Sequential(*layers)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer2(self.layer1(out))
        out = F.avg_pool2d(out, 8)
        return self.linear(out.view(out.size(0), -1))


class Inception(nn.Module):
    def __init__(self, in_planes, n1, n3, n5, pool):
        super().__init__()
        self.b1 = nn.Sequential(nn.Conv2d(in_planes, n1, kernel_size=1), nn.BatchNorm2d(n1), nn.ReLU(True))
        self.b2 = nn.Sequential(
            nn.Conv2d(in_planes, n3, 1), nn.ReLU(True), nn.Conv2d(n3, n3, 3, padding=1), nn.ReLU(True)
        )
        self.b3 = nn.Sequential(
            nn.Conv2d(in_planes, n5, 1), nn.ReLU(True), nn.Conv2d(n5, n5, 5, padding=2), nn.ReLU(True)
        )
        self.b4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(in_planes, pool, 1), nn.ReLU(True))

    def forward(self, x):
        return torch.cat([self.b1(x), self.b2(x), self.b3(x), self.b4(x)], 1)


class GoogLeNet(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.pre_layers = nn.Sequential(nn.Conv2d(3, 8, kernel_size=3, padding=1), nn.BatchNorm2d(8), nn.ReLU(True))
        self.a3 = Inception(8, 4, 4, 4, 4)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.a4 = Inception(16, 4, 8, 2, 2)
        self.avgpool = nn.AvgPool2d(8, stride=1)
        self.linear = nn.Linear(16, classes)

    def forward(self, x):
        out = self.a3(self.pre_layers(x))
        out = self.a4(self.maxpool(out))
        out = self.avgpool(out)
        return self.linear(out.view(out.size(0), -1))


class Bottleneck(nn.Module):
    def __init__(self, in_planes, growth):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_planes)
        self.conv1 = nn.Conv2d(in_planes, 2 * growth, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * growth)
        self.conv2 = nn.Conv2d(2 * growth, growth, kernel_size=3, padding=1, bias=False)

    def forward(self, x):
        out = self.conv1(F.relu(self.bn1(x)))
        out = self.conv2(F.relu(self.bn2(out)))
        return torch.cat([out, x], 1)


class DenseNet(nn.Module):
    def __init__(self, growth=4, classes=4):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, kernel_size=3, padding=1, bias=False)
        self.dense1 = nn.Sequential(Bottleneck(8, growth), Bottleneck(8 + growth, growth))
        self.trans1 = nn.Conv2d(8 + 2 * growth, 8, kernel_size=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.linear = nn.Linear(8, classes)

    def forward(self, x):
        out = self.trans1(self.dense1(self.conv1(x)))
        out = F.avg_pool2d(F.relu(self.bn(out)), 16)
        return self.linear(out.view(out.size(0), -1))


class MobileNet(nn.Module):
    def __init__(self, cfg=((8, 1), (16, 2)), classes=4):
        super().__init__()
        layers, planes = [nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)], 8
        for out, stride in cfg:
            layers += [nn.Conv2d(planes, planes, 3, stride=stride, padding=1, groups=planes, bias=False)]
            layers += [nn.BatchNorm2d(planes), nn.Hardswish(inplace=True)]
            layers += [nn.Conv2d(planes, out, kernel_size=1, bias=False), nn.BatchNorm2d(out), nn.SiLU(inplace=True)]
            planes = out
        self.layers = nn.Sequential(*layers)
        self.linear = nn.Linear(planes, classes)

    def forward(self, x):
        out = self.layers(x)
        return self.linear(out.mean(dim=(2, 3)))


class ShuffleNet(nn.Module):
    def __init__(self, groups=2, classes=4):
        super().__init__()
        self.groups = groups
        self.conv1 = nn.Conv2d(3, 8, kernel_size=1, bias=False)
        self.gconv1 = nn.Conv2d(8, 8, kernel_size=1, groups=groups, bias=False)
        self.gconv2 = nn.Conv2d(8, 8, kernel_size=3, stride=2, padding=1, groups=8, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.linear = nn.Linear(16, classes)

    def shuffle(self, x):
        n, c, h, w = x.size()
        g = self.groups
        return x.view(n, g, c // g, h, w).permute(0, 2, 1, 3, 4).contiguous().view(n, c, h, w)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        out = self.gconv2(self.shuffle(F.relu(self.gconv1(x))))
        out = F.relu(self.bn(torch.cat([out, F.avg_pool2d(x, 3, stride=2, padding=1)], dim=1)))
        return self.linear(F.adaptive_avg_pool2d(out, 1).flatten(1))


NETWORKS = {net.__name__: net for net in (VGG, ResNet, GoogLeNet, DenseNet, MobileNet, ShuffleNet)}


def build(name="ResNet"):
    return NETWORKS[name]()


def train(net, steps=20, device="cpu", batch=32):
    x, y = (torch.from_numpy(a).to(device) for a in pictures(320, channels=3))
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200)
    net.train()
    losses, correct, total = [], 0, 0
    for step in range(steps):
        inputs, targets = x[step * batch % len(x) :][:batch], y[step * batch % len(x) :][:batch]
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        predicted = outputs.argmax(dim=1)
        total += targets.size(0)
        correct += predicted.eq(targets).sum().item()
        losses.append(loss.item())
        scheduler.step()
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for name in NETWORKS:
        torch.manual_seed(args.seed)
        losses = train(build(name).to(device), args.steps, device)
        print(f"{name}: loss {losses[0]:.3f} to {losses[-1]:.3f}")
