"""Programs in which a variable could become a constant: in NumPy, SciPy, the standard library and pandas.

Each row is a program in ``v`` of shape ``(2,)``, ``t = v[0]`` and ``u = v[1]``: statements, and the value after the
last semicolon. The rows that begin with ``!`` must have the right gradient on the CPU; the others have it or raise.
"""

NUMPY = """
a = np.zeros(2); a[0] = t; a.sum()
a = np.zeros(2); a[0] = t**2; a[1] = u; a.prod()
a = np.zeros((2, 2)); a[0, 1] = t; a.sum()
a = np.zeros((2, 2)); a[0] = v; a.sum()
a = np.zeros((2, 2)); a[:, 1] = v; a.sum()
a = np.zeros(2); a[:] = v; a.sum()
a = np.zeros(2); a[...] = v; a.sum()
a = np.zeros(3); a[1:] = v; a.sum()
a = np.zeros(3); a[[0, 2]] = v; a.sum()
a = np.zeros(3); a[np.array([True, False, True])] = v; a.sum()
a = np.zeros(3); a[a == 0] = t; a.sum()
a = np.zeros((2, 2)); a[np.diag_indices(2)] = v; a.sum()
a = np.zeros((2, 2)); a[0][1] = t; a.sum()
a = np.zeros(2); a.flat[0] = t; a.sum()
a = np.zeros(2); a.flat[:] = v; a.sum()
a = np.zeros(2); a.flat = v; a.sum()
a = np.zeros(3); a.fill(t); a.sum()
a = np.zeros(3); a.put(1, t); a.sum()
a = np.zeros(3); a.itemset(1, t) if hasattr(a, 'itemset') else a.put([1], t); a.sum()
a = np.zeros((2,)); a.real = v; a.sum()
a = np.zeros(2, complex); a.imag = v; abs(a).sum()
a = np.zeros(2, complex); a[0] = t; abs(a).sum()
a = np.zeros(2, np.float32); a[0] = t; a[1] = u; float(a[0]) * 0 + t
a = np.zeros(2, [('x', float), ('y', float)]); a['x'] = v; a['x'].sum()
a = np.zeros(2, [('x', float), ('y', float)]); a[0] = (t, u); a['x'].sum()
a = np.rec.fromarrays([v, v], names='x,y'); a.x.sum()
a = np.zeros(2); np.put(a, [0], t); a.sum()
a = np.zeros(2); np.copyto(a, v); a.sum()
a = np.zeros(2); np.copyto(a, t); a.sum()
a = np.zeros(2); np.place(a, a == 0, v); a.sum()
a = np.zeros(2); np.putmask(a, a == 0, v); a.sum()
a = np.zeros((2, 2)); np.fill_diagonal(a, t); a.sum()
a = np.zeros((2, 2)); np.fill_diagonal(a, v); a.sum()
a = np.zeros((1, 2)); np.put_along_axis(a, np.array([[0, 1]]), v, 1); a.sum()
a = np.zeros(2); a += v; a.sum()
a = np.zeros(2); a -= t; a.sum()
a = np.ones(2); a *= v; a.sum()
a = np.ones(2); a /= u; a.sum()
a = np.ones(2); a **= t; a.sum()
a = np.ones((2, 2)); a[0] += v; a.sum()
a = np.ones(2); a[0] += t; a.sum()
a = np.zeros(2); np.add(a, v, out=a); a.sum()
a = np.zeros(2); np.multiply(v, 2.0, a); a.sum()
a = np.zeros(2); np.add.at(a, [0, 0], v); a.sum()
a = np.zeros(2); np.subtract.at(a, 0, t); a.sum()
a = np.zeros(2); np.sin(v, out=a); a.sum()
a = np.zeros(2); np.exp(v, where=[True, False], out=a); a.sum()
a = np.zeros(()); np.sum(v, out=a); a + 0
a = np.zeros(2); np.cumsum(v, out=a); a.sum()
a = np.zeros((2, 2)); np.outer(v, v, out=a); a.sum()
a = np.zeros(()); np.dot(v, v, out=a); a + 0
a = np.zeros(2); np.clip(v, 0, 1, out=a); a.sum()
a = np.zeros((2, 2)); np.stack([v, v], out=a); a.sum()
a = np.zeros(4); np.concatenate([v, v], out=a); a.sum()
a = np.nditer(np.zeros(2), op_flags=['readwrite']); [x.__setitem__(..., t) for x in a]; a.operands[0].sum()
np.float64(t) * u
np.float64(t * u)
float(t) * u
float(np.sum(v)) * u
np.float64(np.sum(v)) * u
np.complex128(t).real * u
np.longdouble(t) * 1.0 * u
int(t * 100) / 100 * 0 + t
complex(t).real * u
complex(t, 0.0).real * u
complex(0.0, u).imag
np.array(t) * u
np.array(v).sum()
np.array([t, u]).sum()
np.array([t * u, 1.0]).sum()
np.array([[t, u], [u, t]]).sum()
np.array([v, v]).sum()
np.array((t, 2.0), dtype=float).sum()
np.array([t, u], dtype=object).sum()
np.array([t, u], dtype=object).prod()
!a = np.empty(2, object); a[0] = t; a[1] = u; (a[0] * a[1])
!a = np.empty(2, object); a[0] = t; a[1] = u; (a * a).sum()
a = np.empty(2, object); a[0] = t; a[1] = u; a.astype(float).sum()
a = np.empty(2, object); a[0] = t; a[1] = u; np.array(a, float).sum()
!a = np.empty(2, object); a[0] = t; a[1] = u; np.stack(list(a)).sum()
!a = np.empty(2, object); a[0] = t; a[1] = u; sum(a.tolist())
a = np.empty(2, object); a[:] = [t, u]; a.sum()
a = np.empty(2, object); a[0] = t; a[1] = u; np.asarray(a, dtype=np.float64).sum()
a = np.empty(2, object); a[0] = t; a[1] = u; b = np.zeros(2); b[:] = a; b.sum()
!a = np.empty(1, object); a[0] = t; a.item() * u
np.asarray(t) * u
np.asarray(v).sum()
np.asarray([t, u]).sum()
np.asanyarray(v).sum()
np.ascontiguousarray(v).sum()
np.asfortranarray(v).sum()
np.require(v, float).sum()
np.asarray_chkfinite(v).sum()
!np.atleast_1d(t).sum() * u
!np.atleast_2d(v).sum()
!np.copy(v).sum()
np.matrix(v).sum()
np.ma.array(v).sum()
np.ma.masked_array(v, [False, True]).sum()
np.ma.masked_greater(v, 1.0).sum()
!np.char.array(['a']).size * t
np.frombuffer(np.asarray(v)).sum()
np.fromiter((x * x for x in v), float).sum()
np.fromiter(v, float).sum()
np.fromiter([t, u], float, count=2).sum()
!np.fromfunction(lambda i: t * i, (3,)).sum()
!np.fromfunction(lambda i, j: t * i + u * j, (2, 2)).sum()
np.full(3, t).sum()
np.full((2, 2), t * u).sum()
np.full((2, 2), v).sum()
np.full_like(np.zeros(2), t).sum()
!np.full_like(v, t).sum()
!np.linspace(t, 3.0, 4).sum()
!np.linspace(0.0, t, 4)[1]
!np.linspace(v, 2 * v, 3).sum()
!np.logspace(0.0, t, 4).sum()
!np.geomspace(1.0, u, 4).sum()
np.arange(t, 3.0).sum()
np.arange(0.0, 3.0, t).sum()
!np.tile(t, 3).sum()
!np.repeat(t, 3).sum()
!np.eye(2) * t
np.diag([t, u]).sum()
np.diagflat([t, u]).sum()
!np.tri(2) * t
np.vander([t, u], 3).sum()
!np.ones(2) * t
!np.block([[v, v]]).sum()
np.r_[v, 1.0].sum()
np.r_[t, u].sum()
np.c_[v, v].sum()
!np.concatenate([v, [1.0]]).sum()
np.concatenate([[t], [u]]).sum()
!np.hstack([t, u]).sum()
!np.hstack([1.0, v]).sum()
!np.vstack([v, v]).sum()
np.vstack([[t, u], [1.0, 2.0]]).sum()
!np.column_stack([v, [1.0, 2.0]]).sum()
!np.dstack([t, u]).sum()
!np.stack([t, u]).sum()
!np.append(v, 1.0).sum()
!np.append([1.0], t).sum()
!np.insert(v, 1, 5.0).sum()
!np.insert(np.zeros(2), 1, t).sum()
!np.delete(v, 0).sum()
!np.pad(v, 1, constant_values=t).sum()
np.pad(np.zeros(2), 1, constant_values=t).sum()
np.pad(np.zeros(2), (1, 2), mode='linear_ramp', end_values=t).sum()
!np.where([True, False], t, u).sum()
np.where([True, False], [t, 1.0], [u, 2.0]).sum()
np.select([np.array([True, False])], [np.array([1.0, 2.0])], t).sum()
!np.select([np.array([True, False])], [t], 0.0).sum()
!np.choose([0, 1], [t, u]).sum()
!np.choose([0, 1], [v, [1.0, 2.0]]).sum()
np.piecewise(np.array([1.0, -1.0]), [np.array([True, False])], [t, u]).sum()
np.piecewise(np.array([1.0, -1.0]), [np.array([True, False])], [lambda x: x * t, u]).sum()
!np.clip(np.array([0.0, 9.0]), t, u).sum()
np.array([0.0, 9.0]).clip(t, u).sum()
!np.array([0.0, 9.0]).clip(max=t).sum()
!np.clip(t, 0.0, 1.0) * u
!np.maximum(np.zeros(2), v).sum()
!np.fmax(0.0, t) * u
np.nan_to_num(np.array([np.nan, 1.0]), nan=t).sum()
np.interp(0.5, [0.0, 1.0], [t, u])
!np.interp(t, [0.0, 1.0], [0.0, 2.0])
np.interp(0.5, [0.0, u], [0.0, 1.0])
np.interp([-9.0, 0.5], [0.0, 1.0], [0.0, 1.0], left=t).sum()
np.interp([9.0, 0.5], [0.0, 1.0], [0.0, 1.0], right=t).sum()
np.interp([9.1, 0.5], [0.0, 1.0], [0.0, 1.0], period=u).sum()
!np.std(v, ddof=t * 0.1)
np.var(np.array([1.0, 2.0, 4.0]), ddof=t)
np.array([1.0, 2.0, 4.0]).var(ddof=t)
np.std([1.0, 2.0, t])
np.mean([t, u])
np.sum([t, u])
np.prod([t, u])
np.max([t, u])
np.median([t, u, 1.0])
!np.average([1.0, 2.0], weights=v)
np.average([1.0, 2.0], weights=[t, u])
!np.quantile([1.0, 2.0, 4.0], t / 2)
np.percentile([1.0, 2.0, 4.0], [10 * t, 20 * u]).sum()
!np.percentile(np.array([1.0, 2.0, 4.0]), 30 * t)
!np.quantile(v, 0.3)
np.cov([t, u, 1.0])
!np.corrcoef(v, np.array([1.0, 2.0]))[0, 1]
!np.cov(np.array([1.0, 2.0]), aweights=v)
!np.histogram([0.1, 0.5], bins=2, weights=v)[0].sum()
np.histogram([0.1, 0.5], range=(0.0, t))[1].sum()
!np.histogram(v, bins=3)[1].sum()
!np.histogram(v, bins=2, density=True)[0].sum()
np.histogram_bin_edges(v, 3).sum()
np.histogramdd(v, 2, weights=v)[0].sum()
!np.bincount([0, 1], weights=v)[0]
!np.digitize(t, [0.0, 0.5]) * u
!np.searchsorted([0.0, 0.5], t) * u
np.trapezoid([t, u])
!np.trapezoid(np.array([1.0, 2.0]), dx=t)
np.trapezoid(np.array([1.0, 2.0]), [0.0, t])
!np.gradient(np.array([1.0, 2.0, 4.0]), t).sum()
np.gradient([t, u, 1.0]).sum()
!np.diff(v, prepend=t).sum()
!np.diff([1.0, 2.0], append=u).sum()
!np.ediff1d(np.array([1.0, 2.0]), to_end=t).sum()
np.cumsum([t, u]).sum()
!np.convolve([1.0, 2.0], v).sum()
np.convolve([1.0, 2.0], [t, u]).sum()
!np.correlate(v, [1.0, 2.0]).sum()
np.polyval([t, u], 2.0)
!np.polyval([1.0, 2.0], t)
np.polyfit([0.0, 1.0, 2.0], [t, u, 1.0], 1).sum()
!np.poly([t, u]).sum()
np.poly1d([t, u])(2.0)
!np.poly1d([1.0, 2.0])(t)
np.polynomial.Polynomial([t, u])(2.0)
np.polynomial.polynomial.polyval(2.0, [t, u])
!np.polynomial.chebyshev.chebval(t, [1.0, 2.0])
!np.roots([1.0, -t - u, t * u]).real.max()
np.polymul([1.0, 2.0], [t, u]).sum()
np.polyadd([1.0, 2.0], [t, u]).sum()
np.polyder([t, u, 1.0]).sum()
!np.dot([1.0, 2.0], v)
np.dot([1.0, 2.0], [t, u])
np.inner([t, u], [1.0, 2.0])
np.vdot([1.0, 2.0], [t, u])
np.outer([1.0, 2.0], [t, u]).sum()
np.tensordot([1.0, 2.0], [t, u], 1)
np.einsum('i,i', [1.0, 2.0], [t, u])
np.matmul([1.0, 2.0], [t, u])
np.cross([1.0, 0.0, 0.0], [t, u, 1.0]).sum()
np.kron([1.0, 2.0], [t, u]).sum()
np.array([1.0, 2.0]).dot(v)
!np.array([1.0, 2.0]) @ v
np.linalg.norm([t, u])
!np.linalg.norm(v, ord=2)
np.linalg.norm(np.array([1.0, 2.0]), ord=1 + t)
np.linalg.det([[t, u], [1.0, 2.0]])
np.linalg.inv([[t, u], [1.0, 3.0]]).sum()
np.linalg.solve([[2.0, 1.0], [1.0, 3.0]], [t, u]).sum()
!np.linalg.solve(np.array([[2.0, 1.0], [1.0, 3.0]]), v).sum()
np.linalg.eigvalsh([[t, 1.0], [1.0, u]]).max()
np.linalg.svd([[t, 1.0], [1.0, u]])[1].max()
np.linalg.lstsq([[1.0, 0.0], [0.0, 2.0]], [t, u], rcond=None)[0].sum()
np.linalg.pinv([[t, 1.0], [1.0, 3.0]]).sum()
np.linalg.matrix_power([[t, 1.0], [1.0, u]], 2).sum()
np.linalg.cond([[t, 1.0], [1.0, 3.0]])
np.linalg.multi_dot([np.eye(2), [t, u]]).sum()
np.linalg.cholesky([[1 + t, 0.0], [0.0, u]]).sum()
np.fft.fft([t, u]).real.sum()
!np.fft.rfft(v).real.sum()
!np.fft.fftfreq(2, t).sum()
!np.fft.rfftfreq(3, u).sum()
!np.heaviside(0.0, t) * 1.0
np.i0([t, u]).sum()
np.sinc([t, u]).sum()
np.unwrap([0.0, 4 * u]).sum()
np.unwrap(np.array([0.0, 9.0]), period=u).sum()
np.nanmean([t, np.nan])
np.nansum([t, np.nan])
np.lexsort([[t, u]]).sum() * t
np.sort([u, t])[0]
np.partition([u, t], 0)[0]
np.unique([u, t]).sum()
np.union1d([t], [u]).sum()
np.flip([t, u])[0]
np.roll([t, u], 1)[0]
np.rot90([[t, u]]).sum()
!np.broadcast_to(t, (3,)).sum()
!np.broadcast_arrays(t, np.zeros(2))[0].sum()
np.meshgrid([t, u], [1.0])[0].sum()
np.ravel([t, u]).sum()
np.reshape([t, u], (2, 1)).sum()
np.transpose([[t, u]]).sum()
np.squeeze([[t, u]]).sum()
np.expand_dims([t, u], 0).sum()
np.take([t, u], [0]).sum()
!np.take_along_axis(np.array([[1.0, 2.0]]), np.array([[1]]), 1).sum() * t
np.compress([True, False], [t, u]).sum()
np.extract([True, False], [t, u]).sum()
np.triu([[t, u], [t, u]]).sum()
np.trace([[t, u], [t, u]])
np.diagonal([[t, u], [t, u]]).sum()
!np.split(v, 2)[0].sum()
np.real([t, u]).sum()
!np.real(t + 1j * u) * u
np.angle([t + 1j * u])[0]
np.absolute([t, -u]).sum()
np.sign([t, u]).sum() * t
np.floor([t, u]).sum() * t
np.round([t, u]).sum() * t
np.apply_along_axis(lambda r: r * t, 0, np.ones(2)).sum()
!np.apply_along_axis(np.sum, 0, v)
np.vectorize(lambda i: t * i)(np.arange(3.0)).sum()
np.vectorize(lambda i: t * i, otypes=[float])(np.arange(3.0)).sum()
np.vectorize(lambda x: x * x)(v).sum()
np.vectorize(math.sin)(v).sum()
!np.frompyfunc(lambda i: t * i, 1, 1)(np.arange(3)).sum()
np.frompyfunc(lambda i: t * i, 1, 1)(np.arange(3)).astype(float).sum()
np.frompyfunc(lambda x: x * x, 1, 1)(v).sum()
np.add.reduce([t, u])
np.add.accumulate([t, u])[-1]
np.add.outer([t, u], [1.0, 2.0]).sum()
!np.multiply.reduce(v)
np.add.reduceat(v, [0, 1]).sum()
np.add.reduce([1.0, 2.0], initial=t)
np.sum([1.0, 2.0], initial=t)
np.sum(np.array([1.0, 2.0]), initial=t)
np.max([0.1, 0.2], initial=t)
np.prod(np.array([1.0, 2.0]), initial=u)
np.random.default_rng(0).normal(t, 1.0)
np.random.default_rng(0).normal(0.0, u, 3).sum()
np.random.default_rng(0).uniform(0.0, t)
np.random.default_rng(0).exponential(t)
np.random.default_rng(0).gamma(u)
np.random.default_rng(0).multivariate_normal(v, np.eye(2)).sum()
np.random.default_rng(0).choice(v)
np.random.default_rng(0).permutation(v)[0]
np.random.RandomState(0).normal(t, u)
!np.isclose(t, 0.7) * t
!np.allclose(v, v) * t
np.nditer(v).itviews[0].sum()
sum(x for x in np.nditer(v))
!sum(x for x in v.flat) if hasattr(v, 'flat') else np.asarray(v).sum()
sum(x for _, x in np.ndenumerate(v))
!np.lib.stride_tricks.sliding_window_view(v, 2).sum()
np.lib.stride_tricks.as_strided(v, (2,)).sum()
np.testing.assert_allclose(v, v); t * 1.0
!np.array2string(v); t * 1.0
np.format_float_positional(t); t * 1.0
!np.ndarray.__add__(np.ones(2), v).sum()
np.ndarray.sum(v)
!np.apply_over_axes(np.sum, v, 0).sum()
!np.nan_to_num(v).sum()
np.bmat([[np.asarray([[1.0]]) * t]]).sum()
np.kaiser(3, t).sum()
np.spacing(t) * 0 + t
np.frexp(v)[0].sum()
!np.ldexp(v, 2).sum()
!np.modf(v)[0].sum()
!np.divmod(v, 0.5)[1].sum()
!np.nextafter(t, 2.0) * u
!np.copysign(t, -1.0) * u
!np.setdiff1d(v, [0.0]).sum()
!np.setdiff1d(np.flip(v), np.array([0.0]), assume_unique=True)[0]
np.histogram2d([0.1], [0.2], weights=[t])[0].sum()
!np.savetxt(io.StringIO(), v); t * 1.0
"""

STANDARD = """
!type(t)(t)
!sum(map(type(t), v))
math.sin(t) * u
math.exp(t) * u
math.sqrt(u) * t
math.pow(t, u)
math.atan2(t, u)
math.hypot(t, u)
math.hypot(*v)
math.fsum(v)
math.fsum([t, u])
!math.prod(v)
!math.prod([t, u])
math.dist([0.0, 0.0], v)
math.fabs(t) * u
math.log(u, 2.0)
math.log1p(t) * u
math.gamma(u) * t
math.lgamma(u) * t
math.erf(t) * u
math.copysign(t, u)
math.fmod(u, t)
math.remainder(u, t)
math.modf(u)[0]
math.frexp(t)[0]
math.ldexp(t, 2)
math.floor(u) * t
math.ceil(t) * u
math.trunc(u) * t
math.degrees(t)
math.isclose(t, 0.7) * t
math.isfinite(t) * t
math.cbrt(t) * u
math.sumprod([t, u], [1.0, 2.0]) if hasattr(math, 'sumprod') else math.fsum([t, 2 * u])
cmath.exp(t).real * u
cmath.sqrt(u).real * t
cmath.phase(t + 1j * u)
cmath.rect(t, u).real
cmath.polar(t + 1j * u)[0]
statistics.mean([t, u])
statistics.fmean([t, u])
statistics.fmean(v)
!statistics.median([t, u, 1.0])
statistics.stdev([t, u])
statistics.pvariance([t, u])
statistics.geometric_mean([t, u])
statistics.harmonic_mean([t, u])
statistics.correlation([t, u, 1.0], [1.0, 2.0, 4.0])
statistics.linear_regression([0.0, 1.0], [t, u]).slope
statistics.NormalDist(t, u).cdf(1.0)
!statistics.quantiles([t, u, 2.0])[1]
float(fractions.Fraction(t))
float(fractions.Fraction(1, 2) * t)
float(decimal.Decimal(t))
!float(decimal.Decimal(str(0.5))) * t
struct.unpack('d', struct.pack('d', t))[0]
struct.unpack('2d', struct.pack('2d', *v))[0]
array.array('d', [t, u])[0]
array.array('d', v)[0]
a = array.array('d', [0.0, 0.0]); a[0] = t; a[0] * u
a = array.array('d'); a.append(t); a[0] * u
a = array.array('d'); a.extend([t]); a[0] * u
a = array.array('d'); a.fromlist([t, u]); a[0] * u
np.array(array.array('d', [t, u])).sum()
ctypes.c_double(t).value * u
(ctypes.c_double * 2)(t, u)[0]
memoryview(np.asarray(v))[0] * u
a = bytearray(8); struct.pack_into('d', a, 0, t); struct.unpack('d', a)[0]
json.loads(json.dumps(t)) * u
json.loads(json.dumps([t, u]))[0]
json.loads(json.dumps({'a': list(v)}))['a'][0]
pickle.loads(pickle.dumps(t)) * u
pickle.loads(pickle.dumps(v)).sum()
pickle.loads(pickle.dumps({'a': [t, u]}))['a'][0]
!marshal.loads(marshal.dumps([1.0]))[0] * t
!copy.copy(t) * u
!copy.copy(v).sum()
!copy.deepcopy(t) * u
!copy.deepcopy(v).sum()
!copy.deepcopy([t, {'a': u}])[1]['a'] * t
!copy.copy([t, u])[0] * u
!copy.deepcopy(types.SimpleNamespace(x=t)).x * u
!copy.deepcopy(v)[0] * copy.deepcopy(t)
!dataclasses.asdict(Point(t, u))['x'] * u
!dataclasses.astuple(Point(t, u))[0] * u
!dataclasses.replace(Point(t, u), x=u).x * t
!collections.namedtuple('P', 'x y')(t, u).x * u
!sum([t, u])
!sum(v)
!sum([t, u], 1.0)
!max(t, u) * t
!max([t, u])
!min(v) * u
!max(v, key=lambda x: -x) * u
!sorted([u, t])[0] * u
sorted(v, key=float)[0] * u
!abs(-t) * u
!round(t * 10) / 10 * u
!round(t, 1) * u
!divmod(u, t)[1]
!pow(t, u)
!pow(t, 2) * u
!t.__pow__(2) * u
!bool(t) * u
!any(v) * t
!all([t, u]) * t
int(t) * u
range(int(u))[0] + t
!t if t > 0.5 else u
!float(f'{t:.17g}') * 0 + t
!float(str(0.5)) * t
!float('%.3f' % 0.5) * t
'%.3f' % t; t * u
!f'{t:.3f} {u:8.2e}'; t * u
!'{:.2f}'.format(t); t * u
!repr(t); t * u
!functools.reduce(operator.add, v)
!functools.reduce(lambda a, b: a * b, [t, u])
!functools.lru_cache(lambda x: x * 2)(t) * u
!functools.partial(operator.mul, t)(u)
!operator.add(t, u) * t
!operator.itemgetter(0)(v) * u
!operator.attrgetter('T')(v).sum()
!operator.matmul(v, v)
!list(itertools.accumulate(v))[-1]
!list(itertools.accumulate([t, u], operator.mul))[-1]
!list(itertools.chain(v, [1.0]))[0] * u
![x for x in zip(v, v)][0][1] * u
![x for x in map(lambda x: x * x, v)][0] * u
!dict(zip('ab', v))['a'] * u
!collections.deque(v)[0] * u
!collections.Counter({'a': t})['a'] * u
!heapq.nsmallest(1, [u, t])[0] * u
!heapq.merge([t], [u]).__next__() * u
!bisect.bisect([0.0, 0.5, 1.0], t) * u
!a = [0.0, 2.0]; bisect.insort(a, t); a[1] * u
!random.Random(0).uniform(0.0, t)
!random.Random(0).gauss(t, u)
!random.Random(0).choice([t, u])
random.Random(0).choices([1.0, 2.0], weights=[t, u])[0] * t
!random.Random(0).expovariate(u)
!random.Random(0).triangular(0.0, t)
!colorsys.rgb_to_hsv(t, 0.2, 0.1)[2]
datetime.timedelta(seconds=t).total_seconds()
!datetime.timedelta(seconds=2) .total_seconds() * t
datetime.datetime.fromtimestamp(t, datetime.timezone.utc).microsecond * 1e-6 * 0 + t
time.gmtime(t).tm_sec * t
!string.Template('$x').substitute(x=0.5); t * u
!asyncio.run(later(t)) * u
!concurrent.futures.Future().set_result(t) or t * u
!contextvars.copy_context().run(lambda: t * u)
!weakref.ref(t)() * u if not isinstance(t, float) else t * u
!a = {t: 1}; list(a)[0] * u
!a = {1: 2}; a[1] = t; a[1] * u
!hash(t) * 0 + t
!(t == 0.5) * t
!(t == 'auto') * u + t
!(t != None) * u + t
!t.conjugate() * u
!t.real * u
!(t + 0j).imag * u + t
!t.tolist() * 0 + t
!vars(types.SimpleNamespace(x=t))['x'] * u
!enum.Enum('E', {'a': 1}).a.value * t
!csv.writer(io.StringIO()).writerow([0.5]); t * u
array.array('d', np.asarray(v).tobytes())[0] * u
!ast.literal_eval(repr(0.5)) * t
!numbers.Number.register(type(t)); t * u
"""

