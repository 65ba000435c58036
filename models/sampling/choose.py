"""Opening the fastest sampler that there is, or the one asked for."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final, Literal, TypeAlias

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import PARALLEL, ModelConfig
from ostinato.models.sampling.contract import Sampler, SamplerError

EngineName: TypeAlias = Literal["auto", "native", "speculative", "torch", "fused", "naive"]
DeviceName: TypeAlias = Literal["auto", "cpu", "cuda"]
PrecisionName: TypeAlias = Literal["auto", "float32", "int8"]

WAVENET_ALONE: Final = ("speculative", "fused", "naive")
"""Engines that draw from nothing else."""


def open_sampler(
    checkpoint: Checkpoint,
    engine: EngineName = "auto",
    device: DeviceName = "auto",
    slots: int = 32,
    precision: PrecisionName = "auto",
    threads: int = 1,
) -> tuple[Sampler, str]:
    """A sampler with so many slots, and why it was taken. torch is imported only where its sampler is.

    `auto` takes the native kernel on the CPU, the fused one on CUDA, and torch where that one is not to be had; and of
    the native precisions the fastest that keeps the model's quality: int8 where it was measured to cost hardly a bit.

    Args:
        checkpoint: the model.
        engine: which sampler.
        device: what it runs on.
        slots: size of the pool, at least 1.
        precision: of the weights and levels of the stack.
        threads: most cores that the native kernel may take, at least 1; the others take one.

    Raises:
        SamplerError: where what was asked for can't be had; the message names it.
    """
    if engine == "auto":
        engine, why = fastest(device, checkpoint.config.strategy)
    else:
        why = "asked for"
    check_strategy(engine, checkpoint.config)
    if device == "cuda" and engine not in ("torch", "fused"):
        raise SamplerError(f"device: 'cuda' is for the torch and fused engines, not {engine!r}")
    if engine == "native":
        return _open_native(checkpoint, slots, precision, threads), why
    if engine == "speculative":
        return _open_speculative(checkpoint, slots, precision, threads), why
    if precision == "int8":
        raise SamplerError(f"precision: 'int8' is for the native and speculative engines, not {engine!r}")
    if engine == "fused":
        return _open_fused(checkpoint, slots, device, precision), why
    if engine == "naive":
        from ostinato.models.sampling.naive import NaiveSampler

        return NaiveSampler(checkpoint, slots), why
    return _open_torch(checkpoint, slots, device), why


def check_strategy(engine: EngineName, model: ModelConfig) -> None:
    """Refuse an engine that models of this one's strategy can't be drawn by."""
    if engine in WAVENET_ALONE and model.strategy != "wavenet":
        told = f"the strategy of {model.name!r} is {model.strategy!r}"
        raise SamplerError(f"engine: {engine!r} draws from a wavenet alone, and {told}")


def fastest(device: DeviceName, strategy: str = "wavenet") -> tuple[EngineName, str]:
    """The engine that `auto` is for models of a strategy, and why."""
    if device == "cuda" and strategy != "wavenet":
        return "torch", f"there is no fused kernel for a {strategy}"
    if device == "cuda":
        there = find_spec("triton") is not None
        return ("fused", "the fastest on cuda") if there else ("torch", "the fused kernel needs triton, not found here")
    fault = _native_fault()
    return ("native", "the fastest on a CPU") if fault is None else ("torch", f"the native kernel is not here: {fault}")


def _native_fault() -> str | None:
    """Why the kernel can't be had; None where it can."""
    try:
        import ostinato.models.sampling.native  # noqa: F401
    except ImportError as error:
        return str(error)
    return None


def _open_native(checkpoint: Checkpoint, slots: int, precision: PrecisionName, threads: int) -> Sampler:
    _need_kernel("native")
    from ostinato.models.sampling.native import NativeSampler

    return NativeSampler(checkpoint, slots, threads=threads, precision=_fastest_precision(checkpoint, precision))


def _open_speculative(checkpoint: Checkpoint, slots: int, precision: PrecisionName, threads: int) -> Sampler:
    _need_kernel("speculative")
    from ostinato.models.sampling.speculative import SpeculativeSampler

    if checkpoint.draft is None:
        name = checkpoint.config.name
        raise SamplerError(f"engine: 'speculative' needs a draft of {name!r}, which `ostinato draft` makes")
    chosen = _fastest_precision(checkpoint, precision)
    return SpeculativeSampler(checkpoint, checkpoint.draft, slots, threads=threads, precision=chosen)


def _need_kernel(engine: str) -> None:
    fault = _native_fault()
    if fault is not None:
        raise SamplerError(f"engine: {engine!r} was not built: {fault}")


def _fastest_precision(checkpoint: Checkpoint, precision: PrecisionName) -> Literal["float32", "int8"]:
    if precision != "auto":
        return precision
    return "int8" if checkpoint.calibration and checkpoint.calibration.keeps_quality else "float32"


def _open_fused(checkpoint: Checkpoint, slots: int, device: DeviceName, precision: PrecisionName) -> Sampler:
    try:
        from ostinato.models.sampling.fused import FusedSampler
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        raise SamplerError("engine: 'fused' needs triton: pip install 'ostinato[cuda]'") from error

    chosen = _torch_device("cuda" if device == "auto" else device)
    return FusedSampler(checkpoint, slots, chosen, "float32" if precision == "float32" else "float16")


def _open_torch(checkpoint: Checkpoint, slots: int, device: DeviceName) -> Sampler:
    if checkpoint.config.strategy in PARALLEL:
        from ostinato.models.sampling.torch_parallel import TorchParallelSampler

        return TorchParallelSampler(checkpoint, slots, device=_torch_device(device))
    from ostinato.models.sampling.torch_sampler import TorchSampler

    return TorchSampler(checkpoint, slots, device=_torch_device(device))


def _torch_device(device: DeviceName) -> str:
    if device != "cuda":
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        raise SamplerError("device: 'cuda' is not available here")
    return "cuda"
