"""Frameworks that tests compare with."""

import importlib
import os

import pytest


def needed(name):
    """Import a framework; missing is a reason to skip on a user's machine, and a failure where CI=true."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{name} is not installed, and CI=true demands it")
        pytest.skip(f"{name} is not installed")


def sigmoid_like(torch, k):
    """Return spikes of v > 0 whose derivative is taken to be that of the fast sigmoid, 1/(1 + k |v|)^2."""
    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v):
            ctx.save_for_backward(v)
            return (v > 0).to(v.dtype)

        @staticmethod
        def backward(ctx, grad):
            v, = ctx.saved_tensors
            return grad / (k * v.abs() + 1) ** 2
    return Spike.apply
