"""Run as a program: train a small torch network on digits, convert and quantize it as releases are.

`python -m tests.device.convert STREAM.npz OUT.tflite`. A process of its own, because torch and the
converter are large, and noisy when they are imported.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import litert_torch
import numpy as np
import torch
from ai_edge_quantizer import quantizer, recipe
from torch import nn


class Net(nn.Module):
    """Two convolutions and two dense layers; logits, then features."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(4, 8, 3, padding=1, stride=2),
            nn.ReLU(),
        )
        self.features = nn.Linear(128, 16)
        self.classes = nn.Linear(16, 10)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = torch.relu(self.features(torch.flatten(self.body(images), 1)))
        return self.classes(found), found


def train(images: torch.Tensor, labels: torch.Tensor) -> Net:
    torch.manual_seed(0)
    network = Net()
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(15):
        for batch in torch.randperm(len(images)).split(32):
            loss = nn.functional.cross_entropy(network(images[batch])[0], labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def convert(network: Net, images: torch.Tensor) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/float.tflite"
        litert_torch.convert(network, (images[:1],)).export(path)
        quantizing = quantizer.Quantizer(path, recipe.static_wi8_ai8())
        samples = [{"args_0": image[None].numpy()} for image in images[:100]]
        ranges = quantizing.calibrate({"serving_default": samples})
        return bytes(quantizing.quantize(ranges).quantized_model)


def main(stream: str, out: str) -> None:
    with np.load(stream) as arrays:
        images = torch.tensor(arrays["images"][:1200])[:, None]
        labels = torch.tensor(arrays["labels"][:1200])
    Path(out).write_bytes(convert(train(images, labels), images))


if __name__ == "__main__":
    main(*sys.argv[1:])
