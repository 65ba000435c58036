// Which instruction set a translation unit is compiled for.
//
// Every header that contains code opens `namespace ostinato::inline OSTINATO_ISA`. Without it the linker would keep
// one copy of each inline function, perhaps the AVX-512 one, and run it on a machine that has none.
#pragma once

#ifndef OSTINATO_ISA
#define OSTINATO_ISA baseline
#define OSTINATO_LANES 4
#endif

#define OSTINATO_INLINE inline __attribute__((always_inline))
