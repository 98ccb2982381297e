"""What the simulated CuPy has: names and signatures, as in CuPy 14.

A function that is not here is not there, as on a real machine; ``tests/testing`` compares the lines with an installed
CuPy. To add a function that CuPy has, write its line; if NumPy's function of that name does something else, write it
in ``functions.py``.
"""

FUNCTIONS = """
all(a, axis=None, out=None, keepdims=False)
allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)
amax(a, axis=None, out=None, keepdims=False)
amin(a, axis=None, out=None, keepdims=False)
angle(z, deg=False)
any(a, axis=None, out=None, keepdims=False)
append(arr, values, axis=None)
arange(start, stop=None, step=1, dtype=None)
argmax(a, axis=None, dtype=None, out=None, keepdims=False)
argmin(a, axis=None, dtype=None, out=None, keepdims=False)
argpartition(a, kth, axis=-1)
argsort(a, axis=-1, kind=None)
argwhere(a)
around(a, decimals=0, out=None)
array(obj, dtype=None, copy=True, order='K', subok=False, ndmin=0, *, blocking=False)
array_equal(a1, a2, equal_nan=False)
array_equiv(a1, a2)
array_split(ary, indices_or_sections, axis=0)
asanyarray(a, dtype=None, order=None, *, copy=None, blocking=False)
asarray(a, dtype=None, order=None, *, copy=None, blocking=False)
ascontiguousarray(a, dtype=None)
asfortranarray(a, dtype=None)
astype(x, dtype, /, *, copy=True)
atleast_1d(*arys)
atleast_2d(*arys)
atleast_3d(*arys)
average(a, axis=None, weights=None, returned=False, *, keepdims=False)
bincount(x, weights=None, minlength=None)
blackman(M)
broadcast_arrays(*args)
broadcast_shapes(*args)
broadcast_to(array, shape)
can_cast(from_, to, casting='safe')
choose(a, choices, out=None, mode='raise')
clip(a, a_min, a_max, out=None)
column_stack(tup)
compress(condition, a, axis=None, out=None)
concat(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
concatenate(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
convolve(a, v, mode='full')
copy(a, order='K')
copyto(dst, src, casting='same_kind', where=None)
corrcoef(a, y=None, rowvar=True, bias=None, ddof=None, *, dtype=None)
correlate(a, v, mode='valid')
count_nonzero(a, axis=None)
cov(a, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None)
cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None)
cumprod(a, axis=None, dtype=None, out=None)
cumsum(a, axis=None, dtype=None, out=None)
cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False)
cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False)
diag(v, k=0)
diag_indices(n, ndim=2)
diag_indices_from(arr)
diagflat(v, k=0)
diagonal(a, offset=0, axis1=0, axis2=1)
diff(a, n=1, axis=-1, prepend=None, append=None)
digitize(x, bins, right=False)
dot(a, b, out=None)
dsplit(ary, indices_or_sections)
dstack(tup)
einsum(*operands, **kwargs)
empty(shape, dtype=float, order='C')
empty_like(prototype, dtype=None, order='K', subok=None, shape=None)
expand_dims(a, axis)
extract(condition, a)
eye(N, M=None, k=0, dtype=float, order='C')
fill_diagonal(a, val, wrap=False)
flatnonzero(a)
flip(a, axis=None)
fliplr(a)
flipud(a)
full(shape, fill_value, dtype=None, order='C')
full_like(a, fill_value, dtype=None, order='K', subok=None, shape=None)
gradient(f, *varargs, axis=None, edge_order=1)
hamming(M)
hanning(M)
histogram(x, bins=10, range=None, density=False, weights=None)
hsplit(ary, indices_or_sections)
hstack(tup, *, dtype=None, casting='same_kind')
identity(n, dtype=float)
imag(val)
indices(dimensions, dtype=int)
inner(a, b)
interp(x, xp, fp, left=None, right=None, period=None)
intersect1d(arr1, arr2, assume_unique=False, return_indices=False)
isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)
iscomplex(x)
iscomplexobj(x)
isdtype(dtype, kind)
isfortran(a)
isin(element, test_elements, assume_unique=False, invert=False)
isneginf(x, out=None)
isposinf(x, out=None)
isreal(x)
isrealobj(x)
isscalar(element)
issubdtype(arg1, arg2)
iterable(y)
ix_(*args)
kron(a, b)
lexsort(keys)
linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)
logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0)
matmul(*args, axes=None, axis=None, keepdims=False, casting='same_kind', dtype=None, signature=None, order='K', out=None)
matrix_transpose(x, /)
max(a, axis=None, out=None, keepdims=False)
may_share_memory(a, b, max_work=None)
mean(a, axis=None, dtype=None, out=None, keepdims=False)
median(a, axis=None, out=None, overwrite_input=False, keepdims=False)
meshgrid(*xi, **kwargs)
min(a, axis=None, out=None, keepdims=False)
min_scalar_type(a)
moveaxis(a, source, destination)
nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None)
nanargmax(a, axis=None, dtype=None, out=None, keepdims=False)
nanargmin(a, axis=None, dtype=None, out=None, keepdims=False)
nancumprod(a, axis=None, dtype=None, out=None)
nancumsum(a, axis=None, dtype=None, out=None)
nanmax(a, axis=None, out=None, keepdims=False)
nanmean(a, axis=None, dtype=None, out=None, keepdims=False)
nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False)
nanmin(a, axis=None, out=None, keepdims=False)
nanprod(a, axis=None, dtype=None, out=None, keepdims=False)
nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
nansum(a, axis=None, dtype=None, out=None, keepdims=False)
nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
ndim(a)
nonzero(a)
ones(shape, dtype=float, order='C')
ones_like(a, dtype=None, order='K', subok=None, shape=None)
outer(a, b, out=None)
packbits(a, axis=None, bitorder='big')
pad(array, pad_width, mode='constant', **kwargs)
partition(a, kth, axis=-1)
percentile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, interpolation=None)
permute_dims(a, axes=None)
polyadd(a1, a2)
polymul(a1, a2)
polysub(a1, a2)
polyval(p, x)
prod(a, axis=None, dtype=None, out=None, keepdims=False)
promote_types(type1, type2, /)
ptp(a, axis=None, out=None, keepdims=False)
put(a, ind, v, mode='wrap')
put_along_axis(arr, indices, values, axis)
putmask(a, mask, values)
quantile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, interpolation=None)
ravel(a, order='C')
ravel_multi_index(multi_index, dims, mode='wrap', order='C')
real(val)
repeat(a, repeats, axis=None)
reshape(a, newshape, order='C', *, copy=None)
result_type(*arrays_and_dtypes)
roll(a, shift, axis=None)
rot90(a, k=1, axes=(0, 1))
round(a, decimals=0, out=None)
searchsorted(a, v, side='left', sorter=None)
setdiff1d(ar1, ar2, assume_unique=False)
setxor1d(ar1, ar2, assume_unique=False)
shape(a)
shares_memory(a, b, max_work=None)
size(a, axis=None)
sort(a, axis=-1, kind=None)
split(ary, indices_or_sections, axis=0)
squeeze(a, axis=None)
stack(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
sum(a, axis=None, dtype=None, out=None, keepdims=False)
swapaxes(a, axis1, axis2)
take(a, indices, axis=None, out=None)
take_along_axis(a, indices, axis)
tensordot(a, b, axes=2)
tile(A, reps)
trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None)
transpose(a, axes=None)
trapezoid(y, x=None, dx=1.0, axis=-1)
tri(N, M=None, k=0, dtype=float)
tril(m, k=0)
tril_indices(n, k=0, m=None)
tril_indices_from(arr, k=0)
triu(m, k=0)
triu_indices(n, k=0, m=None)
triu_indices_from(arr, k=0)
union1d(arr1, arr2)
unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True)
unique_all(x)
unique_counts(x)
unique_inverse(x)
unique_values(x)
unpackbits(a, axis=None, bitorder='big')
unravel_index(indices, dims, order='C')
unwrap(p, discont=None, axis=-1, *, period=6.283185307179586)
vander(x, N=None, increasing=False)
var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
vdot(a, b)
vsplit(ary, indices_or_sections)
vstack(tup, *, dtype=None, casting='same_kind')
where(condition, x=None, y=None)
zeros(shape, dtype=float, order='C')
zeros_like(a, dtype=None, order='K', subok=None, shape=None)
"""  # noqa: E501

UFUNCS = """
abs absolute acos acosh add arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh
bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor
cbrt ceil conj conjugate copysign cos cosh deg2rad degrees divide divmod equal exp exp2 expm1 fabs fix float_power
floor floor_divide fmax fmin fmod frexp gcd greater greater_equal heaviside hypot i0 invert isfinite isinf isnan lcm
ldexp left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or
logical_xor maximum minimum mod modf multiply negative nextafter not_equal positive pow power rad2deg radians
reciprocal remainder right_shift rint sign signbit sin sinc sinh sqrt square subtract tan tanh true_divide trunc
"""

LINALG = """
cholesky(a)
cond(x, p=None)
cross(x1, x2, /, *, axis=-1)
det(a)
eig(a)
eigh(a, UPLO='L')
eigvals(a)
eigvalsh(a, UPLO='L')
inv(a)
lstsq(a, b, rcond=None)
matmul(*args, axes=None, axis=None, keepdims=False, casting='same_kind', dtype=None, signature=None, order='K', out=None)
matrix_power(M, n)
matrix_rank(M, tol=None)
matrix_transpose(a)
norm(x, ord=None, axis=None, keepdims=False)
pinv(a, rcond=1e-15)
qr(a, mode='reduced')
slogdet(a)
solve(a, b)
svd(a, full_matrices=True, compute_uv=True)
tensorinv(a, ind=2)
tensorsolve(a, b, axes=None)
"""  # noqa: E501

