"""The kernel: one program carries `LANES` streams through every layer of every sample of a launch.

Weights go from L2 straight into the registers that feed the tensor cores, rings lie in global memory, what else a
stream remembers stays in registers until the launch ends. Streams are the rows of every product, so that one load of a
weight serves all of them.

Within a launch a ring row is written by some threads of a program and read by others, samples later.
`tl.debug_barrier` (a block-wide `bar.sync`, which also orders global memory within the block) stands once a sample
between the two. One is enough because a ring is longer than its layer reaches: the row written at sample t is read
at the earliest at t + 1, and was read last at an earlier sample. Triton adds no such barrier by itself, since it does
not know that pointers of a load and a store meet; its interpreter runs a program in one thread and misses nothing
without.

Triton has no types to check against, so neither have the functions here: `kernel.pyi` states what is called from
outside.
"""

import triton
import triton.language as tl

from ostinato.models.fused.drawing import draw, uniforms

INTERPRETED = bool(triton.knobs.runtime.interpret)  # settled where a function is decorated, so once, here


@triton.jit
def tanh(x, FAST: tl.constexpr):
    """Elementwise; FAST: the hardware's own, off by 2^-11 of itself at most, which half precision does not see."""
    if FAST:
        return tl.inline_asm_elementwise("tanh.approx.f32 $0, $1;", "=f,f", [x], tl.float32, True, 1)
    decay = tl.exp(-2.0 * tl.minimum(tl.maximum(x, -15.0), 15.0))  # held where tanh is 1 or -1 in float32
    return (1.0 - decay) / (1.0 + decay)


@triton.jit
def sigmoid(x, FAST: tl.constexpr):
    """Elementwise; FAST as for tanh."""
    if FAST:
        return 0.5 * tanh(0.5 * x, FAST) + 0.5
    return 1.0 / (1.0 + tl.exp(-tl.maximum(x, -50.0)))  # held where it is 0 in float32


@triton.jit
def sine_and_cosine(angle, FAST: tl.constexpr):
    """Elementwise, of angles in [-pi, pi]; FAST: the hardware's own, off by 2^-20 at most."""
    if FAST:
        return (
            tl.inline_asm_elementwise("sin.approx.f32 $0, $1;", "=f,f", [angle], tl.float32, True, 1),
            tl.inline_asm_elementwise("cos.approx.f32 $0, $1;", "=f,f", [angle], tl.float32, True, 1),
        )
    return tl.sin(angle), tl.cos(angle)


