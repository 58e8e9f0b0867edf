"""nanoGPT's CPU configuration for tiny Shakespeare in PyTorch, written from its description.

Source of the sizes: the README and the configuration file `train_shakespeare_char` of
https://github.com/karpathy/nanoGPT, with the options that the README gives for a CPU; no code was
copied. A decoder-only transformer: learned positions, layer norm before attention and before a
GELU network of four times the width, no biases, output tied to the embedding.
"""

import math
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LAYERS, HEADS, WIDTH, BLOCK, BATCH = 4, 4, 128, 64, 12
PEAK_RATE, FINAL_RATE, WARMUP, WEIGHT_DECAY, CLIP = 1e-3, 1e-4, 100, 0.1, 1.0


class Block(nn.Module):
    """Causal self-attention and a network for each position, each added to what comes in."""

    def __init__(self):
        super().__init__()
        self.norm_attention = nn.LayerNorm(WIDTH, bias=False)
        self.queries_keys_values = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.merge = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm_network = nn.LayerNorm(WIDTH, bias=False)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        """(B, T, WIDTH) to the same."""
        packed = self.queries_keys_values(self.norm_attention(x))  # (B, T, 3 * WIDTH)
        heads = packed.unflatten(-1, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(*heads, is_causal=True)  # (B, H, T, W / H)
        x = x + self.merge(found.transpose(1, 2).flatten(2))
        return x + self.narrow(functional.gelu(self.widen(self.norm_network(x))))


class NanoGPT(nn.Module):
    """The whole network: ids (B, T) to logits (B, T, symbols)."""

    def __init__(self, symbols):
        super().__init__()
        self.tokens = nn.Embedding(symbols, WIDTH)
        self.positions = nn.Embedding(BLOCK, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim > 1:
                into_the_sum = name.endswith(("merge.weight", "narrow.weight"))
                spread = 0.02 / math.sqrt(2 * LAYERS) if into_the_sum else 0.02
                nn.init.normal_(weight, std=spread)

    def forward(self, ids):
        """Returns the logits."""
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        return functional.linear(self.norm(self.blocks(x)), self.tokens.weight)


def rate_at(step, progress):
    """A linear warm-up by steps, then half a cosine by progress (0 to 1)."""
    if step < WARMUP:
        return PEAK_RATE * (step + 1) / (WARMUP + 1)
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return FINAL_RATE + cosine * (PEAK_RATE - FINAL_RATE)


def train(ids, symbols, seconds, seed):
    """Trains for so many seconds, which count from the making of the network.

    The decay follows the clock, so that it ends when the time does. There are no evaluations in
    between. The fused AdamW, which nanoGPT takes on a GPU only, is faster here too.

    Returns:
        The network, the steps made and the seconds taken.
    """
    start = time.perf_counter()
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = NanoGPT(symbols)
    weights = list(network.parameters())
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [w for w in weights if w.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.99), fused=True)
    step, warmed = 0, None
    while (elapsed := time.perf_counter() - start) < seconds:
        if step == WARMUP:
            warmed = elapsed
        progress = 0.0 if warmed is None else (elapsed - warmed) / (seconds - warmed)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, progress)
        starts = random.integers(0, len(ids) - BLOCK, (BATCH, 1))
        chunk = torch.from_numpy(ids[starts + np.arange(BLOCK + 1)].astype("int64"))
        logits = network(chunk[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(weights, CLIP)
        optimizer.step()
        step += 1
    return network, step, time.perf_counter() - start


@torch.no_grad()
def nats(network, chunks):
    """Mean nats of the targets of (N, T + 1) ids, each row from its own start."""
    total = 0.0
    for part in np.array_split(chunks, -(-len(chunks) // 64)):
        part = torch.from_numpy(part.astype("int64"))
        logits = network(part[:, :-1]).flatten(0, 1)
        total += functional.cross_entropy(logits, part[:, 1:].flatten(), reduction="sum").item()
    return total / chunks[:, 1:].size
