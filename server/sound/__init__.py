"""Sounds as files: which formats there are, how one is asked for, and how samples become its bytes."""
