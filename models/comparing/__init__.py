"""Every model and every way of sampling it, on the same held-out notes: what each gives and costs, in one run."""
