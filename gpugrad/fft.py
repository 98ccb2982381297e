"""Discrete Fourier transforms, with the names of the array API standard and of ``numpy.fft``.

    >>> import gpugrad as gg
    >>> gg.fft.irfft(gg.fft.rfft(gg.tensor([1.0, 2.0, 3.0, 4.0])))
    tensor([1., 2., 3., 4.])

Defined, and differentiated, in :mod:`gpugrad.ops.fourier`.
"""

from .ops.fourier import (
    fft,
    fft2,
    fftfreq,
    fftn,
    fftshift,
    hfft,
    ifft,
    ifft2,
    ifftn,
    ifftshift,
    ihfft,
    irfft,
    irfft2,
    irfftn,
    rfft,
    rfft2,
    rfftfreq,
    rfftn,
)

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip
