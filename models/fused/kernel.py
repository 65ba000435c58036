"""The kernel: one program carries `LANES` streams through every layer of every sample of a launch.

Weights are read from L2, rings lie in global memory, what else a stream remembers stays in registers until the
launch ends. Streams are the rows of every product, so that one load of a weight serves all of them.

Within a launch a ring row is written by some threads of a program and read by others, samples later.
`tl.debug_barrier` (a block-wide `bar.sync`, which also orders global memory within the block) stands once a sample
between the two. One is enough because a ring is one row longer than its layer reaches: the row written at sample t
is read at the earliest at t + 1, and was read last at t - 1. Triton adds no such barrier by itself, since it does not
know that pointers of a load and a store meet; its interpreter runs a program in one thread and misses nothing
without.

Triton has no types to check against, so neither have the functions here: `kernel.pyi` states what is called from
outside.
"""

import triton
import triton.language as tl

INTERPRETED = bool(triton.knobs.runtime.interpret)  # settled where a function is decorated, so once, here


@triton.jit
def uniforms(key, clock):
    """Two draws of a sample, as `models/noise.py`: key int64 [B], clock int64 [B] -> float32 [B] in (0, 1), twice."""
    low, high = clock.to(tl.uint32), (clock >> 32).to(tl.uint32)
    zero = tl.zeros_like(low)
    first, second, _, _ = tl.philox(key, low, high, zero, zero)
    scale: tl.constexpr = 2.0**-23
    return ((first >> 9).to(tl.float32) + 0.5) * scale, ((second >> 9).to(tl.float32) + 0.5) * scale


@triton.jit
def gated(filter_, gate):
    """tanh(filter) sigmoid(gate) with one division; held where either is 1 or 0 in float32, so nothing overflows."""
    filter_ = tl.minimum(tl.maximum(filter_, -15.0), 15.0)
    gate = tl.maximum(gate, -50.0)
    decay = tl.exp(-2.0 * filter_)
    return (1.0 - decay) / ((1.0 + decay) * (1.0 + tl.exp(-gate)))


@triton.jit
def product(rows, matrix, WIDTH: tl.constexpr, COLUMNS: tl.constexpr):
    """Rows [B, WIDTH] times a matrix [WIDTH, COLUMNS] at a pointer, summed in float32: [B, COLUMNS]."""
    place = tl.arange(0, WIDTH)[:, None] * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    weights = tl.load(matrix + place)
    # ieee: float32 would else be rounded to TF32
    return tl.dot(rows.to(weights.dtype), weights, input_precision="ieee")


@triton.jit
def category(logits, uniform, temperature, COUNT: tl.constexpr, WIDTH: tl.constexpr):
    """Index drawn from softmax(logits / temperature), as `models/heads.py`: [B, WIDTH], [B], [B] -> int32 [B]."""
    logits = tl.where(tl.arange(0, WIDTH)[None, :] < COUNT, logits, -float("inf"))
    scaled = (logits - tl.max(logits, axis=1)[:, None]) / tl.maximum(temperature, 1e-4)[:, None]
    cumulative = tl.cumsum(tl.exp(scaled), axis=1)
    below = cumulative <= (uniform * tl.max(cumulative, axis=1))[:, None]
    return tl.minimum(tl.sum(below.to(tl.int32), axis=1), COUNT - 1)


@triton.jit
def draw(first, means, log_scales, u0, u1, temperature, HEAD: tl.constexpr, COUNT: tl.constexpr,
         WIDTH: tl.constexpr, AMPLITUDE: tl.constexpr, LEAST: tl.constexpr, LOG_LEVELS: tl.constexpr):  # fmt: skip
    """One sample of each stream in the model's domain from its head's parts, each [B, WIDTH] -> [B]."""
    if HEAD == "mu_law":
        index = category(first, u0, temperature, COUNT, WIDTH)
        companded = 2.0 * index.to(tl.float32) / (COUNT - 1) - 1.0
        size = (tl.exp(tl.abs(companded) * LOG_LEVELS) - 1.0) / (COUNT - 1)
        sample = tl.where(companded < 0, -size, size)
    else:
        if HEAD == "logistics":
            chosen = category(first, u0, temperature, COUNT, WIDTH)
            spread = tl.log(u1) - tl.log(1.0 - u1)
        else:
            chosen = tl.zeros_like(u0).to(tl.int32)
            spread = tl.sqrt(-2.0 * tl.log(u0)) * tl.cos(6.283185307179586 * u1)
        here = tl.arange(0, WIDTH)[None, :] == chosen[:, None]
        mean = tl.sum(tl.where(here, means, 0.0), axis=1)
        log_scale = tl.maximum(tl.sum(tl.where(here, log_scales, 0.0), axis=1), LEAST)
        sample = mean + tl.exp(log_scale) * temperature * spread
        if HEAD == "logistics":  # the nearest 16-bit level
            top: tl.constexpr = AMPLITUDE - 2.0**-15
            sample = tl.floor(tl.minimum(tl.maximum(sample, -AMPLITUDE), top) * 32768.0 + 0.5) / 32768.0
        else:
            sample = tl.minimum(tl.maximum(sample, -AMPLITUDE), AMPLITUDE)
    return sample


@triton.jit
def through_layers(hidden, ring, live, clock, conditions, condition_stride, slot, rings, taps, residual,
                   residual_bias, skip, skip_bias, R: tl.constexpr, S: tl.constexpr, LAYERS: tl.constexpr,
                   TAPS: tl.constexpr):  # fmt: skip
    """Hidden [B, R] through every layer, each ring's row written: -> skip sum [B, S]."""
    r = tl.arange(0, R)
    total = tl.zeros((hidden.shape[0], S), tl.float32) + tl.load(skip_bias + tl.arange(0, S))[None, :]
    for layer in range(LAYERS):
        start, rows = tl.load(rings + 3 * layer), tl.load(rings + 3 * layer + 1)
        dilation = tl.load(rings + 3 * layer + 2)
        sums = conditions + slot[:, None] * condition_stride + layer * 2 * R + r[None, :]
        filter_, gate = tl.load(sums), tl.load(sums + R)  # [B, R] each
        weights = taps + layer * TAPS * 2 * R * R
        for tap in tl.static_range(TAPS - 1):
            # + rows: the remainder of a negative number is negative here
            past = (clock % rows + rows - (TAPS - 1 - tap) * dilation) % rows  # [B]
            row = tl.load(ring + (start + past)[:, None] * R + r[None, :], mask=live[:, None], other=0.0)
            filter_ += product(row, weights + tap * 2 * R * R, R, R)
            gate += product(row, weights + (tap * 2 + 1) * R * R, R, R)
        filter_ += product(hidden, weights + (TAPS - 1) * 2 * R * R, R, R)
        gate += product(hidden, weights + ((TAPS - 1) * 2 + 1) * R * R, R, R)
        place = ring + (start + clock % rows)[:, None] * R + r[None, :]
        tl.store(place, hidden.to(ring.dtype.element_ty), mask=live[:, None])
        out = gated(filter_, gate)
        total += product(out, skip + layer * R * S, R, S)
        hidden += product(out, residual + layer * R * R, R, R) + tl.load(residual_bias + layer * R + r)[None, :]
    return total