SCIPY = """
integrate.quad(lambda s: t * s**2, 0.0, 1.0)[0]
integrate.quad(lambda s: s**2, 0.0, t)[0]
integrate.quad(lambda s, a: a * s, 0.0, 1.0, args=(t,))[0]
integrate.quad_vec(lambda s: t * s, 0.0, 1.0)[0]
integrate.dblquad(lambda x, y: t * x * y, 0.0, 1.0, 0.0, 1.0)[0]
integrate.fixed_quad(lambda s: t * s, 0.0, 1.0)[0]
integrate.trapezoid([t, u])
integrate.trapezoid(v)
integrate.simpson([t, u, 1.0])
integrate.simpson(v, dx=0.5)
integrate.cumulative_trapezoid(v)[-1]
integrate.romb([t, u, 1.0])
integrate.odeint(lambda y, s: -t * y, 1.0, [0.0, 1.0])[-1, 0]
integrate.odeint(lambda y, s: -y, t, [0.0, 1.0])[-1, 0]
integrate.solve_ivp(lambda s, y: -t * y, (0.0, 1.0), [1.0]).y[0, -1]
integrate.solve_ivp(lambda s, y: -y, (0.0, 1.0), [t]).y[0, -1]
integrate.solve_ivp(lambda s, y: -y, (0.0, t), [1.0]).y[0, -1]
optimize.brentq(lambda s: s * s - t, 0.0, 2.0)
optimize.brentq(lambda s, a: s * s - a, 0.0, 2.0, args=(t,))
optimize.brenth(lambda s: s * s - t, 0.0, 2.0)
optimize.ridder(lambda s: s * s - t, 0.0, 2.0)
optimize.bisect(lambda s: s * s - t, 0.0, 2.0)
optimize.toms748(lambda s: s * s - t, 0.0, 2.0)
optimize.newton(lambda s: s * s - t, 1.0)
optimize.newton(lambda s: s * s - 2.0, t)
optimize.root_scalar(lambda s: s * s - t, bracket=(0.0, 2.0)).root
optimize.fsolve(lambda s: s * s - t, 1.0)[0]
optimize.root(lambda s: s * s - t, [1.0]).x[0]
optimize.minimize_scalar(lambda s: (s - t) ** 2).x
optimize.minimize(lambda s: (s[0] - t) ** 2, [0.0]).x[0]
optimize.minimize(lambda s: (s[0] - 1.0) ** 2, [t]).x[0] * u
optimize.minimize(lambda s: (s[0] - t) ** 2, [0.0], method='Nelder-Mead').x[0] * 0 + t
optimize.least_squares(lambda s: s - t, [0.0]).x[0]
optimize.curve_fit(lambda x, a: a * x, [1.0, 2.0], [t, u])[0][0]
optimize.fixed_point(lambda s: np.cos(s) * t, 0.5)
optimize.approx_fprime([1.0], lambda s: t * s[0] ** 2, 1e-7)[0]
optimize.linprog([1.0], bounds=[(t, None)]).x[0]
optimize.nnls([[1.0], [1.0]], [t, u])[0][0]
optimize.lsq_linear([[1.0], [1.0]], [t, u]).x[0]
optimize.check_grad(lambda s: t * s[0], lambda s: np.array([1.0]), [1.0]) * 0 + t
optimize.bracket(lambda s: (s - t) ** 2)[1] * 0 + t
interpolate.interp1d([0.0, 1.0], [t, u])(0.5) + 0.0
interpolate.interp1d([0.0, 1.0], [1.0, 2.0])(t) + 0.0
interpolate.CubicSpline([0.0, 1.0, 2.0], [t, u, 1.0])(0.5) + 0.0
interpolate.CubicSpline([0.0, 1.0, 2.0], [1.0, 0.0, 1.0])(t) + 0.0
interpolate.PchipInterpolator([0.0, 1.0, 2.0], [t, u, 1.0])(0.5) + 0.0
interpolate.UnivariateSpline([0.0, 1.0, 2.0, 3.0], [t, u, 1.0, 2.0])(0.5) + 0.0
interpolate.RegularGridInterpolator(([0.0, 1.0],), [1.0, 2.0])([t])[0]
interpolate.BSpline([0.0, 0.0, 1.0, 1.0], [t, u], 1)(0.5) + 0.0
interpolate.barycentric_interpolate([0.0, 1.0], [t, u], 0.5) + 0.0
interpolate.griddata(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), [t, u, 1.0], [(0.2, 0.2)])[0]
interpolate.make_interp_spline([0.0, 1.0], [t, u], 1)(0.5) + 0.0
special.expit(t) * u
special.gammaln(v).sum()
special.gammaln([t, u]).sum()
special.erf([t, u]).sum()
special.xlogy(t, u)
special.logsumexp(v)
special.logsumexp([t, u])
special.softmax(v)[0]
special.log_softmax(v)[0]
special.comb(3.0, t)
special.factorial(2) * t
special.jv(0, t) * u
special.jv(t, 1.0)
special.ellipk(t) * u
special.beta(t, u)
special.betainc(t, u, 0.5)
special.hyp2f1(t, 1.0, 2.0, 0.5)
special.zeta(1.0 + u)
special.expn(2, t)
special.eval_legendre(2, t)
special.lambertw(t).real
special.multigammaln(3.0 * u, 2)
special.logit(t) * u
special.ndtr(v).sum()
special.polygamma(1, u)
stats.norm.pdf(t) * u
stats.norm.logpdf(1.0, loc=t, scale=u)
stats.norm.cdf(v).sum()
stats.norm(t, u).logpdf(1.0)
stats.norm.ppf(t)
stats.gamma.logpdf(1.0, u)
stats.beta.logpdf(0.5, t, u)
stats.poisson.logpmf(2, u)
stats.t.logpdf(t, 3.0)
stats.multivariate_normal.logpdf(v, np.zeros(2))
stats.multivariate_normal.logpdf([0.0, 1.0], v)
stats.zscore([t, u, 1.0])[0]
stats.gmean([t, u])
stats.hmean([t, u])
stats.skew([t, u, 3.0])
stats.kurtosis([t, u, 3.0, 1.0])
stats.pearsonr([t, u, 3.0], [1.0, 2.0, 4.0]).statistic
stats.linregress([0.0, 1.0, 2.0], [t, u, 1.0]).slope
stats.entropy([t, u])
stats.gaussian_kde([0.0, 1.0, t])(0.5)[0]
stats.trim_mean([t, u, 1.0], 0.0)
stats.sem([t, u])
stats.ttest_1samp([t, u, 1.0], 0.0).statistic
stats.rankdata([t, u])[0] * t
stats.iqr([t, u, 1.0])
stats.wasserstein_distance([t, u], [0.0, 1.0])
linalg.det(np.array([[1.0, 0.0], [0.0, 1.0]]) * t)
linalg.det([[t, u], [1.0, 2.0]])
linalg.inv([[t, 0.0], [0.0, u]]).sum()
linalg.solve(np.eye(2), v).sum()
linalg.expm(np.diag([1.0, 2.0]) * t).sum()
linalg.expm([[t, 0.0], [0.0, u]]).sum()
linalg.sqrtm([[1 + t, 0.0], [0.0, u]]).sum()
linalg.logm([[1 + t, 0.0], [0.0, u]]).sum()
linalg.toeplitz(v).sum()
linalg.toeplitz([t, u]).sum()
linalg.hankel(v).sum()
linalg.circulant(v).sum()
linalg.block_diag(t, u).sum()
linalg.cholesky([[1 + t, 0.0], [0.0, u]]).sum()
linalg.cho_solve((np.eye(2), True), v).sum()
linalg.lu([[t, u], [1.0, 2.0]])[2].sum()
linalg.qr([[t, 0.0], [0.0, u]])[1].sum()
linalg.eigh([[t, 0.0], [0.0, u]])[0].max()
linalg.svdvals([[t, 0.0], [0.0, u]]).max()
linalg.norm(v)
linalg.norm([t, u])
linalg.solve_triangular(np.eye(2), v).sum()
linalg.solve_toeplitz([1.0, 0.0], v).sum()
linalg.solve_banded((0, 0), [[1.0, 1.0]], v).sum()
linalg.solve_sylvester(np.eye(2), np.eye(2), [[t, u], [u, t]]).sum()
linalg.lstsq(np.eye(2), v)[0].sum()
linalg.pinv([[t, 0.0], [0.0, u]]).sum()
fft.fft(v).real.sum()
fft.dct([t, u]).sum()
fft.rfft([t, u]).real.sum()
fft.fftfreq(3, t).sum()
fft.fftshift(v)[0]
signal.convolve(v, [1.0, 2.0]).sum()
signal.fftconvolve(v, [1.0, 2.0]).sum()
signal.lfilter([t], [1.0], [1.0, 2.0]).sum()
signal.lfilter([1.0], [1.0, t], np.ones(3)).sum()
signal.detrend([t, u, 1.0])[0]
signal.hilbert([t, u]).real.sum()
signal.medfilt([t, u, 1.0])[1]
signal.savgol_filter([t, u, 1.0, 2.0, 1.0], 3, 1)[1]
signal.butter(2, t)[0][0]
signal.gausspulse(t) * u
signal.sawtooth(t) * u
signal.correlate(v, v).max()
signal.windows.gaussian(3, t).sum()
signal.resample([t, u], 4).sum()
signal.welch(np.stack([t, u, 1.0, 2.0]), nperseg=4)[1].sum()
signal.find_peaks([0.0, t, 0.0])[1].get('x', 1.0) * t
ndimage.gaussian_filter([t, u, 1.0], 1.0)[1]
ndimage.gaussian_filter(np.array([1.0, 0.0, 2.0]), t)[1]
ndimage.convolve(np.array([1.0, 0.0, 2.0]), [t, u, 1.0])[1]
ndimage.shift(np.array([1.0, 0.0, 2.0]), t, order=1)[1]
ndimage.zoom(np.array([1.0, 2.0]), 2) [1] * t
ndimage.map_coordinates(np.array([1.0, 0.0, 2.0]), [[t]], order=1)[0]
ndimage.rotate(np.eye(3), t, order=1, reshape=False).sum()
ndimage.median_filter([t, u, 1.0], 3)[1]
ndimage.sobel([t, u, 1.0])[1]
ndimage.label([0, 1])[1] * t
spatial.distance.cdist([[t, u]], [[0.0, 0.0]])[0, 0]
spatial.distance.pdist([[t, u], [0.0, 0.0]])[0]
spatial.distance.euclidean(v, [0.0, 0.0])
spatial.distance.cosine(v, [1.0, 0.0])
spatial.distance.mahalanobis(v, [0.0, 0.0], np.eye(2))
spatial.ConvexHull([[0.0, 0.0], [t, 0.0], [0.0, u]]).volume
spatial.KDTree([[t, u]]).query([0.0, 0.0])[0]
spatial.transform.Rotation.from_euler('z', t).as_matrix()[0, 0]
spatial.transform.Rotation.from_rotvec([0.0, 0.0, t]).apply([1.0, 0.0, 0.0])[0]
spatial.procrustes([[t, u], [0.0, 1.0]], [[1.0, 0.0], [0.0, 2.0]])[2]
sparse.csr_matrix([[t, u]]).sum()
sparse.coo_matrix((v, ([0, 1], [0, 1]))).sum()
sparse.coo_matrix(([t, u], ([0, 1], [0, 1]))).toarray().sum()
sparse.diags([t, u], [0, 1], shape=(1, 2)).sum() if False else sparse.diags([[t]], [0]).sum()
(sparse.eye(2).tocsr() * t).sum()
(sparse.eye(2).tocsr() @ v).sum()
(t * sparse.eye(2).tocsr()).sum()
a = sparse.lil_matrix((2, 2)); a[0, 0] = t; a.sum()
a = sparse.dok_matrix((2, 2)); a[0, 0] = t; a.sum()
sparse.linalg.spsolve(sparse.eye(2).tocsc(), v).sum()
sparse.linalg.cg(np.eye(2), v)[0].sum()
sparse.linalg.expm_multiply(np.eye(2), v).sum()
constants.convert_temperature(t, 'C', 'K')
"""

