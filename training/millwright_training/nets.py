"""The three encoders. Each turns scaled windows [batch, H, F] into tokens [batch, T, D] and these into one vector [batch, 2 D]."""

import math

import torch
from torch import nn
from torch.nn import functional

WIDTH = 64
#: Tokens that a recurrent or attending net looks at; longer histories are cut into as many patches.
MOST_TOKENS = 64


class Lstm(nn.Module):
    """Two layers (Hochreiter & Schmidhuber 1997); what a step knows is what came before it."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.layers = nn.LSTM(WIDTH, WIDTH, num_layers=2, dropout=0.1, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)[0]


class Residual(nn.Module):
    """Two dilated convolutions around which the input is led (He et al. 2016; Bai et al. 2018)."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.Conv1d(WIDTH, WIDTH, 3, padding=dilation, dilation=dilation, bias=False), nn.BatchNorm1d(WIDTH), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Dropout(0.1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x)


class Cnn(nn.Module):
    """Residual blocks, dilated twice as far each, until the last one sees the whole window."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        blocks = min(6, max(1, math.ceil(math.log2(max(2, tokens) / 4 + 1))))
        self.blocks = nn.Sequential(*(Residual(2**i) for i in range(blocks)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x.transpose(1, 2)).transpose(1, 2)


class Attention(nn.Module):
    """A pre-norm Transformer block (Vaswani et al. 2017; Xiong et al. 2020)."""

    HEADS = 4

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.queries, self.keys, self.values, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.feed = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * WIDTH, WIDTH))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, _ = x.shape
        y = self.before(x)
        q, k, v = (part(y).view(batch, tokens, self.HEADS, -1).transpose(1, 2) for part in (self.queries, self.keys, self.values))
        weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), -1)
        x = x + self.dropout(self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, WIDTH)))
        return x + self.dropout(self.feed(self.between(x)))


class Transformer(nn.Module):
    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(tokens, WIDTH))
        self.blocks = nn.Sequential(*(Attention() for _ in range(3)), nn.LayerNorm(WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x + self.positions)


NETS = {"lstm": Lstm, "cnn": Cnn, "transformer": Transformer}


class Encoder(nn.Module):
    """A token is the values of one step, or of a patch of steps where the history is long (Nie et al. 2023)."""

    def __init__(self, net: str, history: int, features: int) -> None:
        super().__init__()
        self.patch = 1 if net == "cnn" else math.ceil(history / MOST_TOKENS)
        self.tokens = math.ceil(history / self.patch)
        self.padding = self.tokens * self.patch - history
        self.embed = nn.Linear(features * self.patch, WIDTH)
        self.body = NETS[net](self.tokens)

    def sequence(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, T, D]"""
        padded = functional.pad(x, (0, 0, self.padding, 0)) if self.padding else x
        return self.body(self.embed(padded.reshape(x.shape[0], self.tokens, -1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mean over the history beside its last step, which is the present: [batch, 2 D]."""
        sequence = self.sequence(x)
        return torch.cat([sequence.mean(1), sequence[:, -1]], 1)


class Decoder(nn.Module):
    """Back from a few numbers to the window, through a body of the same kind: [batch, 2 D] to [batch, H, F]."""

    def __init__(self, net: str, encoder: Encoder, history: int, features: int) -> None:
        super().__init__()
        self.history, self.features = history, features
        self.bottleneck = nn.Linear(2 * WIDTH, max(2, min(32, history * features // 8)))
        self.spread = nn.Linear(self.bottleneck.out_features, WIDTH)
        self.positions = nn.Parameter(0.1 * torch.randn(encoder.tokens, WIDTH))
        self.body = NETS[net](encoder.tokens)
        self.restore = Restore(encoder, history, features)

    def forward(self, encoded: torch.Tensor) -> torch.Tensor:
        return self.restore(self.body(self.spread(self.bottleneck(encoded)).unsqueeze(1) + self.positions))


class Restore(nn.Module):
    """Tokens [batch, T, D] back to values [batch, H, F]."""

    def __init__(self, encoder: Encoder, history: int, features: int) -> None:
        super().__init__()
        self.history, self.features = history, features
        self.linear = nn.Linear(WIDTH, features * encoder.patch)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        return self.linear(sequence).reshape(sequence.shape[0], -1, self.features)[:, -self.history :]


class Augment(nn.Module):
    """In training only: a little noise, and now and then a feature that is missing for the whole window."""

    NOISE, MISSING = 0.05, 0.05

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        there = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) >= self.MISSING
        return (x + self.NOISE * torch.randn_like(x)) * there
