// Elementwise activation functions; the contract is Kernels::activate in kernels.h.
// exp: Cody and Waite range reduction to |r| <= ln(2)/2, then a minimax polynomial (Remez, here by Lawson's
// iteration); exp(x) is kept as p * 2^n so that a product with it is rounded once where the result is
// subnormal. expm1 and log1p after Muller, "Elementary Functions", chapters 4 and 11. The normal
// distribution's tail is exp(-t^2/2) times a polynomial in (t - k)/(t + k), with t^2 in two parts. NaN comes
// out as NaN.

namespace conv2d {
namespace {

CONV2D_INLINE Vec zero() { return set(0.0f); }
CONV2D_INLINE Vec negate(Vec x) { return sub(zero(), x); }
CONV2D_INLINE Vec absolute(Vec x) { return max(x, negate(x)); }
CONV2D_INLINE Vec minus_absolute(Vec x) { return min(x, negate(x)); }

// A sum of kWhole and a small v is rounded to a whole number, whose lowest bits are those of round(v):
// power_of_two(kUnit + n) is 2^n for -126 <= n <= 127, and infinity for n = 128.
constexpr float kWhole = 0x1.8p23f, kUnit = kWhole + 127.0f;

// sign * (y - n * log(2)) for y = sign * x, n = round(y / log(2)); *shifted = shift + n, with shift as
// kWhole.
CONV2D_INLINE Vec reduce(Vec x, float sign, float shift, Vec* shifted) {
  *shifted = fma(x, set(sign * 1.44269504f), set(shift));
  const Vec n = sub(*shifted, set(shift));
  return fma(n, set(sign * -1.42860677e-6f), fma(n, set(sign * -0.693145752f), x));
}

// (exp(y) - 1 - y) / y^2 for y = sign * r, |r| <= log(2) / 2
CONV2D_INLINE Vec exponential_rest(Vec r, float sign) {
  Vec q = fma(set(1.39504485e-3f), r, set(sign * 8.36888608e-3f));
  q = fma(q, r, set(4.1666206e-2f));
  q = fma(q, r, set(sign * 0.166665196f));
  return fma(q, r, set(0.5f));
}

// exp(r) - 1 for |r| <= log(2) / 2
CONV2D_INLINE Vec small_exponential(Vec r) { return fma(mul(r, r), exponential_rest(r, 1.0f), r); }

// a * 2^n for whole |n| <= 252, also where 2^n alone would leave the range of normal numbers
CONV2D_INLINE Vec scale_by_power(Vec a, Vec n) {
  const Vec unit = set(kUnit), half = fma(n, set(0.5f), unit);
  return mul(mul(a, power_of_two(half)), power_of_two(add(unit, sub(n, sub(half, unit)))));
}

// p * 2^n
struct Power {
  Vec p, n;
};
CONV2D_INLINE Vec value(Power e) { return scale_by_power(e.p, e.n); }

// factor * exp(x + low) for x <= 88.8 and |low| far below |x|; 0 below -126.
CONV2D_INLINE Power exponential_parts(Vec x, Vec low = zero(), Vec factor = set(1.0f)) {
  Vec shifted;
  const Vec r = add(reduce(max(set(-126.0f), x), 1.0f, kWhole, &shifted), low);
  const Vec p = select(less(x, set(-126.0f)), zero(), fma(factor, small_exponential(r), factor));
  return {p, sub(shifted, set(kWhole))};
}

CONV2D_INLINE Vec exponential(Vec x) { return value(exponential_parts(min(set(88.8f), x))); }

// exp(x) - 1 for x <= 0
CONV2D_INLINE Vec exponential_minus_one(Vec x) {
  Vec shifted;
  const Vec r = reduce(max(set(-40.0f), x), 1.0f, kUnit, &shifted), power = power_of_two(shifted);
  return fma(power, small_exponential(r), sub(power, set(1.0f)));
}

// log(1 + x) for 0 <= x <= 1: twice atanh(x / (2 + x))
CONV2D_INLINE Vec logarithm_plus_one(Vec x) {
  const Vec s = div(x, add(set(2.0f), x)), z = mul(s, s);
  Vec g = set(0.121287398f);
  g = fma(g, z, set(0.107200935f));
  g = fma(g, z, set(0.143078059f));
  g = fma(g, z, set(0.199994653f));
  g = fma(g, z, set(0.333333373f));
  const Vec half = fma(mul(s, z), g, s);
  return add(half, half);
}

// 2^-48 * (1 + exp(-x)) for x <= 40: scaled so that nothing but what is to be infinity leaves the normal
// numbers. Infinity from x = -122 down.
constexpr float kLogisticHigh = 40.0f, kLogisticScale = 0x1p-48f;
CONV2D_INLINE Vec logistic_divisor(Vec x) {
  Vec shifted;
  const Vec r = reduce(max(set(-122.0f), x), -1.0f, kUnit - 48.0f, &shifted);
  const Vec p = fma(fma(exponential_rest(r, -1.0f), r, set(-1.0f)), r, set(1.0f));
  return fma(p, power_of_two(shifted), set(kLogisticScale));
}

CONV2D_INLINE Vec sigmoid(Vec x) {
  return div(set(kLogisticScale), logistic_divisor(min(set(kLogisticHigh), x)));
}

CONV2D_INLINE Vec tanh_of(Vec x) {
  const Vec a = absolute(x);
  const Vec e = exponential_minus_one(negate(add(a, a)));
  const Vec t = div(e, add(set(2.0f), e));
  return select(less(x, zero()), t, negate(t));
}

CONV2D_INLINE Vec softplus(Vec x) {
  return add(max(zero(), x), logarithm_plus_one(value(exponential_parts(minus_absolute(x)))));
}

// sigmoid(x) is 1 from 40 on. -infinity / infinity is the NaN that -infinity * 0 is.
CONV2D_INLINE Vec silu(Vec x) {
  const Vec z = min(set(kLogisticHigh), x);
  const Vec y = mul(div(z, logistic_divisor(z)), set(kLogisticScale));
  return select(less(set(kLogisticHigh), x), x, y);
}

// x * sigmoid(2 z), z = sqrt(2 / pi) * (x + 0.044715 x^3), 2 |z| in two parts; with e = exp(-2 |z|) the
// sigmoid is 1 / (1 + e), below 0 e / (1 + e)
CONV2D_INLINE Vec gelu_tanh(Vec x) {
  const Vec a = min(set(12.0f), absolute(x));
  const Vec c1 = set(0.0713548139f), c0 = set(1.59576917f);
  const Vec q = mul(a, a), q_low = product_error(a, a, q);
  const Vec t = mul(q, c1), t_low = fma(q_low, c1, fma(q, set(2.39883247e-9f), product_error(q, c1, t)));
  const Vec s = add(t, c0), rest = sub(s, t);
  const Vec s_low = add(add(sub(t, sub(s, rest)), sub(c0, rest)), add(t_low, set(-4.53406805e-8f)));
  const Vec z = mul(a, s), z_low = fma(a, s_low, product_error(a, s, z));
  const Power e = exponential_parts(negate(z), negate(z_low));
  const Vec scaled = scale_by_power(mul(x, e.p), e.n);
  return div(select(less(x, zero()), scaled, x), add(set(1.0f), value(e)));
}

// x * Phi(x); Phi(-t) = exp(-t^2/2) * G(t), G(t) * (t + 4) a polynomial in u = (t - 4)/(t + 4), 0 <= t
// <= 14.6. The rounding of 1/(t + 4), which G magnifies, is made good in the exponent together with the low
// part of t^2.
CONV2D_INLINE Vec gelu(Vec x) {
  const Vec t = min(set(16.0f), absolute(x)), one = set(1.0f), k = set(4.0f);
  const Vec s = add(t, k), s_low = sub(t, sub(s, k)), w = div(one, s);
  const Vec w_low = negate(fma(w, s_low, product_error(w, s, one)));
  const Vec u = sub(one, mul(set(8.0f), w));
  Vec g = set(-0.00013243343f);
  g = fma(g, u, set(0.000178371352f));
  g = fma(g, u, set(0.0015695896f));
  g = fma(g, u, set(-0.00351207796f));
  g = fma(g, u, set(-0.00752500352f));
  g = fma(g, u, set(0.0604037642f));
  g = fma(g, u, set(-0.186523482f));
  g = fma(g, u, set(0.387136906f));
  g = fma(g, u, set(-0.607896566f));
  g = mul(fma(g, u, set(0.755285144f)), w);
  const Vec half = set(-0.5f), square = mul(t, t);
  const Vec low = fma(w_low, fma(set(6.3f), w, one), mul(half, product_error(t, t, square)));
  const Power e = exponential_parts(mul(half, square), low, g);
  return select(less(x, zero()), scale_by_power(mul(x, e.p), e.n), mul(x, sub(one, value(e))));
}

// x * tanh(log(1 + exp(x))) with e = exp(-|x|): x * (1 + 2e) / (1 + 2e + 2e^2), below 0 x * (e^2 + 2e) /
// (that + 2)
CONV2D_INLINE Vec mish(Vec x) {
  const Power power = exponential_parts(minus_absolute(x));
  const Vec e = value(power), two = set(2.0f), sum = fma(two, e, set(1.0f));
  const Vec scaled = scale_by_power(mul(x, fma(power.p, e, add(power.p, power.p))), power.n);
  const Vec below = div(scaled, fma(e, add(e, two), two));
  const Vec above = mul(x, div(sum, fma(mul(two, e), e, sum)));
  return select(less(x, zero()), below, above);
}

CONV2D_INLINE Vec relu(Vec x, const Activation& a) {
  const Vec threshold = set(a.threshold);
  const Vec below = a.alpha == 0.0f ? zero() : mul(set(a.alpha), sub(x, threshold));
  return min(set(a.max_value), select(less(x, threshold), below, x));
}

CONV2D_INLINE Vec elu_of(Vec x, float below, float above) {
  const Vec negative = min(zero(), x);
  return select(less(x, zero()), mul(set(below), exponential_minus_one(negative)), mul(set(above), x));
}
CONV2D_INLINE Vec elu(Vec x, const Activation& a) { return elu_of(x, a.alpha, 1.0f); }
CONV2D_INLINE Vec selu(Vec x) { return elu_of(x, 1.75809934f, 1.05070099f); }

// (x + 3) / 6 in [0, 1]
CONV2D_INLINE Vec hard_sigmoid(Vec x) {
  return min(set(1.0f), max(zero(), mul(add(x, set(3.0f)), set(1.0f / 6.0f))));
}
CONV2D_INLINE Vec hard_silu(Vec x) { return mul(x, hard_sigmoid(x)); }

CONV2D_INLINE Vec softsign(Vec x) { return div(x, add(set(1.0f), absolute(x))); }

CONV2D_INLINE Vec linear(Vec x) { return x; }

// Functions with parameters take these from the activation.
CONV2D_INLINE Vec value_of(Vec (*function)(Vec), Vec x, const Activation&) { return function(x); }
CONV2D_INLINE Vec value_of(Vec (*function)(Vec, const Activation&), Vec x, const Activation& a) {
  return function(x, a);
}

template <auto kFunction>
void map(const Activation& activation, const float* x, float* y, int64_t count) {
  const Activation a = activation;  // which stores to y cannot change
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(y + i, value_of(kFunction, load(x + i), a));
  if (i < count) store_first(y + i, value_of(kFunction, load_first(x + i, count - i), a), count - i);
}

// In the order of ActivationKind.
constexpr void (*kMaps[])(const Activation&, const float*, float*, int64_t) = {
    map<linear>,       map<relu>,    map<elu>,       map<selu>,     map<sigmoid>,
    map<hard_sigmoid>, map<tanh_of>, map<softplus>,  map<softsign>, map<silu>,
    map<hard_silu>,    map<gelu>,    map<gelu_tanh>, map<mish>,     map<exponential>};

void activate(const Activation& a, const float* x, float* y, int64_t count) {
  if (a.kind != ActivationKind::kLinear || x != y) kMaps[static_cast<int>(a.kind)](a, x, y, count);
}

}  // namespace
}  // namespace conv2d