@triton.jit
def weights(place, WIDTH: tl.constexpr, COLUMNS: tl.constexpr, WARPS: tl.constexpr):
    """A matrix at a pointer, as `packing.fragments` wrote it: [WIDTH, COLUMNS].

    Each thread reads what a tensor core wants of it, 16 bytes at a time, and nothing goes through shared memory.
    """
    more: tl.constexpr = 2 if WIDTH >= 32 else 1
    across: tl.constexpr = WARPS if COLUMNS >= 8 * WARPS else COLUMNS // 8
    flat = tl.load(place + tl.arange(0, WIDTH * COLUMNS))
    parts = tl.reshape(flat, (COLUMNS // (8 * across), WIDTH // (16 * more), across, 8, 4, more, 2, 2))
    return tl.reshape(tl.permute(parts, (1, 5, 6, 4, 7, 0, 2, 3)), (WIDTH, COLUMNS))


@triton.jit
def columns_of(COUNT: tl.constexpr, WARPS: tl.constexpr):
    """Number of each column of a product [B, COUNT], where `spread` has it: [4, 1, ., ., 1, 2]."""
    across: tl.constexpr = WARPS if COUNT >= 8 * WARPS else COUNT // 8
    pair = tl.arange(0, 4)[:, None, None, None, None, None]
    warp = tl.arange(0, across)[None, None, :, None, None, None]
    again = tl.arange(0, COUNT // (8 * across))[None, None, None, :, None, None]
    return ((again * across + warp) * 4 + pair) * 2 + tl.arange(0, 2)[None, None, None, None, None, :]


@triton.jit
def spread(values, COUNT: tl.constexpr, WARPS: tl.constexpr):
    """Values [B, COUNT] of a product as its threads hold them: [4, 8, ., ., B / 8, 2], threads before registers.

    So a load or a store of them is laid out in just that way, and nothing changes hands through shared memory.
    """
    lanes: tl.constexpr = values.shape[0]
    across: tl.constexpr = WARPS if COUNT >= 8 * WARPS else COUNT // 8
    parts = tl.reshape(values, (lanes // 8, 8, COUNT // (8 * across), across, 4, 2))
    return tl.permute(parts, (4, 1, 3, 2, 0, 5))


@triton.jit
def gathered(parts, LANES: tl.constexpr, COUNT: tl.constexpr):
    """What `spread` gives, back: [B, COUNT]."""
    return tl.reshape(tl.permute(parts, (4, 1, 3, 2, 0, 5)), (LANES, COUNT))


@triton.jit
def product(rows, matrix):
    """Rows [B, WIDTH] times a matrix [WIDTH, COLUMNS], summed in float32: [B, COLUMNS]."""
    # ieee: float32 would else be rounded to TF32
    return tl.dot(rows.to(matrix.dtype), matrix, input_precision="ieee")


@triton.jit
def row_of(described, back, ring, live, clock, R: tl.constexpr):
    """What a layer held so many dilations before: [B, R] of a ring described as in `packing.described`.

    ring, live and clock [B, 1]; of the clock, int32, only what the ring's mask leaves counts.
    """
    dilation = (described >> 32).to(tl.int32) & 0xFFFFFF
    mask = (1 << (described >> 56).to(tl.int32)) - 1
    place = described.to(tl.int32) + ((clock - back * dilation) & mask)
    return tl.load(ring + place * R + tl.arange(0, R)[None, :], mask=live, other=0.0)


@triton.jit
def through_layers(hidden, ring, live, clock, written, writing, now, conditions, rings, taps, residual, residual_bias,
                   skip, skip_bias, R: tl.constexpr, S: tl.constexpr, LAYERS: tl.constexpr, TAPS: tl.constexpr,
                   WARPS: tl.constexpr, FAST: tl.constexpr):  # fmt: skip
    """Hidden [B, R] through every layer, each ring's row written: -> skip sum [B, S].

    written, writing and now are ring, live and clock, and conditions a pointer, as `spread` has them.

    What a layer reads is asked for while the layer before computes, each matrix as soon as its registers are free, and
    what the past adds to its sums is there before it begins. Columns of filter and gate take turns, so that one
    product makes both, each beside the other in its thread.
    """
    lanes: tl.constexpr = hidden.shape[0]
    size: tl.constexpr = 2 * R * R
    r, column, both = tl.arange(0, R)[None, :], columns_of(R, WARPS), columns_of(2 * R, WARPS)
    total = tl.zeros((lanes, S), tl.float32) + tl.load(skip_bias + tl.arange(0, S))[None, :]
    described, ahead, second, third = tl.load(rings), tl.load(rings + 1), tl.load(rings + 2), tl.load(rings + 3)
    sums = gathered(tl.load(conditions + both), lanes, 2 * R)
    for tap in tl.static_range(TAPS - 1):
        row = row_of(described, TAPS - 1 - tap, ring, live, clock, R)
        sums += product(row, weights(taps + tap * size, R, 2 * R, WARPS))
    past = row_of(ahead, TAPS - 1, ring, live, clock, R)
    past_second = row_of(second, TAPS - 1, ring, live, clock, R)
    present = weights(taps + (TAPS - 1) * size, R, 2 * R, WARPS)
    onward = weights(residual, R, R, WARPS)
    bias = tl.load(residual_bias + r)
    outward = weights(skip, R, S, WARPS)
    for layer in tl.range(LAYERS, num_stages=1, loop_unroll_factor=2):
        following = tl.where(layer + 1 < LAYERS, layer + 1, 0)  # after the last none follows, and this harms nothing
        fourth = tl.load(rings + layer + 4)
        past_third = row_of(third, TAPS - 1, ring, live, clock, R)
        sums += product(hidden, present)
        earliest = weights(taps + following * TAPS * size, R, 2 * R, WARPS)
        starts = tl.load(conditions + following * 2 * R + both)
        present = weights(taps + (following * TAPS + TAPS - 1) * size, R, 2 * R, WARPS)
        place = described.to(tl.int32) + (now & ((1 << (described >> 56).to(tl.int32)) - 1))
        tl.store(written + place * R + column, spread(hidden.to(ring.dtype.element_ty), R, WARPS), mask=writing)
        filter_, gate = tl.split(tl.reshape(sums, (lanes, R, 2)))
        out = tanh(filter_, FAST) * sigmoid(gate, FAST)
        hidden += product(out, onward) + bias
        total += product(out, outward)
        sums = gathered(starts, lanes, 2 * R) + product(past, earliest)
        for tap in tl.static_range(1, TAPS - 1):
            row = row_of(ahead, TAPS - 1 - tap, ring, live, clock, R)
            sums += product(row, weights(taps + (following * TAPS + tap) * size, R, 2 * R, WARPS))
        onward, bias = weights(residual + following * R * R, R, R, WARPS), tl.load(residual_bias + following * R + r)
        outward = weights(skip + following * R * S, R, S, WARPS)
        past, past_second = past_second, past_third
        described, ahead, second, third = ahead, second, third, fourth
    return total


@triton.jit(do_not_specialize=["frames"])  # or each length of a block would be compiled anew
def draw_block(
    # the streams: [B] of each program in `slots`, -1 where there is none
    slots, key_of, clock_of, phase_of, previous_of, output_of, amplitudes_of, rings_of, ring_rows,
    # the frames [F, pool, ...], and what they lead to
    conditions, condition_frame, condition_slot, amplitudes, log_scales, temperatures, steps, audibles,
    forced, heard, parameters, frames, hop, pool,
    # the weights, as `packing.Packed`
    previous_weight, sine_weight, cosine_weight, input_bias, rings, taps, residual, residual_bias, skip, skip_bias,
    hidden_weight, hidden_bias, last_weight, last_bias,
    LANES: tl.constexpr, R: tl.constexpr, S: tl.constexpr, W: tl.constexpr, P: tl.constexpr, PARTS: tl.constexpr,
    LAYERS: tl.constexpr, TAPS: tl.constexpr, HIDDEN: tl.constexpr, HEAD: tl.constexpr, COUNT: tl.constexpr,
    AMPLITUDE: tl.constexpr, LEAST: tl.constexpr, LOG_LEVELS: tl.constexpr, PRE_EMPHASIS: tl.constexpr,
    WAVES: tl.constexpr, TONE: tl.constexpr, PROBE: tl.constexpr, WARPS: tl.constexpr, FAST: tl.constexpr,
):  # fmt: skip
    """Advance the streams of `slots` by `frames` hops; `launch.py` says what each argument holds."""
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    slot = tl.load(slots + lane).to(tl.int64)
    live = slot >= 0
    slot = tl.maximum(slot, 0)
    key, clock, phase = tl.load(key_of + slot), tl.load(clock_of + slot), tl.load(phase_of + slot)
    previous, output = tl.load(previous_of + slot), tl.load(output_of + slot)
    ring = rings_of + (slot * ring_rows * R)[:, None]  # [B, 1]
    # the same lanes once more, as `spread` has them
    eights = tl.arange(0, LANES // 8)[None, None, None, None, :, None]
    there = tl.program_id(0) * LANES + eights * 8 + tl.arange(0, 8)[None, :, None, None, None, None]
    spread_slot = tl.load(slots + there).to(tl.int64)
    writing = spread_slot >= 0
    spread_slot = tl.maximum(spread_slot, 0)
    began = tl.load(clock_of + spread_slot).to(tl.int32)
    written = rings_of + spread_slot * ring_rows * R
    r, w, p = tl.arange(0, R), tl.arange(0, W), tl.arange(0, P)
    from_previous, input_sum = tl.load(previous_weight + r)[None, :], tl.load(input_bias + r)[None, :]
    for frame in range(frames):
        at = frame * pool + slot  # [B] of [F, pool]
        step, audible = tl.load(steps + at), tl.load(audibles + at)
        temperature, log_scale = tl.load(temperatures + at), tl.load(log_scales + at)
        scale = tl.exp(log_scale)
        # amplitudes [F + 1, pool, 2, W]: those of the hop before stand one frame earlier
        ends = amplitudes + (at * 2 * W)[:, None] + w[None, :]
        sums = conditions + frame * condition_frame + spread_slot * condition_slot
        for t in range(hop):
            hidden = previous[:, None] * from_previous + input_sum  # [B, R]
            centre = tl.zeros_like(previous)
            if WAVES:
                turns = (phase >> 32).to(tl.int32)[:, None] * (w + 1)[None, :]  # 2^32 a turn, and wraps as it does
                angle = (turns >> 8).to(tl.float32) * (6.283185307179586 / 16777216.0)
                heard_of = (w + 1)[None, :] <= audible[:, None]
                sines, cosines = sine_and_cosine(angle, FAST)
                sines, cosines = tl.where(heard_of, sines, 0.0), tl.where(heard_of, cosines, 0.0)
                hidden += product(sines, weights(sine_weight, W, R, WARPS))
                hidden += product(cosines, weights(cosine_weight, W, R, WARPS))
                if TONE:
                    glided = (t + 1.0) / hop
                    before = sines * tl.load(ends) + cosines * tl.load(ends + W)
                    after = sines * tl.load(ends + pool * 2 * W) + cosines * tl.load(ends + pool * 2 * W + W)
                    centre = tl.sum(before, axis=1) * (1.0 - glided) + tl.sum(after, axis=1) * glided
            total = through_layers(hidden, ring, live[:, None], clock.to(tl.int32)[:, None], written, writing,
                                   began + (frame * hop + t), sums, rings, taps, residual, residual_bias, skip,
                                   skip_bias, R, S, LAYERS, TAPS, WARPS, FAST)  # fmt: skip
            for layer in tl.static_range(HIDDEN):
                total = product(tl.maximum(total, 0.0), weights(hidden_weight + layer * S * S, S, S, WARPS))
                total += tl.load(hidden_bias + layer * S + tl.arange(0, S))[None, :]
            total = tl.maximum(total, 0.0)
            first = (
                product(total, weights(last_weight, S, P, WARPS)) + tl.load(last_bias + p)[None, :]
            )  # the only part, or logits
            means, spreads = first, first
            if PARTS > 1:
                part: tl.constexpr = PARTS - 2
                means = product(total, weights(last_weight + part * S * P, S, P, WARPS))
                means += tl.load(last_bias + part * P + p)[None, :]
                means = centre[:, None] + scale[:, None] * means
                spreads = product(total, weights(last_weight + (part + 1) * S * P, S, P, WARPS))
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
    if TONE:
        held, last = amplitudes_of + (slot * 2 * W)[:, None], amplitudes + ((frames * pool + slot) * 2 * W)[:, None]
        sides = tl.arange(0, 2 * W)[None, :]
        tl.store(held + sides, tl.load(last + sides), mask=live[:, None])
    tl.store(clock_of + slot, clock, mask=live)
    tl.store(phase_of + slot, phase, mask=live)
    tl.store(previous_of + slot, previous, mask=live)
    tl.store(output_of + slot, output, mask=live)
