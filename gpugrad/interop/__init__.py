"""Functions of gpugrad in programs of other libraries, and theirs here, with gradients across the border.

    from gpugrad.interop import torch as border
    f = border.wrap(function_of_gpugrad)      # takes and gives tensors of PyTorch, differentiable there
    g = border.from_torch(module_of_pytorch)  # takes and gives Tensors of gpugrad, differentiable here

:mod:`gpugrad.interop.jax` has ``wrap`` and ``from_jax``. Each needs its library, and nothing else does.
"""
