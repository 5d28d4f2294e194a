"use strict";

// What the live page remembers of a meter. Times are seconds since a zero, which keeps their
// fractions exact.
const { Series, Counter } = (() => {
	const hour = 3600; // s; what is older goes
	const fine = 600; // s; what is older is merged
	const capacity = 12000; // points, which are more than those of an hour: see compact

	// What a point has: mean, low, high are W; the rest as the names of readings say.
	const fields = ["start", "end", "mean", "low", "high", "volts", "amps", "apparent", "hertz", "energy"];

	// A Series is power over time, in points that are in order and do not overlap.
	class Series {
		// merged says whether points are more than windows.
		constructor(merged) {
			this.n = 0;
			this.merged = merged;
			for (const f of fields) this[f] = new Float64Array(capacity);
		}

		// push adds a point, which is an object with the fields.
		push(point) {
			if (this.n === capacity) this.compact(point.end);
			for (const f of fields) this[f][this.n] = point[f];
			this.n++;
		}

		// compact drops what is older than an hour and merges what is older than ten minutes,
		// on a grid of a second, or of as many as are needed.
		compact(now) {
			for (let cell = 1, after = fine; this.n > capacity * 0.75; cell *= 2, after = Math.max(after / 2, 60)) {
				let n = 0;
				for (let i = 0; i < this.n; i++) {
					if (this.end[i] < now - hour) continue;
					const last = n - 1;
					if (last >= 0 && this.end[i] < now - after && this.start[i] - this.end[last] < 1e-3 &&
						Math.floor(this.start[i] / cell) === Math.floor(this.start[last] / cell)) {
						this.merge(last, i);
						continue;
					}
					if (n !== i) for (const f of fields) this[f][n] = this[f][i];
					n++;
				}
				this.n = n;
				if (cell > hour) this.n = Math.min(n, capacity / 2); // gaps after each point: what does not fit is lost
			}
		}

		merge(into, i) {
			const a = this.end[into] - this.start[into], b = this.end[i] - this.start[i];
			for (const f of ["mean", "volts", "amps", "apparent", "hertz"]) this[f][into] = (this[f][into] * a + this[f][i] * b) / (a + b);
			this.low[into] = Math.min(this.low[into], this.low[i]);
			this.high[into] = Math.max(this.high[into], this.high[i]);
			this.energy[into] += this.energy[i];
			this.end[into] = this.end[i];
		}

		// after returns the index of the first point that ends after a time.
		after(t) {
			let a = 0, b = this.n;
			while (a < b) {
				const m = (a + b) >> 1;
				if (this.end[m] > t) b = m; else a = m + 1;
			}
			return a;
		}

		// sum returns what was measured between two times, points at the edges in proportion;
		// null where nothing was.
		sum(from, to) {
			let found = null;
			for (let i = this.after(from); i < this.n && this.start[i] < to; i++) {
				const length = Math.min(this.end[i], to) - Math.max(this.start[i], from);
				if (!(length > 0)) continue;
				if (!found) found = { energy: 0, covered: 0, low: Infinity, high: -Infinity };
				found.energy += this.energy[i] * length / (this.end[i] - this.start[i]);
				found.covered += length;
				found.low = Math.min(found.low, this.low[i]);
				found.high = Math.max(found.high, this.high[i]);
			}
			return found;
		}

		// average returns the mean of a field over the last points that begin after a time.
		average(field, from) {
			let sum = 0, time = 0;
			for (let i = this.n - 1; i >= 0 && (this.start[i] >= from || i === this.n - 1); i--) {
				const length = this.end[i] - this.start[i];
				sum += this[field][i] * length;
				time += length;
			}
			return sum / time;
		}
	}

	// A Counter counts energy since a moment: each piece of time once, whichever way readings
	// of it come again. Times are UNIX seconds. It can be stored as JSON.
	class Counter {
		constructor(since) {
			this.since = since;
			this.upto = since; // what has been counted
			this.energy = 0; // J
			this.covered = 0; // s, which were measured
		}

		// from returns the one that was stored; null where that is none.
		static from(json) {
			let stored;
			try { stored = JSON.parse(json); } catch { return null; }
			if (!stored || !["since", "upto", "energy", "covered"].every((f) => Number.isFinite(stored[f]))) return null;
			return Object.assign(new Counter(0), { since: stored.since, upto: stored.upto, energy: stored.energy, covered: stored.covered });
		}

		add(start, end, energy) {
			const from = Math.max(start, this.upto);
			if (!(end > from)) return;
			this.energy += energy * (end - from) / (end - start);
			this.covered += end - from;
			this.upto = end;
		}
	}
	return { Series, Counter };
})();
