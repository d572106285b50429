// Bits of words, PTX body. Every function is total: what C++ leaves undefined is said here.
#pragma once

#if defined(__CUDACC__)

namespace ab {

/// The three-input logic function of truth table kLut: bit i of it is f(a, b, c), i = 4a + 2b + c.
template <int kLut>
AB_FN u32 lop3(u32 a, u32 b, u32 c) {
  u32 d;
  asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(d) : "r"(a), "r"(b), "r"(c), "n"(kLut));
  return d;
}

/// Byte i of the result is byte s_i of b:a, s_i = bits [4i, 4i+3) of selector; bit 4i+3 replicates
/// its sign instead.
AB_FN u32 prmt(u32 a, u32 b, u32 selector) {
  u32 d;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(selector));
  return d;
}

/// The low 32 bits of hi:lo >> (shift mod 32).
AB_FN u32 funnel_right(u32 lo, u32 hi, u32 shift) {
  u32 d;
  asm("shf.r.wrap.b32 %0, %1, %2, %3;" : "=r"(d) : "r"(lo), "r"(hi), "r"(shift));
  return d;
}

/// The high 32 bits of hi:lo << (shift mod 32).
AB_FN u32 funnel_left(u32 lo, u32 hi, u32 shift) {
  u32 d;
  asm("shf.l.wrap.b32 %0, %1, %2, %3;" : "=r"(d) : "r"(lo), "r"(hi), "r"(shift));
  return d;
}

/// Bits [pos, pos+len) of w, zero-extended; bits beyond 31 read as 0. Pre: pos, len < 256.
AB_FN u32 bit_extract(u32 w, u32 pos, u32 len) {
  u32 d;
  asm("bfe.u32 %0, %1, %2, %3;" : "=r"(d) : "r"(w), "r"(pos), "r"(len));
  return d;
}

/// Bits [pos, pos+len) of w, sign-extended; bits beyond 31 read as bit 31. Len 0 gives 0.
AB_FN i32 bit_extract_signed(u32 w, u32 pos, u32 len) {
  i32 d;
  asm("bfe.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(w), "r"(pos), "r"(len));
  return d;
}

/// w with bits [pos, pos+len) replaced by the low bits of value; bits beyond 31 are dropped.
AB_FN u32 bit_insert(u32 w, u32 value, u32 pos, u32 len) {
  u32 d;
  asm("bfi.b32 %0, %1, %2, %3, %4;" : "=r"(d) : "r"(value), "r"(w), "r"(pos), "r"(len));
  return d;
}

/// Number of ones; leading zeros (32 of 0); bits in reverse order.
AB_FN int popc(u32 w) { return __popc(w); }
AB_FN int clz(u32 w) { return __clz(w); }
AB_FN u32 brev(u32 w) { return __brev(w); }

/// Shifts by 32 (64) or more give 0, or the sign for the signed right shift.
AB_FN u32 shift_left(u32 w, u32 shift) {
  u32 d;
  asm("shl.b32 %0, %1, %2;" : "=r"(d) : "r"(w), "r"(shift));
  return d;
}
AB_FN u32 shift_right(u32 w, u32 shift) {
  u32 d;
  asm("shr.u32 %0, %1, %2;" : "=r"(d) : "r"(w), "r"(shift));
  return d;
}
AB_FN i32 shift_right_signed(i32 w, u32 shift) {
  i32 d;
  asm("shr.s32 %0, %1, %2;" : "=r"(d) : "r"(w), "r"(shift));
  return d;
}
AB_FN u64 shift_left_64(u64 w, u32 shift) {
  u64 d;
  asm("shl.b64 %0, %1, %2;" : "=l"(d) : "l"(w), "r"(shift));
  return d;
}
AB_FN u64 shift_right_64(u64 w, u32 shift) {
  u64 d;
  asm("shr.u64 %0, %1, %2;" : "=l"(d) : "l"(w), "r"(shift));
  return d;
}
AB_FN i64 shift_right_signed_64(i64 w, u32 shift) {
  i64 d;
  asm("shr.s64 %0, %1, %2;" : "=l"(d) : "l"(w), "r"(shift));
  return d;
}

/// The upper half of the product.
AB_FN i32 mul_hi(i32 a, i32 b) { return __mulhi(a, b); }
AB_FN u32 mul_hi_u(u32 a, u32 b) { return __umulhi(a, b); }

/// c + the sum of the four products of bytes (signed; unsigned), modulo 2^32.
AB_FN i32 dot4_s8(u32 a, u32 b, i32 c) {
  i32 d;
  asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
AB_FN u32 dot4_u8(u32 a, u32 b, u32 c) {
  u32 d;
  asm("dp4a.u32.u32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}

}  // namespace ab

#endif