@triton.jit(do_not_specialize=["frames"])  # or each length of a block would be compiled anew
def draw_block(
    # the streams: [B] of each program in `slots`, -1 where there is none
    slots, key_of, clock_of, phase_of, previous_of, output_of, rings_of, ring_rows,
    # the frames [F, pool, ...], and what they lead to
    conditions, condition_frame, condition_slot, amplitudes, log_scales, temperatures, steps, audibles,
    forced, heard, parameters, frames, hop, pool,
    # the weights, as `packing.Packed`
    previous_weight, sine_weight, cosine_weight, input_bias, rings, taps, residual, residual_bias, skip, skip_bias,
    hidden_weight, hidden_bias, last_weight, last_bias,
    LANES: tl.constexpr, R: tl.constexpr, S: tl.constexpr, W: tl.constexpr, P: tl.constexpr, PARTS: tl.constexpr,
    LAYERS: tl.constexpr, TAPS: tl.constexpr, HIDDEN: tl.constexpr, HEAD: tl.constexpr, COUNT: tl.constexpr,
    AMPLITUDE: tl.constexpr, LEAST: tl.constexpr, LOG_LEVELS: tl.constexpr, PRE_EMPHASIS: tl.constexpr,
    WAVES: tl.constexpr, TONE: tl.constexpr, PROBE: tl.constexpr,
):  # fmt: skip
    """Advance the streams of `slots` by `frames` hops; `launch.py` says what each argument holds."""
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    slot = tl.load(slots + lane).to(tl.int64)
    live = slot >= 0
    slot = tl.maximum(slot, 0)
    key, clock, phase = tl.load(key_of + slot), tl.load(clock_of + slot), tl.load(phase_of + slot)
    previous, output = tl.load(previous_of + slot), tl.load(output_of + slot)
    ring = rings_of + (slot * ring_rows * R)[:, None]  # [B, 1]
    r, w, p = tl.arange(0, R), tl.arange(0, W), tl.arange(0, P)
    from_previous, input_sum = tl.load(previous_weight + r)[None, :], tl.load(input_bias + r)[None, :]
    for frame in range(frames):
        at = frame * pool + slot  # [B] of [F, pool]
        step, audible = tl.load(steps + at), tl.load(audibles + at)
        temperature, log_scale = tl.load(temperatures + at), tl.load(log_scales + at)
        scale = tl.exp(log_scale)
        # amplitudes [F + 1, pool, 2, W]: those of the hop before stand one frame earlier
        ends = amplitudes + (at * 2 * W)[:, None] + w[None, :]
        for t in range(hop):
            hidden = previous[:, None] * from_previous + input_sum  # [B, R]
            centre = tl.zeros_like(previous)
            if WAVES:
                turns = (phase >> 32).to(tl.int32)[:, None] * (w + 1)[None, :]  # 2^32 a turn, and wraps as it does
                angle = (turns >> 8).to(tl.float32) * (6.283185307179586 / 16777216.0)
                heard_of = (w + 1)[None, :] <= audible[:, None]
                sines, cosines = tl.where(heard_of, tl.sin(angle), 0.0), tl.where(heard_of, tl.cos(angle), 0.0)
                hidden += product(sines, sine_weight, W, R) + product(cosines, cosine_weight, W, R)
                if TONE:
                    there = (t + 1.0) / hop
                    before = sines * tl.load(ends) + cosines * tl.load(ends + W)
                    after = sines * tl.load(ends + pool * 2 * W) + cosines * tl.load(ends + pool * 2 * W + W)
                    centre = tl.sum(before, axis=1) * (1.0 - there) + tl.sum(after, axis=1) * there
            total = through_layers(hidden, ring, live, clock, conditions + frame * condition_frame, condition_slot,
                                   slot, rings, taps, residual, residual_bias, skip, skip_bias, R, S, LAYERS,
                                   TAPS)  # fmt: skip
            for layer in tl.static_range(HIDDEN):
                total = product(tl.maximum(total, 0.0), hidden_weight + layer * S * S, S, S)
                total += tl.load(hidden_bias + layer * S + tl.arange(0, S))[None, :]
            total = tl.maximum(total, 0.0)
            first = product(total, last_weight, S, P) + tl.load(last_bias + p)[None, :]  # the only part, or logits
            means, spreads = first, first
            if PARTS > 1:
                part: tl.constexpr = PARTS - 2
                means = product(total, last_weight + part * S * P, S, P) + tl.load(last_bias + part * P + p)[None, :]
                means = centre[:, None] + scale[:, None] * means
                spreads = product(total, last_weight + (part + 1) * S * P, S, P)
                spreads += tl.load(last_bias + (part + 1) * P + p)[None, :] + log_scale[:, None]
            u0, u1 = uniforms(key, clock)
            sample = draw(first, means, spreads, u0, u1, temperature, HEAD, COUNT, P, AMPLITUDE, LEAST, LOG_LEVELS)
            now = lane * frames * hop + frame * hop + t  # [B] of [streams, samples]
            if PROBE:
                listened = tl.load(forced + now, mask=live, other=0.0)
                sample = listened - PRE_EMPHASIS * output
                output = listened
                rows = parameters + (now * PARTS * COUNT)[:, None] + p[None, :]
                there_are = live[:, None] & (p < COUNT)[None, :]
                if PARTS != 2:
                    tl.store(rows, first, mask=there_are)
                if PARTS > 1:
                    tl.store(rows + (PARTS - 2) * COUNT, means, mask=there_are)
                    tl.store(rows + (PARTS - 1) * COUNT, spreads, mask=there_are)
            else:
                output = sample + PRE_EMPHASIS * output
            tl.store(heard + now, output, mask=live)
            previous = (sample - centre) / scale
            phase += step
            clock += 1
            tl.debug_barrier()  # the rows just written, before any thread reads them at a later sample
    tl.store(clock_of + slot, clock, mask=live)
    tl.store(phase_of + slot, phase, mask=live)
    tl.store(previous_of + slot, previous, mask=live)
    tl.store(output_of + slot, output, mask=live)
