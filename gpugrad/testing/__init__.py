"""Testing array code on a machine without a GPU: yours too, with or without gradients.

:mod:`~gpugrad.testing.cuda_simulator` stands in for CuPy::

    # test_blur.py: does blur.py, written for CuPy, run on the device alone, and in one launch?
    from gpugrad.testing import cuda_simulator

    def test_blur():
        with cuda_simulator.installed() as cupy:
            from blur import blur

            x = cupy.zeros((64, 64), dtype="float32")
            with cuda_simulator.count() as seen:
                y = blur(x)
            assert y.shape == (64, 64)
            assert seen.launches == 1 and seen.device_to_host == 0

The pytest plugin does it for a whole run: ``pytest --device simulator``, beside ``cpu`` and ``cuda``. It comes with the
package; from a source tree, ``pytest_plugins = ["gpugrad.testing.plugin"]`` in ``conftest.py`` brings it.
"""
