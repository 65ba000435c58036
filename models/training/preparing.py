"""`ostinato data`: make a data set."""

from __future__ import annotations

from pathlib import Path

from ostinato.models.training.dataset import write_dataset
from ostinato.models.training.notes import Split
from ostinato.models.training.recipe import FLUTE, FLUTE_PROGRAM, default_config, flute_notes
from ostinato.models.training.render import SOUNDFONT, render_notes


def prepare_data(*, out: Path = Path("data/flute"), soundfont: Path = SOUNDFONT, seed: int = 0) -> Path:
    """Render the flute's notes from a General MIDI soundfont into a data set, and return its folder.

    Raises:
        RenderError: where FluidSynth or the soundfont is missing, or plays nothing.
    """
    network = default_config().network
    notes = flute_notes(seed)
    rendered = render_notes(
        notes, soundfont=soundfont, program=FLUTE_PROGRAM, hop=network.hop, sample_rate=network.sample_rate
    )
    gain = write_dataset(
        out,
        notes,
        rendered,
        instrument=FLUTE.name,
        sample_rate=network.sample_rate,
        hop=network.hop,
        source=f"{soundfont.name}, program {FLUTE_PROGRAM}",
    )
    counts = ", ".join(f"{sum(n.split is s for n in notes)} {s.value}" for s in Split)
    print(f"{out}: {len(notes)} notes ({counts}), gain {gain:.3f}")
    return out
