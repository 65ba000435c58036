"""Every model and every way to sample it on a CPU, on the same held-out notes: what each gives and costs."""
