"""The fused GPU kernel: whole blocks of samples of many streams in one launch. See NOTES.md."""
