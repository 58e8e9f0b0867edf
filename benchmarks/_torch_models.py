"""The models of rnnzoo as a user of PyTorch would write them, and their training step."""

import torch
from torch import nn
from torch.nn import functional


class TorchLanguageModel(nn.Module):
    """Embedding, `torch.nn.LSTM` and a softmax layer, which may be tied to the embedding."""

    def __init__(self, vocabulary_size, units, num_layers, embedding_dim, tied):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim)
        self.recurrent = nn.LSTM(embedding_dim, units, num_layers, batch_first=True)
        self.projection = nn.Linear(units, embedding_dim) if tied else None
        self.head = nn.Linear(embedding_dim if tied else units, vocabulary_size)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, tokens, state=None):
        hidden, state = self.recurrent(self.embedding(tokens), state)  # (B, T, units)
        if self.projection is not None:
            hidden = self.projection(hidden)  # (B, T, E)
        return self.head(hidden), state  # (B, T, V)


class TorchSeq2Seq(nn.Module):
    """A bidirectional GRU encoder and a GRU decoder with Bahdanau attention before the cell."""

    def __init__(self, source_size, target_size, units):
        super().__init__()
        self.source_embedding = nn.Embedding(source_size, units)
        self.target_embedding = nn.Embedding(target_size, units)
        self.encoder = nn.GRU(units, units, bidirectional=True, batch_first=True)
        self.bridge = nn.Linear(2 * units, units)
        self.keys = nn.Linear(2 * units, units, bias=False)
        self.query = nn.Linear(units, units, bias=False)
        self.score = nn.Linear(units, 1, bias=False)
        self.cell = nn.GRUCell(3 * units, units)
        self.readout = nn.Linear(4 * units, units)
        self.head = nn.Linear(units, target_size)

    def forward(self, source, target):
        padding = source == 0  # (B, S)
        values, final = self.encoder(self.source_embedding(source))  # (B, S, 2 * units)
        state = torch.tanh(self.bridge(torch.cat([final[0], final[1]], -1)))  # (B, units)
        keys = self.keys(values)  # (B, S, units)
        embedded = self.target_embedding(target)  # (B, T, E)
        said = []
        for token in embedded.unbind(1):
            scores = self.score(torch.tanh(self.query(state)[:, None] + keys)).squeeze(-1)  # (B, S)
            weights = torch.softmax(scores.masked_fill(padding, -1e9), -1)
            context = torch.bmm(weights[:, None], values).squeeze(1)  # (B, 2 * units)
            state = self.cell(torch.cat([token, context], -1), state)
            said.append(torch.cat([state, context], -1))
        said = torch.cat([torch.stack(said, 1), embedded], -1)  # (B, T, 4 * units)
        return self.head(torch.tanh(self.readout(said)))  # (B, T, V)


def torch_step(model, inputs, targets, autocast):
    """A training step in PyTorch eager: Adam, clipping, and a language model's carried state.

    Args:
        model: One of the models above.
        inputs: The ids the model reads, NumPy arrays in the order of its arguments.
        targets: The ids to predict, a NumPy array (batch, time).
        autocast: Whether products run in bfloat16, under `torch.autocast`.

    Returns:
        A function that takes one training step.
    """
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-7)
    inputs = [torch.from_numpy(part) for part in inputs]
    targets = torch.from_numpy(targets).long().flatten()
    carried = None

    def step():
        nonlocal carried
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            if isinstance(model, TorchLanguageModel):
                logits, state = model(*inputs, carried)
                carried = tuple(part.detach() for part in state)
            else:
                logits = model(*inputs)
            loss = functional.cross_entropy(logits.flatten(0, 1), targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step
