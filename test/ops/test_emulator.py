# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The host emulator of CUDA that the other tests run kernels on: barriers, exchanges, limits, 16-bit floats, a sanitizer."""

import os

import pytest
import torch

pytestmark = pytest.mark.compiler
KERNELS = """
#include "launch.h"
__global__ void exchanges(const float* in, float* out, int* votes) {
  const int lane = threadIdx.x % 32;
  out[threadIdx.x] = fcis::shuffle_xor(in[threadIdx.x], 1) + fcis::shuffle(in[threadIdx.x], 3);
  const int bit = fcis::ballot(in[threadIdx.x] > 0.5f) >> lane & 1;
  votes[threadIdx.x] = bit + 2 * fcis::shuffle_up(lane, 1);
}
__global__ void reverses(const float* in, float* out) {
  FCIS_SHARED(float, all);
  all[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = all[blockDim.x - 1 - threadIdx.x];
}
__global__ void forgets_a_barrier(const float* in, float* out) {
  FCIS_SHARED(float, all);
  all[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = all[blockDim.x - 1 - threadIdx.x];
}
__global__ void diverges(int how) {
  if (how == 0 && threadIdx.x == 5) return;
  if (how == 1 && threadIdx.x == 5) {
    __syncthreads();
  } else if (how == 1) {
    __syncthreads();
  }
  if (how == 2 && threadIdx.x < 40) fcis::ballot(true);
  __syncthreads();
}
__global__ void converts(const float* in, float* half, float* brain) {
  half[threadIdx.x] = __half2float(__float2half(in[threadIdx.x]));
  brain[threadIdx.x] = __bfloat162float(__float2bfloat16(in[threadIdx.x]));
}
extern "C" cudaError_t run(int64_t which, const float* in, float* out, float* more, int64_t count, int64_t bytes) {
  if (which == 0) FCIS_LAUNCH(exchanges, 1, count, 0, nullptr, in, out, reinterpret_cast<int*>(more));
  if (which == 1) FCIS_LAUNCH(reverses, 1, count, bytes, nullptr, in, out);
  if (which == 2) FCIS_LAUNCH(forgets_a_barrier, 1, count, bytes, nullptr, in, out);
  if (which == 3) FCIS_LAUNCH(diverges, 1, count, 0, nullptr, static_cast<int>(bytes));
  if (which == 4) FCIS_LAUNCH(converts, 1, count, 0, nullptr, in, out, more);
  return cudaGetLastError();
}
"""


@pytest.fixture(scope="module")
def kernels(emulate, tmp_path_factory):
    path = tmp_path_factory.mktemp("kernels") / "kernels.cu"
    path.write_text(KERNELS)
    return emulate(path)


def test_emulator_any_order_runs_barriers_and_exchanges(kernels):
    values, out = torch.rand(64, generator=torch.Generator().manual_seed(0)), torch.zeros(64)
    more, lanes = torch.zeros(64, dtype=torch.int32), torch.arange(64)
    for which in [0, 1, 2, 1, 0, 2, 2, 0, 1]:  # each in each of the orders, which alternate
        kernels("run", which, values, out, more, 64, 256 if which else 0)
        if which == 0:
            assert torch.equal(out, values[lanes ^ 1] + values[lanes // 32 * 32 + 3])
            assert torch.equal(more, (values > 0.5).int() + 2 * (lanes % 32 - 1).clamp(min=0).int())
        else:
            assert torch.equal(out, values.flip(0)) == (which == 1)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (0, r"1 have returned, 63 wait in __syncthreads of line \d+"),
        (1, r"1 wait in __syncthreads of line \d+, 63 wait in __syncthreads of line \d+"),
        (2, "wait in __ballot_sync"),
    ],
)
def test_emulator_divergence_is_reported(kernels, how, message):
    nothing = torch.zeros(1)
    with pytest.raises(RuntimeError, match=message):
        kernels("run", 3, nothing, nothing, nothing, 64, how)
    kernels("run", 3, nothing, nothing, nothing, 64, 3)  # and goes on


def test_emulator_launches_beyond_limits_are_refused(kernels):
    nothing = torch.zeros(1)
    for count, size in [(0, 0), (1025, 0), (64, 48 * 1024 + 1)]:
        with pytest.raises(RuntimeError, match="error 9"):
            kernels("run", 1, nothing, nothing, nothing, count, size)


def test_emulator_16_bit_floats_equal_pytorch(kernels):
    values = torch.randn(1024, generator=torch.Generator().manual_seed(1)) * 10 ** torch.linspace(-9, 5, 1024)
    values[:10] = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 65519.9, 65520.0, 6e-8, 2.9e-8, 6.097e-5, 1 + 2**-11])
    half, brain = torch.zeros(2, 1024)
    kernels("run", 4, values, half, brain, 1024, 0)
    assert torch.equal(half, values.half().float())
    assert torch.equal(brain, values.bfloat16().float())


def test_emulator_read_outside_array_ends_sanitized_process(kernels):
    values, out = torch.zeros(64), torch.zeros(64)
    for source, target, size in [(values[1:], out, 256), (values, out[1:], 256), (values, out, 252)]:
        if (child := os.fork()) == 0:
            kernels("run", 1, source, target, out, 64, size)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert not os.environ.get("FCIS_SANITIZE_WIDTH") or status == 99


@pytest.mark.slow
def test_emulator_under_sanitizer_finds_reads_outside(sanitized):
    sanitized("not slow", "test_emulator.py", chosen="read_outside_array")
