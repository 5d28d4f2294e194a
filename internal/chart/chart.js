"use strict";

// What the pages of powerspy draw alike: axes, and power over time that can be zoomed and
// moved, as SVG. Times are seconds: UNIX ones, or since the zero of what is drawn.
const chart = (() => {
	// add puts an element of SVG into another one.
	function add(parent, name, attributes, text) {
		const e = document.createElementNS("http://www.w3.org/2000/svg", name);
		for (const key in attributes) e.setAttribute(key, attributes[key]);
		if (text !== undefined) e.textContent = text;
		parent.appendChild(e);
		return e;
	}

	// canvas empties the place of a picture and returns an SVG of its width.
	function canvas(place, height) {
		const width = Math.max(place.clientWidth, 280);
		const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
		svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
		svg.setAttribute("aria-hidden", "true"); // its place has the words for it
		place.replaceChildren(svg);
		return { svg, width };
	}

	// Numbers and times for people.

	const pad = (n, digits) => String(n).padStart(digits, "0");

	// offset returns how far local time is ahead of UTC at a moment: in the zone of the browser,
	// unless a page has another one.
	let offset = (t) => -60 * new Date(t * 1e3).getTimezoneOffset();

	// local returns the local date at a moment, as if it were UTC.
	const local = (t) => new Date(Math.round((t + offset(t)) * 1e3));

	// moment returns when a local time is.
	const moment = (wall) => wall - offset(wall - offset(wall));
	const day = (d) => `${d.getUTCFullYear()}-${pad(d.getUTCMonth() + 1, 2)}-${pad(d.getUTCDate(), 2)}`;

	// clock writes a time of the day as fine as a step asks for.
	function clock(t, step) {
		const d = local(t);
		let text = `${pad(d.getUTCHours(), 2)}:${pad(d.getUTCMinutes(), 2)}`;
		if (step < 60) text += `:${pad(d.getUTCSeconds(), 2)}`;
		if (step < 1) text += `.${pad(d.getUTCMilliseconds(), 3)}`;
		return text;
	}
	const exact = (t) => clock(t, 0.001);
	const watts = (v) => `${v.toFixed(2)} W`;

	function length(s) {
		if (s < 1) return `${(s * 1e3).toFixed(s < 0.1 ? 1 : 0)} ms`;
		if (s < 120) return `${s.toFixed(s < 10 ? 2 : 1)} s`;
		return s < 7200 ? `${(s / 60).toFixed(1)} min` : `${(s / 3600).toFixed(1)} h`;
	}

	// steps returns the step of so many ticks: 1, 2 or 5 of a power of ten.
	function steps(range, ticks) {
		const rough = range / Math.max(ticks, 1);
		const power = 10 ** Math.floor(Math.log10(rough));
		return power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
	}
	const digits = (step) => Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));

	const timeSteps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];

	function timeStep(range, ticks) {
		const found = timeSteps.find((s) => s >= range / ticks);
		return found || 86400 * Math.max(1, Math.ceil(range / ticks / 86400));
	}

	// timeAxis draws clock times below a picture that shows so many seconds from a moment on.
	function timeAxis(svg, box, from, to) {
		const step = timeStep(to - from, Math.max(2, (box.right - box.left) / 95));
		const x = (t) => box.left + (t - from) / (to - from) * (box.right - box.left);
		let shown = "", before = -Infinity;
		for (let n = Math.ceil((from + offset(from)) / step - 1e-6); ; n++) {
			const t = moment(n * step);
			if (t > to + step * 1e-6) break;
			if (t < from - step * 1e-6 || t <= before) continue; // an hour that clocks skip or repeat
			before = t;
			if (!shown && day(local(t)) !== day(local(from)) && x(t) > box.left + 80) {
				add(svg, "text", { class: "soft", x: box.left, y: box.bottom + 32 }, day(local(from)));
			}
			add(svg, "line", { class: "grid", x1: x(t), x2: x(t), y1: box.top, y2: box.bottom });
			add(svg, "line", { class: "axis", x1: x(t), x2: x(t), y1: box.bottom, y2: box.bottom + 4 });
			const anchor = x(t) < box.left + 30 ? "start" : x(t) > box.right - 30 ? "end" : "middle";
			add(svg, "text", { x: x(t), y: box.bottom + 17, "text-anchor": anchor }, clock(t, step));
			const date = day(local(t));
			if (date !== shown) add(svg, "text", { class: "soft", x: x(t), y: box.bottom + 32, "text-anchor": anchor }, date);
			shown = date;
		}
		add(svg, "line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom });
	}

	// valueAxis draws the values on the left, with their unit above.
	function valueAxis(svg, box, low, high, unit) {
		const step = steps(high - low, (box.bottom - box.top) / 45);
		const y = (v) => box.bottom - (v - low) / (high - low) * (box.bottom - box.top);
		for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) {
			const v = n * step;
			add(svg, "line", { class: "grid", x1: box.left, x2: box.right, y1: y(v), y2: y(v) });
			add(svg, "text", { x: box.left - 6, y: y(v) + 4, "text-anchor": "end" }, v.toFixed(digits(step)));
		}
		add(svg, "text", { class: "soft", x: 0, y: 12 }, unit);
	}

	// Power over time.

	// A PowerPicture shows power over time in a figure. What it draws has
	//
	//	zero              of the times of points, UNIX seconds
	//	start_s, end_s    between which can be looked; UNIX seconds, as all of the following
	//	points(from, to)  n points in the order of time: arrays start, end (since zero), mean, low
	//	                  and high (W), and whether they were merged out of windows
	//	phases, jobs      with name, start_s and end_s
	//	gaps              with reason, start_s and end_s
	//	marks             with name and time_s
	//	baseline_W        or null
	//	index             tells it from others of the page
	//	live              whether end_s goes on
	//	drawn(picture)    is called when it was drawn; may be left out
	class PowerPicture {
		// commands are what else buttons of the figure do.
		constructor(figure, r, commands) {
			this.place = figure.querySelector(".plot");
			this.readout = figure.querySelector(".readout");
			this.fromZero = true;
			this.take(r);
			this.from = this.first;
			this.to = this.last;
			this.listen(figure, commands);
			this.draw();
		}

		// take takes what is drawn from now on.
		take(r) {
			this.r = r;
			this.zero = r.zero;
			this.follows = Boolean(r.live); // the end of the view goes on, too
			this.reading = false; // whether a place is read
			this.band = new Map();
		}
		get first() { return this.r.start_s - this.zero; }
		get last() { return Math.max(this.r.end_s - this.zero, this.first + 0.001); }
		get least() { return Math.min(0.05, this.last - this.first); }

		// bandOf returns the colour of a phase's name.
		bandOf(name) {
			if (this.band.size > 500) this.band.clear();
			if (!this.band.has(name)) this.band.set(name, this.band.size % 6);
			return this.band.get(name);
		}

		// advance draws what has come.
		advance() {
			if (this.follows) this.look(this.last - (this.to - this.from), this.last);
			else this.look(this.from, this.to);
		}

		// firstAfter returns the index of the first point that ends after a time.
		firstAfter(t, p = this.p) {
			let a = 0, b = p.n;
			while (a < b) {
				const m = (a + b) >> 1;
				if (p.end[m] > t) b = m; else a = m + 1;
			}
			return a;
		}

		// between returns the lowest, highest and mean power between two times, and where
		// the highest is; null where nothing was measured.
		between(from, to, p = this.p) {
			let found = null, energy = 0, covered = 0;
			for (let i = this.firstAfter(from, p); i < p.n && p.start[i] < to; i++) {
				if (!found) found = { low: p.low[i], high: p.high[i], at: i, count: 0 };
				if (p.low[i] < found.low) found.low = p.low[i];
				if (p.high[i] > found.high) { found.high = p.high[i]; found.at = i; }
				const part = Math.min(p.end[i], to) - Math.max(p.start[i], from);
				energy += p.mean[i] * part;
				covered += part;
				found.count++;
				found.last = i;
			}
			if (found) found.mean = energy / covered;
			return found;
		}

		x(t) { return this.box.left + (t - this.from) / (this.to - this.from) * (this.box.right - this.box.left); }
		time(x) { return this.from + (x - this.box.left) / (this.box.right - this.box.left) * (this.to - this.from); }
		y(v) { return this.box.bottom - (v - this.low) / (this.high - this.low) * (this.box.bottom - this.box.top); }

		draw() {
			this.p = this.r.points(this.from, this.to);
			const strips = (this.r.phases.length || this.r.live ? 20 : 0) + (this.r.jobs.length ? 12 : 0);
			const height = 330 + strips;
			const { svg, width } = canvas(this.place, height);
			this.svg = svg;
			this.box = { left: 52, right: width - 10, top: 22 + strips, bottom: height - 40 };
			this.seen = this.between(this.from, this.to);
			let low = this.seen ? this.seen.low : 0, high = this.seen ? this.seen.high : 1;
			const base = this.r.baseline_W;
			if (base !== null) { low = Math.min(low, base); high = Math.max(high, base); }
			const margin = Math.max((high - (this.fromZero ? Math.min(low, 0) : low)) * 0.08, 0.01);
			this.low = this.fromZero && low >= 0 ? 0 : low - margin;
			this.high = high + margin;
			if (this.r.live) { // the axis keeps its values while the power changes a little
				const step = steps(this.high - this.low, 4);
				this.low = Math.floor(this.low / step) * step;
				this.high = Math.ceil(this.high / step) * step;
			}

			const defs = add(svg, "defs");
			const id = `hatch-${this.r.index}`;
			const hatch = add(defs, "pattern", { id, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
			add(hatch, "line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 7 });
			const clip = `clip-${this.r.index}`;
			add(add(defs, "clipPath", { id: clip }), "rect", { x: this.box.left, y: 0, width: this.box.right - this.box.left, height });

			this.drawBands(svg);
			valueAxis(svg, this.box, this.low, this.high, "power / W");
			timeAxis(svg, this.box, this.zero + this.from, this.zero + this.to);
			const inside = add(svg, "g", { "clip-path": `url(#${clip})` });
			this.drawGaps(inside, id);
			this.drawMarks(inside);
			this.drawPower(inside);
			if (base !== null) {
				add(inside, "line", { class: "base", x1: this.box.left, x2: this.box.right, y1: this.y(base), y2: this.y(base) });
				add(inside, "text", { class: "halo", x: this.box.right - 4, y: this.y(base) - 5, "text-anchor": "end" }, `idle ${watts(base)}`);
			}
			this.drawPeak(svg);
			this.over = add(svg, "g", { class: "cursor" });
			this.place.dataset.from = this.zero + this.from; // for scripts that look at the page
			this.place.dataset.to = this.zero + this.to;
			if (this.reading) this.read(this.at, false);
			if (this.r.drawn) this.r.drawn(this);
		}

		drawBands(svg) {
			const row = this.box.top - 20;
			for (const p of this.r.phases) {
				const a = Math.max(this.x(p.start_s - this.zero), this.box.left), b = Math.min(this.x(p.end_s - this.zero), this.box.right);
				if (!(b > a)) continue;
				add(svg, "rect", { class: `band${this.bandOf(p.name)}`, x: a, y: row, width: Math.max(b - a, 1), height: this.box.bottom - row });
				const room = Math.floor((b - a - 6) / 6.6);
				if (room >= 3 && p.name) add(svg, "text", { x: a + 4, y: row + 14 }, p.name.length > room ? p.name.slice(0, room - 1) + "…" : p.name);
			}
			for (const j of this.r.jobs) {
				const a = Math.max(this.x(j.start_s - this.zero), this.box.left), b = Math.min(this.x(j.end_s - this.zero), this.box.right);
				if (b > a) add(svg, "rect", { class: "job", x: a, y: 19, width: Math.max(b - a, 1), height: 5 });
			}
		}

		drawGaps(svg, id) {
			let right = -1;
			for (const g of this.r.gaps) {
				const a = this.x(g.start_s - this.zero), b = Math.max(this.x(g.end_s - this.zero), a + 2);
				if (b < this.box.left || a > this.box.right || b <= right) continue; // what is drawn already is no other gap
				right = b;
				add(svg, "rect", { class: "gap", fill: `url(#${id})`, x: a, y: this.box.top, width: b - a, height: this.box.bottom - this.box.top });
			}
		}

		drawMarks(svg) {
			let right = -3;
			for (const m of this.r.marks) {
				const x = this.x(m.time_s - this.zero);
				if (x < this.box.left || x > this.box.right || x < right + 3) continue;
				right = x;
				add(svg, "line", { class: "mark", x1: x, x2: x, y1: this.box.top, y2: this.box.bottom });
			}
		}

		// drawPower draws the lowest and highest power of each pixel as an area and the mean
		// as a line, or where points are wider than that just those.
		drawPower(svg) {
			const p = this.p, left = this.box.left, columns = Math.ceil(this.box.right - left);
			const first = this.firstAfter(this.from);
			const last = this.firstAfter(this.to) + 1;
			const f = (v) => v.toFixed(1);
			if (last - first <= columns) {
				let line = "", before = NaN;
				for (let i = first; i < p.n && p.start[i] < this.to; i++) {
					line += p.start[i] > before + 1e-6 || i === first ? `M${f(this.x(p.start[i]))} ${f(this.y(p.mean[i]))}` : `V${f(this.y(p.mean[i]))}`;
					line += `H${f(this.x(p.end[i]))}`;
					before = p.end[i];
				}
				if (p.merged) this.drawRanges(svg, first);
				add(svg, "path", { class: "line", d: line });
				return;
			}
			const low = new Float64Array(columns).fill(Infinity), high = new Float64Array(columns).fill(-Infinity);
			const energy = new Float64Array(columns), time = new Float64Array(columns);
			const scale = columns / (this.to - this.from);
			for (let i = first; i < p.n && p.start[i] < this.to; i++) {
				const a = Math.max(0, Math.floor((p.start[i] - this.from) * scale));
				const b = Math.min(columns - 1, Math.max(a, Math.ceil((p.end[i] - this.from) * scale) - 1));
				for (let c = a; c <= b; c++) {
					if (p.low[i] < low[c]) low[c] = p.low[i];
					if (p.high[i] > high[c]) high[c] = p.high[i];
					const part = Math.min(p.end[i] - this.from, (c + 1) / scale) - Math.max(p.start[i] - this.from, c / scale);
					if (part > 0) { energy[c] += p.mean[i] * part; time[c] += part; }
				}
			}
			let area = "", line = "";
			for (let c = 0; c < columns; c++) {
				if (high[c] < low[c]) continue;
				let e = c;
				while (e < columns && high[e] >= low[e]) e++;
				area += `M${left + c} ${f(this.y(high[c]))}`;
				for (let k = c; k < e; k++) area += `V${f(this.y(high[k]))}h1`;
				for (let k = e - 1; k >= c; k--) area += `V${f(this.y(low[k]))}h-1`;
				area += "Z";
				let pen = "M";
				for (let k = c; k < e; k++) {
					if (time[k] > 0) { line += `${pen}${left + k + 0.5} ${f(this.y(energy[k] / time[k]))}`; pen = "L"; }
				}
				c = e;
			}
			add(svg, "path", { class: "area", d: area });
			add(svg, "path", { class: "line", d: line });
		}

		// drawRanges draws the lowest and highest of points that were merged.
		drawRanges(svg, first) {
			const p = this.p;
			let d = "";
			for (let i = first; i < p.n && p.start[i] < this.to; i++) {
				d += `M${this.x(p.start[i]).toFixed(1)} ${this.y(p.high[i]).toFixed(1)}H${this.x(p.end[i]).toFixed(1)}V${this.y(p.low[i]).toFixed(1)}H${this.x(p.start[i]).toFixed(1)}Z`;
			}
			add(svg, "path", { class: "area", d });
		}

		// drawPeak names the highest power that is seen.
		drawPeak(svg) {
			if (!this.seen) return;
			const i = this.seen.at;
			const x = Math.min(Math.max(this.x((this.p.start[i] + this.p.end[i]) / 2), this.box.left), this.box.right), y = this.y(this.seen.high);
			add(svg, "circle", { class: "peak", cx: x, cy: y, r: 3.5 });
			const end = x > (this.box.left + this.box.right) / 2;
			add(svg, "text", { class: "halo strong highest", x: end ? x + 3 : x - 3, y: y - 7, "text-anchor": end ? "end" : "start" }, watts(this.seen.high));
		}

		// look moves the view, within what was measured.
		look(from, to) {
			const range = Math.min(Math.max(to - from, this.least), this.last - this.first);
			const middle = (from + to) / 2;
			this.from = Math.min(Math.max(middle - range / 2, this.first), this.last - range);
			this.to = this.from + range;
			this.follows = Boolean(this.r.live) && this.to >= this.last - range * 1e-3;
			this.draw();
		}
		zoom(factor, t = this.follows ? this.to : (this.from + this.to) / 2) { this.look(t - (t - this.from) / factor, t + (this.to - t) / factor); }
		pan(share) { this.look(this.from + share * (this.to - this.from), this.to + share * (this.to - this.from)); }

		highest() {
			const p = this.r.points(this.first, this.last), all = this.between(this.first, this.last, p);
			if (!all) return;
			const t = (p.start[all.at] + p.end[all.at]) / 2;
			const range = this.to - this.from;
			if (t < this.from || t > this.to) this.look(t - range / 2, t + range / 2);
			this.read(this.x(t), true);
		}

		// read shows what there is at a place: the powers of a few pixels around it, so that a
		// short peak can be hit. It is spoken only where a key asked for it.
		read(x, spoken) {
			this.at = Math.min(Math.max(x, this.box.left), this.box.right);
			this.reading = true;
			const near = 3;
			const t = this.time(this.at), found = this.between(this.time(this.at - near), this.time(this.at + near));
			this.over.replaceChildren();
			add(this.over, "line", { class: "cursor", x1: this.at, x2: this.at, y1: this.box.top, y2: this.box.bottom });
			let text = exact(this.zero + t);
			const one = this.between(t, t + 1e-9);
			const gap = this.r.gaps.find((g) => g.start_s - this.zero <= t && t <= g.end_s - this.zero);
			if (found && found.count > 1) {
				text += `: ${found.low.toFixed(2)} to ${watts(found.high)}, mean ${watts(found.mean)}; highest at ${exact(this.zero + this.p.start[found.at])} for ${length(this.p.end[found.at] - this.p.start[found.at])}`;
				if (this.p.merged) text = text.replace(/ for [^;]*$/, "");
			} else if (one || found && !gap) {
				text += `: ${watts((one || found).mean)}`;
			}
			if (gap && !one) text += `: not measured (${gap.reason})`;
			else if (found) add(this.over, "circle", { class: "peak", cx: Math.min(Math.max(this.x((this.p.start[found.at] + this.p.end[found.at]) / 2), this.box.left), this.box.right), cy: this.y(found.high), r: 3 });
			const name = (list) => list.filter((p) => p.start_s - this.zero <= t && t < p.end_s - this.zero).map((p) => p.name).filter((n) => n).map((n) => n.length > 50 ? n.slice(0, 49) + "…" : n);
			const phases = name(this.r.phases), jobs = name(this.r.jobs);
			if (phases.length) text += ` · phase ${phases.join(", ")}`;
			if (jobs.length) text += ` · ${jobs.join(", ")}`;
			const mark = this.r.marks.find((m) => Math.abs(this.x(m.time_s - this.zero) - this.at) <= near);
			if (mark) text += ` · mark ${mark.name}`;
			this.readout.setAttribute("aria-live", spoken ? "polite" : "off");
			if (this.readout.textContent !== text) this.readout.textContent = text;
		}

		// forget ends the reading of a place.
		forget() {
			this.reading = false;
			this.over.replaceChildren();
			this.readout.textContent = "";
		}

		listen(figure, more) {
			const commands = {
				in: () => this.zoom(2), out: () => this.zoom(0.5), earlier: () => this.pan(-0.25), later: () => this.pan(0.25),
				all: () => this.look(this.first, this.last), highest: () => this.highest(),
				end: () => this.look(this.last - (this.to - this.from), this.last), ...more,
			};
			const tools = figure.querySelector(".tools");
			tools.hidden = figure.querySelector(".keys").hidden = false;
			tools.addEventListener("click", (e) => {
				const button = e.target.closest("button");
				if (!button) return;
				if (button.dataset.do !== "zero") return commands[button.dataset.do]();
				this.fromZero = !this.fromZero;
				button.setAttribute("aria-pressed", this.fromZero);
				this.draw();
			});
			const keys = { "+": "in", "=": "in", "-": "out", 0: "all", Home: "all", End: "end", ArrowLeft: "earlier", ArrowRight: "later", h: "highest", H: "highest" };
			this.place.addEventListener("keydown", (e) => {
				if (e.ctrlKey || e.altKey || e.metaKey || !(e.key in keys)) return;
				e.preventDefault();
				if (e.shiftKey && e.key.startsWith("Arrow")) {
					const middle = (this.box.left + this.box.right) / 2;
					return this.read((this.at === undefined ? middle : this.at) + (e.key === "ArrowLeft" ? -4 : 4), true);
				}
				commands[keys[e.key]]();
			});
			this.listenToPointers();
			// In the next frame: a picture that changes the size of its place as it is drawn would
			// be an error of the page (ResizeObserver).
			new ResizeObserver(() => requestAnimationFrame(() => {
				if (this.place.clientWidth !== this.drawn) { this.drawn = this.place.clientWidth; this.draw(); }
			})).observe(this.place);
		}

		listenToPointers() {
			const pointers = new Map();
			// where returns the place of an event in the units of the picture.
			const where = (e) => {
				const r = this.svg.getBoundingClientRect();
				return (e.clientX - r.left) * this.svg.viewBox.baseVal.width / r.width;
			};
			this.place.addEventListener("pointerdown", (e) => {
				this.place.setPointerCapture(e.pointerId);
				pointers.set(e.pointerId, where(e));
			});
			const gone = (e) => pointers.delete(e.pointerId);
			this.place.addEventListener("pointerup", gone);
			this.place.addEventListener("pointercancel", gone);
			this.place.addEventListener("pointermove", (e) => {
				const x = where(e), before = pointers.get(e.pointerId);
				if (before !== undefined) {
					if (pointers.size === 2) {
						const [other] = [...pointers].filter(([id]) => id !== e.pointerId).map(([, at]) => at);
						if (Math.abs(before - other) > 5) this.zoom(Math.abs(x - other) / Math.abs(before - other), this.time(other));
					} else {
						const shift = (before - x) / (this.box.right - this.box.left) * (this.to - this.from);
						this.look(this.from + shift, this.to + shift);
					}
					pointers.set(e.pointerId, x);
				}
				this.read(x, false);
			});
			this.place.addEventListener("pointerleave", () => {
				if (!pointers.size) this.forget();
			});
			this.place.addEventListener("dblclick", (e) => this.zoom(4, this.time(where(e))));
			this.place.addEventListener("wheel", (e) => {
				if (e.ctrlKey) this.zoom(Math.exp(-e.deltaY / 200), this.time(where(e)));
				else if (Math.abs(e.deltaX) > Math.abs(e.deltaY)) this.pan(e.deltaX / 1000);
				else return; // the page scrolls
				e.preventDefault();
			}, { passive: false });
		}
	}

	return { add, canvas, valueAxis, timeAxis, steps, digits, clock, exact, watts, length, PowerPicture, zone: (f) => { offset = f; } };
})();
