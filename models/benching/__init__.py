"""What a sample costs on the machine at hand, and how near that is to what the machine can do."""
