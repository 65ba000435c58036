from numpy import float32, int8, int16, int32, int64, uint8, uint32
from numpy.typing import NDArray

class BlocksShape:
    """A transformer over blocks of samples, as its config names it."""

    block: int
    before: int
    width: int
    heads: int
    kv_heads: int
    feed_forward: int
    layers: int
    window: int
    units: int
    taps: int
    inside: str

class Shape:
    """A network as its config names it; 0 stands for what it lacks."""

    sample_rate: int
    hop: int
    residual: int
    skip: int
    kernel_size: int
    dilations: list[int]
    bias: bool
    head_widths: list[int]
    head: str
    log_scale_min: float
    amplitude: float
    pre_emphasis: float
    harmonics: int
    tone_harmonics: int
    local_widths: list[int]
    global_entries: int
    global_channels: int
    window: int
    strategy: str
    units: int
    bits: list[int]
    moves_set: list[int]
    coupling_units: int
    coupling_lines: int
    parameters: int
    blocks: BlocksShape

class Pool:
    """Slots over one packed model. Arrays are C-contiguous and of the very dtype, or refused with TypeError."""

    def __init__(
        self,
        shape: Shape,
        tensors: dict[str, NDArray[float32] | NDArray[int8] | NDArray[int16] | NDArray[int32]],
        slots: int,
        isa: str = "",
        precision: str = "float32",
        threads: int = 1,
    ) -> None: ...
    @property
    def isa(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def state_bytes(self) -> int: ...
    @property
    def weight_bytes(self) -> int: ...
    def reset(self, slot: int, key: int) -> None: ...
    def advance(self, slots: NDArray[int64], controls: NDArray[float32], out: NDArray[float32]) -> None: ...
    def speculate(
        self, draft: Pool, slots: NDArray[int64], controls: NDArray[float32], out: NDArray[float32], window: int
    ) -> list[int]: ...
    def judge(
        self,
        draft: Pool,
        parameters: NDArray[float32],
        proposed: NDArray[float32],
        temperature: float,
        key: int,
        sample: int,
        tries: int,
    ) -> float: ...
    def probe(
        self,
        slot: int,
        controls: NDArray[float32],
        forced: NDArray[float32],
        heard: NDArray[float32],
        parameters: NDArray[float32],
    ) -> None: ...
    def save(self, slot: int, to: NDArray[uint8]) -> None: ...
    def restore(self, slot: int, state: NDArray[uint8]) -> None: ...
    def sample(self, parameters: NDArray[float32], uniforms: NDArray[float32], temperature: float) -> float: ...

def isas(precision: str = "float32") -> list[str]: ...
def mix(voices: NDArray[float32], gains: NDArray[float32], out: NDArray[float32]) -> None: ...
def evaluate(
    isa: str, function: str, inputs: NDArray[float32], out: NDArray[float32], precision: str = "float32"
) -> None: ...
def philox(key: int, first_sample: int, block: int, purpose: int, out: NDArray[uint32]) -> None: ...
def uniform(word: int) -> float: ...
def phase_start(key: int) -> int: ...
def voice_key(seed: int, ordinal: int) -> int: ...
def read_rate(size: int, isa: str = "") -> float: ...
def multiply_rate(precision: str, isa: str = "") -> float: ...
