"""From recordings of single notes to a checkpoint, and what it sounds like in figures."""
