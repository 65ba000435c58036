"""The bottleneck itself: the whole receptive field again for every sample.

Kept to measure against, and as the sampler with nothing to go wrong: it has no cached activations at all, only the
samples, controls and phases that were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models import noise
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig
from ostinato.models.controls import FRAME
from ostinato.models.excitation import increment
from ostinato.models.sampling.contract import (
    Build,
    SamplerError,
    Snapshot,
    at_own_temperature,
    check_controls,
    check_forced,
    check_slots,
    own_temperatures,
)
from ostinato.models.sampling.torch_sampler import build_wavenet
from ostinato.models.steered import Steering
from ostinato.models.tone import gliding_tone


@dataclass
class Stream:
    """What one slot remembers: a receptive field of inputs and conditions, and the accumulators."""

    key: int
    clock: int  # samples since reset
    phase: Tensor  # int64 [1]
    previous: float  # last sample in the model's domain, less its tone, in its scale
    output: float  # last sample heard
    amplitudes: Tensor  # float32 [2 K]: the tone's at the last hop's end
    inputs: Tensor  # float32 [<= receptive field, 1 + 2K]
    conditions: Tensor  # float32 [<= receptive field, C]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything, by name, copied."""
        scalars = {"key": np.uint64(self.key), "clock": np.int64(self.clock)}
        floats = {"previous": np.float64(self.previous), "output": np.float64(self.output)}
        tensors = {name: getattr(self, name).numpy().copy() for name in ("phase", "amplitudes", "inputs", "conditions")}
        return {**{k: np.asarray(v) for k, v in {**scalars, **floats}.items()}, **tensors}