PANDAS = """
pd.Series([t, u]).sum()
pd.Series([t, u], dtype=float).sum()
pd.Series(v).sum()
pd.Series({'a': t, 'b': u})['a'] * u
a = pd.Series([0.0, 1.0]); a.iloc[0] = t; a.sum()
a = pd.Series([0.0, 1.0]); a.loc[0] = t; a.sum()
a = pd.Series([0.0, 1.0]); a.iat[0] = t; a.sum()
a = pd.Series([0.0, 1.0]); a[:] = v; a.sum()
a = pd.Series([0.0, 1.0]); a.iloc[:] = v; a.sum()
(pd.Series([1.0, 2.0]) * t).sum()
(pd.Series([1.0, 2.0]) * v).sum()
(pd.Series([1.0, 2.0]) + t).sum()
(t * pd.Series([1.0, 2.0])).sum()
(v * pd.Series([1.0, 2.0])).sum()
(v - pd.Series([1.0, 2.0])).sum()
(v @ pd.Series([1.0, 2.0]))
pd.Series([1.0, 2.0]) @ v
pd.Series([1.0, 2.0]).dot(v)
pd.Series([1.0, 2.0]).mul(v).sum()
pd.Series([1.0, 2.0]).map(lambda x: x * t).sum()
pd.Series([1.0, 2.0]).apply(lambda x: x * t).sum()
pd.Series([1.0, np.nan]).fillna(t).sum()
pd.Series([1.0, 2.0]).where([True, False], t).sum()
pd.Series([1.0, 2.0]).mask([True, False], t).sum()
pd.Series([1.0, 9.0]).clip(upper=t).sum()
pd.Series([1.0, 2.0]).replace(1.0, t).sum()
pd.Series([1.0, 2.0]).shift(1, fill_value=t).sum()
pd.Series([t, u]).astype(float).sum()
pd.Series([t, u]).to_numpy().sum()
pd.Series([t, u]).mean()
pd.Series([t, u]).cumsum().iloc[-1]
pd.Series([t, u]).std()
pd.Series([t, u]).rolling(2).mean().iloc[-1]
pd.Series([1.0, 2.0]).ewm(alpha=t).mean().iloc[-1]
pd.Series([1.0, 2.0]).quantile(t)
pd.Series([1.0, 2.0]).pow(t).sum()
np.exp(pd.Series([1.0, 2.0]) * t).sum()
np.add(pd.Series([1.0, 2.0]), v).sum()
pd.DataFrame({'a': [t, u]})['a'].sum()
pd.DataFrame({'a': v})['a'].sum()
pd.DataFrame([[t, u]]).sum().sum()
pd.DataFrame(np.eye(2)).mul(v).sum().sum()
(pd.DataFrame(np.eye(2)) * t).sum().sum()
(pd.DataFrame(np.eye(2)) @ v).sum()
pd.DataFrame(np.eye(2)).dot(v).sum()
a = pd.DataFrame(np.zeros((2, 2))); a.iloc[0, 0] = t; a.sum().sum()
a = pd.DataFrame(np.zeros((2, 2))); a.at[0, 0] = t; a.sum().sum()
a = pd.DataFrame(np.zeros((2, 2))); a[0] = v; a.sum().sum()
a = pd.DataFrame(np.zeros((2, 2))); a['c'] = t; a.sum().sum()
a = pd.DataFrame(np.zeros((2, 2))); a.loc[0] = v; a.sum().sum()
pd.DataFrame({'a': [1.0, 2.0]}).assign(b=t)['b'].sum()
pd.DataFrame({'a': [1.0, 2.0]}).assign(b=v)['b'].sum()
pd.DataFrame({'a': [1.0, 2.0]}).eval('a * @t').sum()
pd.DataFrame({'a': [1.0, 2.0]}).apply(lambda r: r * t).sum().sum()
pd.DataFrame({'a': [1.0, 2.0]}).to_numpy() * t
pd.DataFrame({'a': [1.0, 2.0]}).query('a > @t')['a'].sum() * t
pd.Index([t, u])[0] * u
pd.Index([1.0, 2.0]) * t
pd.concat([pd.Series([t]), pd.Series([u])]).sum()
pd.to_numeric(pd.Series([t, u])).sum()
pd.cut([t, u], 2, labels=False).sum() * t
pd.array([t, u], dtype='Float64').sum()
pd.eval('t * u')
pd.Timedelta(seconds=1) / pd.Timedelta(seconds=2) * t
pd.isna(t) * u + t
"""

