"""A row as a run would give it."""

from ostinato.models.benching.rows import Row

ROW = Row(
    engine="native",
    precision="int8",
    isa="avx512",
    device="cpu",
    model="r64",
    slots=1,
    threads=1,
    step_us=3.512,
    best_us=3.4,
    us_per_sample=3.512,
    rtf=0.1549,
    speedup_vs_torch=489.3,
    macs_per_sample=602176,
    weight_bytes=635136,
    roofline_us=2.4,
    fraction_of_roofline=0.683,
)
