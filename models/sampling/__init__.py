"""The samplers, one file each, behind one contract."""