GPUGRAD = """
gg.astype(v, object).sum()
gg.tensor(v, dtype=object).sum()
!gg.tensor([t, u]).sum()
!gg.tensor([[t, u], [1.0, 2.0]]).sum()
!gg.asarray([t, u]).sum()
!gg.asarray([v, v]).sum()
!gg.asarray([1.0, [t]][1]).sum()
!gg.tensor(t) * u
!gg.tensor(v, dtype=gg.float64).sum()
gg.tensor(v, requires_grad=isinstance(v, gg.Tensor)).sum()
!gg.asarray(v, copy=True).sum()
!gg.asarray(t, dtype=gg.float64) * u
gg.Tensor(v).sum()
gg.nn.Parameter(v, requires_grad=isinstance(v, gg.Tensor)).sum()
gg.from_dlpack(v).sum()
!gg.full(2, t).sum()
!gg.full_like(gg.zeros(2), t).sum()
!gg.full((2, 2), v).sum()
!gg.arange(t, 3.0).sum()
!gg.arange(0.0, 3.0, t).sum()
!gg.arange(0.0, 3.0 * u).sum()
!gg.linspace(t, u, 4).sum()
!gg.linspace(0.0, t, 4)[1]
!gg.linspace(t, 5.0, 4, endpoint=False).sum()
!gg.logspace(0.0, t, 4).sum()
!gg.logspace(0.0, 1.0, 4, base=u).sum()
!gg.geomspace(t, u, 4).sum()
!gg.interp(gg.tensor([-9.0, 0.5]), [0.0, 1.0], [0.0, 1.0], left=t).sum()
!gg.interp(gg.tensor([9.0, 0.5]), [0.0, 1.0], [0.0, 1.0], right=t).sum()
!gg.interp(gg.tensor([-9.0, 9.0]), [0.0, 1.0], [0.0, 1.0], t, u).sum()
!gg.interp(gg.tensor([9.1, 0.5]), [0.0, 1.0], [0.0, 1.0], period=2 * u).sum()
!gg.interp(gg.tensor([0.5]), [0.0, 1.0], [t, u]).sum()
!gg.std(gg.tensor([1.0, 2.0, 4.0]), correction=t)
!gg.var(gg.tensor([1.0, 2.0, 4.0]), correction=t)
!gg.nanvar(gg.tensor([1.0, 2.0, 4.0]), correction=t)
!gg.tensor([1.0, 2.0, 4.0]).std(correction=t)
!gg.cov(gg.tensor([[1.0, 2.0, 4.0]]), aweights=[t, u, 1.0]).sum()
!gg.quantile(gg.tensor([1.0, 2.0, 4.0]), t / 2)
!gg.quantile(gg.tensor([1.0, 2.0, 4.0]), [t / 2, 0.5]).sum()
!gg.percentile(gg.tensor([1.0, 2.0, 4.0]), [10 * t, 20 * u]).sum()
!gg.nanpercentile(gg.tensor([1.0, 2.0, 4.0]), (10 * t, 20 * u)).sum()
!gg.average(gg.tensor([1.0, 2.0]), weights=[t, u])
!gg.clip(gg.tensor([0.0, 9.0]), t, u).sum()
!gg.clip(gg.tensor([0.0, 9.0]), [t, 0.0], 5.0).sum()
gg.nan_to_num(gg.tensor([math.nan, 1.0]), nan=t).sum()
gg.unwrap(gg.tensor([0.0, 9.0]), period=u).sum()
!gg.pad(v, 1, constant_values=t).sum()
!gg.pad(gg.zeros(2), (1, 2), constant_values=(t, u)).sum()
!gg.pad(gg.zeros(2), 1, mode='linear_ramp', end_values=t).sum()
!gg.histogram(gg.tensor([0.1, 0.5]), 2, range=(0.0, t))[1].sum()
!gg.histogram(gg.tensor([0.1, 0.5]), [0.0, t, u], density=True)[0].sum()
!gg.trapezoid(gg.tensor([1.0, 2.0]), dx=t)
!gg.trapezoid(gg.tensor([1.0, 2.0]), [0.0, t])
!gg.gradient(gg.tensor([1.0, 2.0, 4.0]), t).sum()
!gg.gradient(gg.tensor([1.0, 2.0, 4.0]), [0.0, t, u]).sum()
!gg.diff(gg.tensor([1.0, 2.0]), append=gg.asarray(t).reshape(1)).sum()
!gg.ediff1d(gg.tensor([1.0, 2.0]), to_end=t).sum()
!gg.where(gg.tensor([True, False]), t, u).sum()
!gg.select([gg.tensor([True, False])], [t], u).sum()
!gg.piecewise(gg.tensor([1.0, -1.0]), [gg.tensor([True, False])], [t, u]).sum()
!gg.insert(gg.zeros(2), 1, t).sum()
!gg.append(gg.zeros(2), t).sum()
!gg.set_at(gg.zeros(2), 0, t).sum()
!gg.set_at(gg.zeros(2), slice(None), [t, u]).sum()
!gg.stack([t, u]).sum()
!gg.concat([v, gg.ones(1)]).sum()
!gg.repeat(t, 3).sum()
gg.isclose(t, 0.7, rtol=u) * u
gg.linalg.vector_norm(gg.tensor([1.0, 2.0]), ord=1 + t)
gg.linalg.norm(gg.tensor([1.0, 2.0]), ord=u)
!gg.linalg.pinv(gg.eye(2) * t, rtol=0.1 * u).sum()
!gg.linalg.matrix_rank(gg.eye(2), rtol=t) * u
!gg.linalg.lstsq(gg.eye(2), v)[0].sum()
!gg.linalg.lstsq(gg.eye(3)[:, :2] * t, gg.ones(3))[1].sum()
!gg.linalg.lstsq(gg.eye(2) * t, gg.ones(2)).s.sum()
!gg.linalg.slogdet(gg.eye(2) * t)[1]
!gg.linalg.eigh(gg.eye(2) * t)[0].sum()
!gg.linalg.svd(gg.eye(2) * t)[1].sum()
gg.round(v * 10, t).sum() * 0 + t if isinstance(t, gg.Tensor) else t
!gg.polyval([t, u], 2.0)
!gg.fftfreq(3, t).sum() if hasattr(gg, 'fftfreq') else gg.fft.fftfreq(3, d=t).sum()
!gg.fft.rfftfreq(3, d=u).sum()
!gg.special.logsumexp(v)
!gg.special.softmax(v)[0]
!gg.random.seed(0); gg.random.uniform(0.0, t, 3).sum()
!gg.random.seed(0); gg.random.uniform(t, u, 3).sum()
!gg.random.seed(0); gg.random.uniform(0.0, gg.asarray(v)).sum()
!gg.random.seed(0); gg.random.normal(t, u, 3).sum()
!gg.random.seed(0); gg.random.normal(gg.asarray(v)).sum()
gg.random.seed(0); gg.random.bernoulli(t, 3).sum() * u
F.leaky_relu(-gg.ones(2), t).sum()
F.elu(-gg.ones(2), t).sum()
F.celu(-gg.ones(2), u).sum()
F.softplus(gg.ones(2), t).sum()
F.hardtanh(gg.ones(2) * 9, -1.0, t).sum()
F.threshold(gg.zeros(2), t, u).sum()
!F.hardshrink(gg.ones(2), t).sum()
F.softshrink(gg.ones(2), t).sum()
F.layer_norm(gg.tensor([1.0, 2.0]), (2,), eps=t).square().sum()
!F.normalize(gg.tensor([[1.0, 2.0]]), eps=9 * u).sum()
F.huber_loss(gg.ones(2) * 9, gg.zeros(2), delta=t)
F.smooth_l1_loss(gg.ones(2) * 0.1, gg.zeros(2), beta=t)
F.cross_entropy(gg.tensor([[1.0, 2.0]]), gg.tensor([1]), label_smoothing=t)
F.cross_entropy(gg.tensor([[1.0, 2.0]]), gg.tensor([[0.2, 0.8]]), label_smoothing=t)
!F.nll_loss(gg.tensor([[1.0, 2.0]]), gg.tensor([1]), weight=gg.asarray(v, dtype=gg.float64))
!F.margin_ranking_loss(gg.ones(2), gg.zeros(2), -gg.ones(2), margin=t)
!F.triplet_margin_loss(gg.ones((1, 2)), gg.zeros((1, 2)), gg.ones((1, 2)), margin=t)
!F.cosine_similarity(gg.ones(2), v, dim=0, eps=t)
F.pairwise_distance(gg.ones((1, 2)), gg.zeros((1, 2)), p=1 + t).sum()
!F.pad(gg.zeros(2), (1, 1), value=t).sum()
F.dropout(gg.ones(2), t).sum() * u
!gg.random.seed(0); F.gumbel_softmax(gg.ones(2), tau=t)[0]
!F.gaussian_nll_loss(gg.ones(2), gg.zeros(2), gg.ones(2), eps=t)
!F.poisson_nll_loss(gg.ones(2), gg.ones(2), log_input=False, eps=t)
!F.prelu(-gg.ones((1, 2)), gg.asarray(v, dtype=gg.float64)).sum()
!F.scaled_dot_product_attention(gg.ones((1, 2)), gg.ones((1, 2)), gg.ones((1, 2)), scale=t).sum()
!F.linear(gg.ones(2), gg.asarray(v, dtype=gg.float64).reshape(1, 2)).sum()
!F.embedding(gg.tensor([0]), gg.asarray(v, dtype=gg.float64).reshape(1, 2)).sum()
!x = gg.zeros(2); x[0] = t; x.sum()
!x = gg.zeros(2); x[:] = v; x.sum()
!x = gg.zeros(2); x[[0, 1]] = [t, u]; x.sum()
!x = gg.zeros(2); x += t; x.sum()
!x = gg.ones(2); x *= v; x.sum()
!x = gg.zeros((2, 2)); x[0, 1] = u; x.sum()
!gg.grad(lambda s: s * t)(2.0) * u
!gg.value_and_grad(lambda s: s * s * t)(2.0)[0]
!gg.jacobian(lambda s: s * t)(gg.ones(2)).sum()
!gg.hessian(lambda s: (s * s * t).sum())(gg.ones(2)).sum()
!gg.vmap(lambda s: s * t)(gg.ones(3)).sum()
!gg.vmap(lambda s: gg.tensor(s) * t)(gg.ones(3)).sum()
!gg.vmap(lambda s: copy.deepcopy(s))(v).sum()
!gg.vmap(lambda s: gg.full(2, s))(v).sum()
!gg.jvp(lambda s: s * t, (gg.ones(2),), (gg.ones(2),))[1].sum()
!gg.vjp(lambda s: s * t, gg.ones(2))[1](gg.ones(2))[0].sum()
!gg.checkpoint(lambda s: s * t)(gg.ones(2)).sum()
!gg.checkpoint(lambda s: copy.copy(s) * u)(v).sum()
"""
