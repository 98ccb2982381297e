"""REINFORCE: a policy that learns to balance a pole on a cart."""

import argparse
import math
import random

import gpugrad.torch as torch

nn, F, optim = torch.nn, torch.nn.functional, torch.optim
Categorical = torch.distributions.Categorical


class CartPole:
    """The cart is pushed to the left or to the right; the episode ends when the pole falls or the cart leaves."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def reset(self):
        self.state = [self.random.uniform(-0.05, 0.05) for _ in range(4)]
        return self.state

    def step(self, action):
        x, v, angle, spin = self.state
        force = 10.0 if action else -10.0
        pull = (force + 0.05 * spin * spin * math.sin(angle)) / 1.1
        turn = (9.8 * math.sin(angle) - math.cos(angle) * pull) / (0.5 * (4 / 3 - 0.1 * math.cos(angle) ** 2 / 1.1))
        push = pull - 0.05 * turn * math.cos(angle) / 1.1
        self.state = [x + 0.02 * v, v + 0.02 * push, angle + 0.02 * spin, spin + 0.02 * turn]
        return self.state, 1.0, abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.2095


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 32)
        self.affine2 = nn.Linear(32, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.affine2(x), dim=1)


def select_action(policy, state):
    state = torch.tensor(state).float().unsqueeze(0)
    m = Categorical(policy(state))
    action = m.sample()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


def finish_episode(policy, optimizer, gamma=0.99):
    total, policy_loss, returns = 0, [], []
    for r in policy.rewards[::-1]:
        total = r + gamma * total
        returns.insert(0, total)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std(unbiased=True) + 1e-6)
    for log_prob, value in zip(policy.saved_log_probs, returns):
        policy_loss.append(-log_prob * value)
    optimizer.zero_grad()
    loss = torch.cat(policy_loss).sum()
    loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]
    return loss.item()


def build():
    return Policy()


def train(policy, steps=5, device="cpu", seed=0):
    env, optimizer, losses = CartPole(seed), optim.Adam(policy.parameters(), lr=1e-2), []
    policy.lengths = []
    for _ in range(steps):
        state = env.reset()
        for _ in range(200):
            state, reward, done = env.step(select_action(policy, state))
            policy.rewards.append(reward)
            if done:
                break
        policy.lengths.append(len(policy.rewards))
        losses.append(finish_episode(policy, optimizer))
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=80, help="episodes")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    policy = build()
    train(policy, args.steps, seed=args.seed)
    first, last = policy.lengths[:10], policy.lengths[-10:]
    print(f"steps that the pole stays up: {sum(first) / len(first):.0f} at first, {sum(last) / len(last):.0f} at last")
