"""A student as pytorch-grad-cam wants a model."""

import torch

from skinlens.networks.student import Student


class LogitsModel(torch.nn.Module):
    """The student as pytorch-grad-cam wants a model: photos in, logits out."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.student(batch).logits
        return logits