class NaiveSampler:
    """A pool of streams over one WaveNet, every sample from a forward over the whole receptive field."""

    def __init__(self, checkpoint: Checkpoint, slots: int) -> None:
        self.config: ModelConfig = checkpoint.config
        self._own_temperatures = own_temperatures(checkpoint.config)
        self.slots = slots
        self._network = build_wavenet(checkpoint, torch.device("cpu"))
        self._streams = [self._silence(0) for _ in range(slots)]

    @property
    def build(self) -> Build:
        """What it runs on."""
        return Build("naive", "float32", "torch", "cpu", torch.get_num_threads())

    def reset(self, slot: int, key: int) -> None:
        """Begin a new stream in a slot."""
        check_slots([slot], self.slots)
        self._streams[slot] = self._silence(key)

    def advance(self, slots: Sequence[int], controls: NDArray[np.float32]) -> NDArray[np.float32]:
        """Draw the next samples of these slots, one slot after the other."""
        check_slots(slots, self.slots)
        count = check_controls(controls, (len(slots),))
        controls = at_own_temperature(controls, self._own_temperatures)
        out = np.empty((len(slots), count * self.config.wavenet.hop), dtype=np.float32)
        for row, slot in enumerate(slots):
            self._run(self._streams[slot], controls[row], None, out[row], None)
        return out

    def probe(self, slot: int, controls: NDArray[np.float32], forced: NDArray[np.float32]) -> NDArray[np.float32]:
        """Advance one slot along given samples: -> head parameters [frames * hop, P]."""
        check_slots([slot], self.slots)
        samples = check_controls(controls, ()) * self.config.wavenet.hop
        check_forced(forced, samples)
        parameters = np.empty((samples, self.config.wavenet.head.parameters), dtype=np.float32)
        self._run(self._streams[slot], controls, forced, np.empty(samples, dtype=np.float32), parameters)
        return parameters

    def snapshot(self, slot: int) -> Snapshot:
        """A copy of a slot's state."""
        check_slots([slot], self.slots)
        return Snapshot("naive", self._streams[slot].arrays())

    def restore(self, slot: int, state: Snapshot) -> None:
        """Put a state into a slot."""
        check_slots([slot], self.slots)
        empty = self._silence(0).arrays()
        if state.engine != "naive" or state.arrays.keys() != empty.keys():
            raise SamplerError(f"state: a snapshot of engine {state.engine!r}, expected 'naive'")
        a = state.arrays
        if any(a[name].shape[1:] != empty[name].shape[1:] for name in ("inputs", "conditions")):
            raise SamplerError("state: inputs or conditions of another model's width")
        if a["amplitudes"].shape != empty["amplitudes"].shape:
            raise SamplerError("state: a tone of another model's harmonics")
        self._streams[slot] = Stream(
            key=int(a["key"]),
            clock=int(a["clock"]),
            phase=torch.from_numpy(a["phase"].copy()),
            previous=float(a["previous"]),
            output=float(a["output"]),
            amplitudes=torch.from_numpy(a["amplitudes"].copy()),
            inputs=torch.from_numpy(a["inputs"].copy()),
            conditions=torch.from_numpy(a["conditions"].copy()),
        )

    def _silence(self, key: int) -> Stream:
        net = self.config.wavenet
        phase = torch.tensor([noise.as_int64(noise.phase_start(key))])
        tone = torch.zeros(2 * net.tone.harmonics if net.tone else 0)
        empty = torch.zeros(0, net.input_channels), torch.zeros(0, net.condition_channels)
        return Stream(key & (2**64 - 1), 0, phase, 0.0, 0.0, tone, *empty)

    @torch.no_grad()
    def _run(
        self,
        stream: Stream,
        controls: NDArray[np.float32],
        forced: NDArray[np.float32] | None,
        heard: NDArray[np.float32],
        parameters: NDArray[np.float32] | None,
    ) -> None:
        """Advance one stream: controls [frames, channels]; fills heard [samples], parameters [samples, P]."""
        net, network = self.config.wavenet, self._network
        frames = torch.from_numpy(controls.copy())
        for t in range(len(heard)):
            frame = frames[t // net.hop, None]  # [1, channels]
            steering = network.steer(frame)
            waves = network.waves(stream.phase, frame[:, FRAME.index("note")])
            row = self._parameters(stream, steering, waves)  # [1, P]
            centre, scale = 0.0, 1.0
            if steering.tone is not None:
                there = (t % net.hop + 1) / net.hop
                tone = gliding_tone(stream.amplitudes[None], steering.tone.amplitudes, waves, there)
                row = network.place(row, tone, steering.tone.log_scale)
                centre, scale = float(tone), float(steering.tone.log_scale.exp())
                if there == 1:
                    stream.amplitudes = steering.tone.amplitudes[0]
            sample, stream.output = self._listen(stream, row, frame, None if forced is None else float(forced[t]))
            stream.previous = (sample - centre) / scale
            stream.phase = stream.phase + increment(frame[:, FRAME.index("note")], net.sample_rate)
            stream.clock += 1
            heard[t] = stream.output
            if parameters is not None:
                parameters[t] = row[0].numpy()

    def _parameters(self, stream: Stream, steering: Steering, waves: Tensor) -> Tensor:
        """Head parameters of what the tone leaves, from the whole window: [1, P]."""
        window = self.config.wavenet.receptive_field
        column = self._network.inputs(torch.tensor([stream.previous]), waves)
        stream.inputs = torch.cat((stream.inputs, column))[-window:]
        condition = stream.conditions.new_zeros(1, 0) if steering.condition is None else steering.condition
        stream.conditions = torch.cat((stream.conditions, condition))[-window:]
        conditions = None if steering.condition is None else stream.conditions[None]
        return self._network.read_out(self._network.stack(stream.inputs[None], conditions, 1)[0, -1:])

    def _listen(self, stream: Stream, row: Tensor, frame: Tensor, forced: float | None) -> tuple[float, float]:
        """The next sample in the model's domain, drawn or forced, and as it is heard."""
        net = self.config.wavenet
        if forced is not None:
            return forced - net.pre_emphasis * stream.output, forced
        uniforms = torch.from_numpy(noise.uniforms(stream.key, stream.clock, 1, net.head.draws))
        temperature = frame[:, FRAME.index("temperature")]
        sample = float(self._network.distribution.sample(row, uniforms, temperature))
        return sample, sample + net.pre_emphasis * stream.output
