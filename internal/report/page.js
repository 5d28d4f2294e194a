"use strict";

// The pictures of a report, out of the data that the page carries. Power over time is that of
// package chart; what benches have of their own is here.
(() => {
	const data = JSON.parse(document.getElementById("powerspy-data").textContent);
	const { add, canvas, valueAxis, timeAxis, steps, digits } = chart;

	// The zone is that of the report, wherever it is read.
	chart.zone((t) => {
		let found = 0;
		for (const o of data.utc_offsets) if (o.from_s <= t || o === data.utc_offsets[0]) found = o.offset_s;
		return found;
	});

	// decode returns the points of a series in typed arrays.
	function decode(series) {
		const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
		const numbers = (text, size, get) => {
			const view = new DataView(bytes(text));
			return Float64Array.from({ length: series.points }, (_, i) => view[get](i * size, true));
		};
		const lengths = numbers(series.length_us, 4, "getUint32");
		const start = new Float64Array(series.points), end = new Float64Array(series.points);
		let at = 0, next = 0;
		for (let i = 0; i < series.points; i++) {
			if (next < series.breaks.length && series.breaks[next][0] === i) at = series.breaks[next++][1];
			start[i] = at / 1e6;
			at += lengths[i];
			end[i] = at / 1e6;
		}
		const mean = numbers(series.mean_W, 4, "getFloat32");
		const low = series.merged ? numbers(series.low_W, 4, "getFloat32") : mean;
		const high = series.merged ? numbers(series.high_W, 4, "getFloat32") : mean;
		return { n: series.points, start, end, mean, low, high, merged: series.merged };
	}

	// Benches.

	// shape returns the path of a sign around a place, so that colour is not all that tells
	// commands apart.
	function shape(n, x, y, r) {
		switch (n % 4) {
		case 0: return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
		case 1: return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`;
		case 2: return `M${x} ${y - r * 1.2}l${r * 1.2} ${r * 2.1}h${-2.4 * r}z`;
		default: return `M${x} ${y - r * 1.3}l${r * 1.3} ${r * 1.3}l${-1.3 * r} ${r * 1.3}l${-1.3 * r} ${-1.3 * r}z`;
		}
	}
	const known = (v) => v !== null && v !== undefined;
	const short = (text, width) => text.length > width / 6.8 ? text.slice(0, Math.max(Math.floor(width / 6.8) - 1, 3)) + "…" : text;

	// spread returns the range of values with a margin.
	function spread(values) {
		let low = Infinity, high = -Infinity;
		for (const v of values) if (known(v)) { low = Math.min(low, v); high = Math.max(high, v); }
		if (!(low <= high)) return [0, 1];
		const margin = (high - low) * 0.06 || Math.abs(high) * 0.01 || 1;
		return [low - margin, high + margin];
	}

	// rows draws an axis of values at the bottom and returns how one becomes a place.
	function rows(svg, width, height, low, high, unit) {
		const box = { left: 8, right: width - 12, top: 6, bottom: height - 40 };
		const x = (v) => box.left + (v - low) / (high - low) * (box.right - box.left);
		const step = steps(high - low, (box.right - box.left) / 80);
		for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) {
			const at = x(n * step);
			add(svg, "line", { class: "grid", x1: at, x2: at, y1: box.top, y2: box.bottom });
			add(svg, "text", { x: at, y: box.bottom + 16, "text-anchor": at < 30 ? "start" : at > width - 40 ? "end" : "middle" }, (n * step).toFixed(digits(step)));
		}
		add(svg, "line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom });
		add(svg, "text", { class: "soft", x: box.right, y: box.bottom + 33, "text-anchor": "end" }, unit);
		return x;
	}

	const dotsWithTitles = 2000; // more are one path for each command

	// runs draws the distribution of each command in a row.
	function drawRuns(place, bench) {
		const tall = 74, height = bench.commands.length * tall + 48;
		const { svg, width } = canvas(place, height);
		const [low, high] = spread(bench.commands.flatMap((c) => [...c.energy_J, ...c.ci95_J]));
		const x = rows(svg, width, height, low, high, "energy / J");
		const many = bench.commands.reduce((n, c) => n + c.energy_J.length, 0) > dotsWithTitles;
		bench.commands.forEach((c, n) => {
			const top = 8 + n * tall, middle = top + 36;
			const g = add(svg, "g", { class: `c${n % 6}` });
			add(g, "text", { class: "halo strong", x: 8, y: top + 11 }, short(c.label, width - 20));
			let path = "";
			c.energy_J.forEach((v, i) => {
				if (!known(v)) return;
				const d = shape(n, x(v), middle + ((i * 7) % 11 - 5) * 2, 3.2);
				if (many) path += d;
				else add(add(g, "path", { class: "dot", d }), "title", {}, `run ${i + 1}: ${v.toPrecision(6)} J`);
			});
			if (many) add(g, "path", { class: "dot", d: path });
			const [, q1, median, q3] = c.box_J;
			if (known(q1)) {
				add(g, "rect", { class: "box", x: x(q1), y: middle - 14, width: Math.max(x(q3) - x(q1), 1), height: 28 });
				add(g, "line", { class: "median", x1: x(median), x2: x(median), y1: middle - 14, y2: middle + 14 });
			}
			if (known(c.mean_J)) {
				const y = middle + 24;
				if (known(c.ci95_J[0])) add(g, "line", { class: "interval", x1: x(c.ci95_J[0]), x2: x(c.ci95_J[1]), y1: y, y2: y });
				const mean = add(g, "path", { class: "mean", d: shape(3, x(c.mean_J), y, 4) });
				add(mean, "title", {}, `mean ${c.mean_J.toPrecision(6)} J`);
			}
		});
	}

	// ratios draws the interval of each ratio.
	function drawRatios(place, bench) {
		const tall = 44, height = bench.ratios.length * tall + 48;
		const { svg, width } = canvas(place, height);
		const [low, high] = spread([1, ...bench.ratios.flatMap((r) => [r.energy_ratio, ...r.ci95])]);
		const x = rows(svg, width, height, low, high, "ratio of energies");
		add(svg, "line", { class: "one", x1: x(1), x2: x(1), y1: 6, y2: height - 40 });
		bench.ratios.forEach((r, n) => {
			const y = 8 + n * tall + 24;
			const g = add(svg, "g", { class: `c${n % 6}` });
			const text = known(r.energy_ratio) ? `${r.label}: ${r.energy_ratio.toFixed(4)}, ${r.verdict || "too few runs to say"}` : `${r.label}: there is no ratio`;
			add(g, "text", { class: "halo", x: 8, y: y - 12 }, short(text, width - 20));
			if (known(r.ci95[0])) add(g, "line", { class: "interval", x1: x(r.ci95[0]), x2: x(r.ci95[1]), y1: y, y2: y });
			if (known(r.energy_ratio)) add(g, "path", { class: "mean", d: shape(3, x(r.energy_ratio), y, 4) });
		});
	}

	// drift draws runs over time, against the mean of their command.
	function drawDrift(place, bench) {
		const legend = 18 * bench.commands.length, height = 240 + legend;
		const { svg, width } = canvas(place, height);
		const box = { left: 52, right: width - 10, top: 22 + legend, bottom: height - 40 };
		const off = (c, v) => known(v) && known(c.mean_J) && c.mean_J !== 0 ? (v / c.mean_J - 1) * 100 : null;
		const [low, high] = spread([0, ...bench.commands.flatMap((c) => c.energy_J.map((v) => off(c, v)))]);
		let from = Infinity, to = -Infinity;
		for (const c of bench.commands) for (const t of c.starts_s) if (known(t)) { from = Math.min(from, t); to = Math.max(to, t); }
		if (!(from <= to)) return;
		const margin = (to - from) * 0.02 || 1;
		from -= margin; to += margin;
		valueAxis(svg, box, low, high, "energy against the mean / %");
		timeAxis(svg, box, from, to);
		const x = (t) => box.left + (t - from) / (to - from) * (box.right - box.left);
		const y = (v) => box.bottom - (v - low) / (high - low) * (box.bottom - box.top);
		add(svg, "line", { class: "one", x1: box.left, x2: box.right, y1: y(0), y2: y(0) });
		bench.commands.forEach((c, n) => {
			const g = add(svg, "g", { class: `c${n % 6}` });
			const at = 26 + 18 * n;
			add(g, "path", { class: "dot", d: shape(n, box.left + 6, at, 4) });
			add(g, "text", { x: box.left + 16, y: at + 4 }, short(c.label, width - box.left - 30));
			let path = "";
			c.energy_J.forEach((v, i) => {
				const p = off(c, v);
				if (p !== null && known(c.starts_s[i])) path += shape(n, x(c.starts_s[i]), y(p), 3.2);
			});
			add(g, "path", { class: "dot", d: path });
		});
	}

	const benchPictures = { runs: drawRuns, ratios: drawRatios, drift: drawDrift };

	for (const figure of document.querySelectorAll("figure.picture")) {
		const { kind, index } = figure.dataset;
		if (kind === "power") {
			const r = data.recordings[index], points = decode(r.series);
			new chart.PowerPicture(figure, { ...r, index, zero: r.series.start_s, points: () => points });
			continue;
		}
		const place = figure.querySelector(".plot");
		let width = 0;
		// Again in the next frame: a picture with room for long names may make the page higher
		// and, by a scroll bar, this place narrower, which a browser tells on the console.
		const draw = () => {
			if (place.clientWidth === width) return;
			width = place.clientWidth;
			benchPictures[kind](place, data.benches[index]);
		};
		draw();
		new ResizeObserver(() => requestAnimationFrame(draw)).observe(place);
	}
	document.documentElement.dataset.drawn = "true";
})();