SCIPY_LINALG = """
lu_factor(a, overwrite_a=False, check_finite=True)
solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=False)
"""
"""Of ``cupyx.scipy.linalg``, what gpugrad uses."""

FFT = """
fft(a, n=None, axis=-1, norm=None)
fft2(a, s=None, axes=(-2, -1), norm=None)
fftfreq(n, d=1.0)
fftn(a, s=None, axes=None, norm=None)
fftshift(x, axes=None)
hfft(a, n=None, axis=-1, norm=None)
ifft(a, n=None, axis=-1, norm=None)
ifft2(a, s=None, axes=(-2, -1), norm=None)
ifftn(a, s=None, axes=None, norm=None)
ifftshift(x, axes=None)
ihfft(a, n=None, axis=-1, norm=None)
irfft(a, n=None, axis=-1, norm=None)
irfft2(a, s=None, axes=(-2, -1), norm=None)
irfftn(a, s=None, axes=None, norm=None)
rfft(a, n=None, axis=-1, norm=None)
rfft2(a, s=None, axes=(-2, -1), norm=None)
rfftfreq(n, d=1.0)
rfftn(a, s=None, axes=None, norm=None)
"""

SPECIAL = """
log_softmax(x, axis=None)
logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False)
multigammaln(a, d)
polygamma(n, x)
softmax(x, axis=None)
"""

SPECIAL_UFUNCS = """
bdtr beta betainc betaln binom cbrt digamma ellipk entr erf erfc erfcinv erfcx erfinv exp1 exp10 exp2 expi expit expm1
expn exprel gamma gammainc gammaincc gammaincinv gammaln gammasgn huber i0 i0e i1 i1e j0 j1 k0 k0e k1 k1e kl_div log1p
log_expit log_ndtr loggamma logit ndtr ndtri poch pseudo_huber psi rel_entr rgamma sinc xlog1py xlogy y0 y1 yn zeta
zetac
"""

ON_THE_HOST = """
broadcast_shapes can_cast iscomplexobj isdtype isfortran isrealobj isscalar issubdtype iterable may_share_memory
min_scalar_type ndim promote_types result_type shape shares_memory size
"""
"""Functions that look at shapes and dtypes only: nothing is launched, and the result is no array."""

WAITS = """
argwhere bincount compress cond extract flatnonzero histogram intersect1d isin lstsq nonzero percentile quantile
setdiff1d setxor1d union1d unique unique_all unique_counts unique_inverse unique_values
"""
"""Functions whose result has a size that only the device knows, or that check a value: the host waits."""

ARRAYS = ["a", "a1", "arr", "ar", "arr1", "ary", "array", "condition", "f", "filt", "m", "prototype", "v", "x"]
"""Names of first parameters that must be an array, not a list or a number."""

NUMBERS_TOO = """
allclose angle asanyarray asarray ascontiguousarray asfortranarray copy isclose
iscomplex isneginf isposinf isreal nan_to_num imag real interp isin vander atleast_1d around
clip digitize round where
"""
"""Functions that take a number for their first array."""

LEFT_OUT = """
ComplexWarning DataSource ElementwiseKernel Inf Infinity ModuleDeprecationWarning NAN NINF NZERO NaN PINF PZERO
RankWarning ReductionKernel TooHardError VisibleDeprecationWarning alltrue annotations apply_along_axis
apply_over_axes array2string array_repr array_str asarray_chkfinite asfarray bartlett base_repr binary_repr
broadcast byte_bounds c_ cfloat clear_memo common_type complex_ cumproduct delete
disable_experimental_feature_warning disp ediff1d find_common_type flatiter float_ format_float_positional
format_float_scientific format_parser fromDlpack from_dlpack frombuffer fromfile fromfunction fromiter fromstring
fuse genfromtxt get_array_wrap get_default_pinned_memory_pool get_printoptions histogram2d histogramdd in1d infty
issctype issubclass_ issubsctype kaiser lib load loadtxt make_aligned_dtype mask_indices memoize mgrid mintypecode
msort ndindex obj2sctype ogrid piecewise place poly poly1d polyfit polynomial printoptions product r_
random real_if_close require resize rollaxis roots round_ row_stack safe_eval save savetxt savez savez_compressed
sctype2char select set_printoptions set_string_function show_config singlecomplex sometrue sort_complex testing
trapz trim_zeros typename typing vectorize who
"""
"""What ``cupy`` has and the simulator does not."""
