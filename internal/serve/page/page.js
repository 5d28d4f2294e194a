"use strict";

// The live page: what one meter measures, as it comes, and how the others are. Names come from
// outside, and are only ever set as text.
(() => {
	const hour = 3600, usual = 600; // s; what is remembered, and what is shown at first
	const interval = 0.2; // s, of readings; their lowest and highest power are those of windows
	const silence = 2.5; // s without a reading after which there is a gap
	const most = 1000; // marks and gaps that are remembered

	const { watts, exact, length, clock } = chart;
	const byID = (id) => document.getElementById(id);
	const text = (e, s) => { if (e.textContent !== s) e.textContent = s; };

	// make returns an element with a text.
	function make(name, s, attributes) {
		const e = document.createElement(name);
		for (const key in attributes) e.setAttribute(key, attributes[key]);
		if (s !== undefined) e.textContent = s;
		return e;
	}

	// address returns where the API is: below this page, without what a login has put there.
	const address = (path) => new URL(path, location.origin + location.pathname).href;
	const meterAddress = (name, what) => address(`api/v1/meters/${encodeURIComponent(name)}/${what}`);

	// ask returns the JSON at a path. An error is the server's sentence.
	async function ask(url, options) {
		const answer = await fetch(url, { cache: "no-store", ...options });
		const value = await answer.json();
		if (!answer.ok) throw Object.assign(new Error(value.error || `the server answered ${answer.status}`), { said: true });
		return value;
	}

	// storage is what this browser remembers, where it may.
	const storage = {
		get: (key) => { try { return localStorage.getItem(`powerspy.${key}`); } catch { return null; } },
		set: (key, value) => { try { localStorage.setItem(`powerspy.${key}`, value); } catch { /* as said */ } },
	};

	// The server's clock, by which all times go.
	let ahead = 0; // s, against that of this machine
	const now = () => Date.now() / 1e3 + ahead;
	async function setClock() {
		const asked = Date.now();
		const { time_s } = await ask(address("api/v1/time"));
		ahead = time_s - (asked + Date.now()) / 2e3;
	}

	// lines hands on the lines of a stream of events until take returns true, or nothing has come
	// for a while.
	async function lines(url, patience, take, signal) {
		const ended = new AbortController();
		const end = () => ended.abort();
		signal.addEventListener("abort", end);
		let timer = setTimeout(end, patience * 1e3);
		try {
			const answer = await fetch(url, { cache: "no-store", signal: ended.signal });
			if (!answer.ok || signal.aborted) return;
			const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
			for (let rest = ""; ;) {
				const { done, value } = await reader.read();
				if (done) return;
				clearTimeout(timer);
				timer = setTimeout(end, patience * 1e3);
				const all = (rest + value).split("\n");
				rest = all.pop();
				for (const line of all) if (line && take(JSON.parse(line))) return;
			}
		} catch (e) {
			if (e.name !== "AbortError" && !ended.signal.aborted) throw e;
		} finally {
			clearTimeout(timer);
			signal.removeEventListener("abort", end);
			ended.abort();
		}
	}

	// A Meter is the one that is shown: what is remembered of it, and the stream of what comes.
	class Meter {
		constructor(name) {
			this.name = name;
			this.zero = Math.floor(now());
			this.series = new Series(true);
			this.detail = null; // windows of some seconds, that were asked for
			this.recent = []; // readings of the last second, as they came
			this.gaps = [];
			this.marks = [];
			this.end = null; // of the last reading or gap, UNIX seconds
			this.from = null; // from when the stream goes on
			this.heard = performance.now();
			this.settled = Infinity; // until when what is remembered comes in, on performance's clock
			this.delay = 1000; // ms until the next attempt
			this.closed = new AbortController();
			this.counter = Counter.from(storage.get(`energy.${name}`)) || new Counter(now());
			this.changed = true; // marks or gaps
			this.listMarks();
			this.begin();
		}

		close() {
			this.closed.abort();
			clearTimeout(this.timer);
			clearTimeout(this.marksTimer);
			if (this.stream) this.stream.close();
			this.store();
		}
		store() { storage.set(`energy.${this.name}`, JSON.stringify(this.counter)); }

		// begin reads what the server remembers, coarsely where it is long ago.
		async begin() {
			const start = now();
			const url = `${meterAddress(this.name, "events")}?interval=1s&from=${start - hour}`;
			try {
				await lines(url, 1.5, (line) => {
					if (line.type === "reading" && line.end_s > start - usual) return true;
					this.take(line);
					return false;
				}, this.closed.signal);
			} catch { /* the stream tells */ }
			this.from = this.end === null ? start - hour : this.end + 1e-3; // times of readings are rounded down
			this.settled = performance.now() + silence * 1e3;
			this.listen();
		}

		// listen opens the stream, from where the last one ended.
		listen() {
			if (this.closed.signal.aborted) return;
			if (this.stream) this.stream.close();
			clearTimeout(this.timer);
			this.heard = performance.now();
			const s = this.stream = new EventSource(`${meterAddress(this.name, "events")}?interval=${interval * 1e3}ms&from=${this.from}`);
			for (const kind of ["header", "reading", "gap", "status", "mark"]) {
				s.addEventListener(kind, (e) => {
					this.heard = performance.now();
					this.delay = 1000;
					this.take(JSON.parse(e.data));
					if (e.lastEventId) this.from = e.lastEventId;
				});
			}
			// The browser's own attempts end with the first answer that is none.
			s.addEventListener("error", () => {
				s.close();
				this.lost = true;
				this.timer = setTimeout(() => this.listen(), this.delay);
				this.delay = Math.min(this.delay * 1.5, 5000);
			});
			s.addEventListener("open", () => { this.lost = false; this.listMarks(); });
		}

		// take takes a line of a stream.
		take(line) {
			switch (line.type) {
			case "reading": return this.reading(line);
			case "gap": return this.gap(line.start_s, line.end_s, line.reason);
			case "status": return pollSoon();
			case "mark":
				this.mark({ time_s: line.time_s, name: line.name || "", end: Boolean(line.end), by: "" });
				clearTimeout(this.marksTimer);
				this.marksTimer = setTimeout(() => this.listMarks(), 500); // which says who set it
			}
		}

		reading(r) {
			if (this.end !== null && r.end_s < this.end - 5) { // the server's clock was set back
				this.series.n = 0;
				this.gaps = [];
				this.end = null;
				this.counter.upto = r.start_s;
			}
			if (this.end !== null && r.end_s <= this.end + 1e-6) return;
			let start = r.start_s, energy = r.energy_J;
			if (this.end !== null && start < this.end) {
				energy *= (r.end_s - this.end) / (r.end_s - start);
				start = this.end;
			}
			if (this.end !== null && start > this.end + 0.05) this.gap(this.end, start, "the server remembers nothing of it");
			this.series.push({
				start: start - this.zero, end: r.end_s - this.zero, mean: r.power_W, low: r.power_min_W, high: r.power_max_W,
				volts: r.voltage_V, amps: r.current_A, apparent: r.apparent_power_VA, hertz: r.frequency_Hz, energy,
			});
			this.counter.add(start, r.end_s, energy);
			this.end = r.end_s;
			this.recent = this.recent.filter((k) => k.end_s > r.end_s - 1);
			this.recent.push(r);
			this.dirty = true;
		}

		gap(start, end, reason) {
			if (this.end !== null) start = Math.max(start, this.end);
			if (!(end > start)) return;
			this.gaps.push({ start_s: start, end_s: end, reason: reason || "no reason is known" });
			this.trim(this.gaps, "end_s");
			this.end = end;
			this.changed = this.dirty = true;
		}

		mark(m) {
			const same = this.marks.find((k) => k.time_s === m.time_s && k.name === m.name && k.end === m.end);
			if (same) {
				if (same.by === m.by || !m.by) return;
				same.by = m.by;
			} else {
				this.marks.push(m);
				this.marks.sort((a, b) => a.time_s - b.time_s);
				// The phase that was begun last goes on, however old it is.
				this.trim(this.marks, "time_s");
			}
			this.changed = this.dirty = true;
		}

		// trim drops what is older than an hour, but for the last, and what is too much.
		trim(list, key) {
			let n = Math.max(0, list.length - most);
			while (n < list.length - 1 && list[n][key] < now() - hour && list[n + 1][key] < now() - hour) n++;
			list.splice(0, n);
		}

		async listMarks() {
			try {
				const list = await ask(`${meterAddress(this.name, "marks")}?from=${now() - 24 * hour}`, { signal: this.closed.signal });
				for (const m of list.slice(-most)) this.mark({ time_s: m.time_s, name: m.name, end: Boolean(m.end), by: m.by });
			} catch { /* the next one that is set asks again */ }
		}

		// phases returns what marks begin.
		phases() {
			const list = [];
			this.marks.forEach((m, i) => {
				if (!m.end) list.push({ name: m.name, start_s: m.time_s, end_s: i + 1 < this.marks.length ? this.marks[i + 1].time_s : now() });
			});
			return list;
		}

		// late reports whether the last reading is old.
		late() { return this.end === null || now() - this.end > silence; }

		// silent reports whether that is a gap: readings should have come.
		silent() { return this.end !== null && this.late() && performance.now() > this.settled; }

		// figures returns those of the last second, under the names of a reading; null: there are none.
		figures() {
			if (this.series.n === 0 || this.late()) return null;
			const average = (field) => this.series.average(field, this.end - this.zero - 1.001);
			const peak = (key) => Math.max(...this.recent.map((r) => r[key]));
			return {
				power_W: average("mean"), voltage_V: average("volts"), current_A: average("amps"), apparent_power_VA: average("apparent"),
				frequency_Hz: average("hertz"), voltage_peak_V: peak("voltage_peak_V"), current_peak_A: peak("current_peak_A"),
			};
		}

		// points returns what is drawn between two times.
		points(from, to) {
			const d = this.detail;
			return d && d.from <= from + 1e-6 && to <= d.to + 1e-6 ? d.series : this.series;
		}

		// look asks for the windows of a view that is short, stands still and is over, once.
		look(from, to) {
			clearTimeout(this.detailTimer);
			const same = this.asked && Math.abs(this.asked.from - from) + Math.abs(this.asked.to - to) < 1e-4;
			if (same || to - from > 30 || this.end === null || this.zero + to > this.end || this.points(from, to) !== this.series) return;
			this.detailTimer = setTimeout(() => this.fetchDetail(from, to), 300);
		}

		async fetchDetail(from, to) {
			if (this.asking) this.asking.abort();
			this.asked = { from, to };
			const asking = this.asking = new AbortController();
			const end = () => asking.abort();
			this.closed.signal.addEventListener("abort", end);
			const margin = Math.min(to - from, 15);
			const d = { from: from - margin, to: Math.min(to + margin, this.end - this.zero), series: new Series(false) };
			try {
				await lines(`${meterAddress(this.name, "events")}?from=${(this.zero + d.from).toFixed(6)}`, 1.5, (line) => {
					if (line.type !== "reading") return line.type === "gap" && line.start_s - this.zero > d.to;
					const start = line.start_s - this.zero;
					if (start >= d.to) return true;
					d.series.push({
						start, end: line.end_s - this.zero, mean: line.power_W, low: line.power_W, high: line.power_W,
						volts: line.voltage_V, amps: line.current_A, apparent: line.voltage_V * line.current_A, hertz: line.frequency_Hz, energy: line.power_W * line.length_s,
					});
					return false;
				}, asking.signal);
			} catch { return; } finally {
				this.closed.signal.removeEventListener("abort", end);
			}
			// What the server has forgotten is still here, merged.
			if (asking.signal.aborted || d.series.n === 0) return;
			const first = d.series.start[0], forgotten = this.series.sum(d.from, first);
			if (forgotten && forgotten.covered > 0.5) d.from = first;
			this.detail = d;
			this.dirty = true;
		}
	}

	// What is shown.

	let meters = []; // as the server lists them
	let unreachable = ""; // why the server can't be asked
	let shown = null; // the Meter
	let picture = null;
	let drawnAt = 0, drawnDirty = false;

	// view is what the picture draws of a meter.
	const view = (m) => ({
		zero: m.zero, live: true, baseline_W: null, jobs: [], index: 0,
		get start_s() { return Math.min(m.series.n ? m.zero + m.series.start[0] : Infinity, now() - usual); },
		get end_s() { return now(); },
		get marks() { return m.marks; },
		get phases() { return m.phases(); },
		get gaps() { return m.silent() ? [...m.gaps, { start_s: m.end, end_s: now(), reason: state(m).words }] : m.gaps; },
		points: (from, to) => m.points(from, to),
		drawn: (p) => { showShown(m, p); if (!p.follows) m.look(p.from, p.to); },
	});

	// state returns how a meter is, in a word and in words.
	function state(m) {
		if (unreachable) return { state: "lost", words: `${unreachable}; it is tried again` };
		if (m.lost) return { state: "lost", words: "the stream of readings broke; it is opened again" };
		const listed = meters.find((l) => l.name === m.name);
		if (!listed) return { state: "lost", words: "the server has no such meter any more" };
		if (listed.state === "away") return { state: "away", words: `away: ${listed.reason}` };
		if (listed.state === "connecting") return { state: "connecting", words: "connecting to the meter" };
		if (m.silent()) return { state: "connecting", words: "no reading has come for some seconds" };
		return { state: "up", words: listed.simulated ? "measuring (simulated)" : "measuring" };
	}

	const short = (w) => `${w.toFixed(w < 99.995 ? 2 : 1)}`;
	function joules(j) {
		const a = Math.abs(j);
		return a < 1e4 ? `${j.toFixed(a < 100 ? 2 : 1)} J` : a < 1e7 ? `${(j / 1e3).toFixed(a < 1e6 ? 2 : 1)} kJ` : `${(j / 1e6).toFixed(2)} MJ`;
	}
	function hours(j) {
		const wh = j / 3600;
		return Math.abs(wh) < 1000 ? `${wh.toFixed(wh < 1 ? 4 : 3)} Wh` : `${(wh / 1000).toFixed(3)} kWh`;
	}

	// draw draws the picture where a pixel of it may have changed.
	function draw() {
		if (document.hidden || !shown || !picture) return;
		const passed = performance.now() / 1e3 - drawnAt, range = picture.to - picture.from;
		const due = picture.follows ? range / 700 : shown.dirty || shown.silent() ? 1 : Infinity;
		if (!shown.changed && !drawnDirty && passed < Math.max(due, interval * 0.9)) return;
		drawnAt = performance.now() / 1e3;
		drawnDirty = shown.dirty = false;
		picture.advance();
	}

	const figure = (name, value, note) => {
		text(document.querySelector(`[data-figure=${name}]`), value);
		text(document.querySelector(`[data-note=${name}]`), note);
	};

	// fresh returns a reading where it is not old. It is shown while what is remembered comes in.
	const fresh = (r) => r && now() - r.end_s < 2 * silence ? r : null;

	// showNow shows the figures of the last second.
	function showNow() {
		const m = shown, s = state(m);
		const badge = byID("state");
		text(badge.firstElementChild, s.words);
		badge.dataset.state = s.state;
		const listed = meters.find((l) => l.name === m.name), f = m.figures() || (performance.now() < m.settled && listed && fresh(listed.last_reading));
		document.querySelector(".now").classList.toggle("stale", !f);
		if (!f) {
			text(byID("watts"), "–");
			for (const name of ["volts", "amps", "factor", "hertz"]) figure(name, "–", "");
			document.title = `${m.name} – powerspy`;
			return;
		}
		text(byID("watts"), short(f.power_W));
		figure("volts", `${f.voltage_V.toFixed(2)} V`, `peak ${f.voltage_peak_V.toFixed(1)} V`);
		figure("amps", `${f.current_A.toFixed(4)} A`, `peak ${f.current_peak_A.toFixed(3)} A`);
		figure("factor", f.apparent_power_VA > 0 ? (f.power_W / f.apparent_power_VA).toFixed(3) : "–", `${f.apparent_power_VA.toFixed(2)} VA`);
		figure("hertz", `${f.frequency_Hz.toFixed(3)} Hz`, listed && listed.window_s ? `windows of ${length(listed.window_s)}` : "");
		document.title = `${short(f.power_W)} W – ${m.name}`;
	}

	const shownFigure = (name, value) => text(document.querySelector(`[data-shown=${name}]`), value);

	// showShown shows the figures of what the picture shows.
	function showShown(m, p) {
		const s = p.p.sum(p.from, p.to);
		shownFigure("low", s ? watts(s.low) : "–");
		shownFigure("mean", s ? watts(s.energy / s.covered) : "–");
		shownFigure("high", s ? watts(s.high) : "–");
		shownFigure("energy", s ? joules(s.energy) : "–");
		shownFigure("hours", s ? hours(s.energy) : "");
		shownFigure("covered", s ? `of ${length(s.covered)} measured` : "");
		for (const b of document.querySelectorAll("[data-do=live]")) b.setAttribute("aria-pressed", p.follows);
	}

	// showEnergy shows what was counted, and what it costs.
	function showEnergy() {
		const c = shown.counter, passed = Math.max(c.upto, now(), c.since) - c.since;
		text(byID("since"), passed < 86400 ? clock(c.since, 1) : new Date(c.since * 1e3).toLocaleString());
		text(byID("joules"), joules(c.energy));
		text(byID("hours"), hours(c.energy));
		text(byID("mean"), c.covered > 0 ? watts(c.energy / c.covered) : "–");
		const missing = passed - c.covered;
		text(byID("duration"), `over ${length(passed)}` + (missing > silence ? `, ${length(missing)} not measured` : ""));
		const price = Number(byID("price").value.trim().replace(",", "."));
		const currency = byID("currency").value.trim();
		const valid = byID("price").value.trim() !== "" && price >= 0;
		const cost = price * c.energy / 3.6e6;
		text(byID("cost"), valid ? `${cost.toFixed(cost < 1 ? 5 : 2)} ${currency}` : "–");
		text(byID("priced"), valid ? `${(c.covered > 0 ? price * c.energy / c.covered * 8.766 : 0).toFixed(2)} ${currency} in a year at this mean` : "type the price of a kWh");
	}

	// showEvents lists marks and gaps, the newest first.
	function showEvents() {
		const rows = shown.gaps.map((g) => ({ t: g.start_s, what: `gap: ${g.reason}`, length: length(g.end_s - g.start_s), by: "" }));
		const marks = shown.marks;
		marks.forEach((m, i) => rows.push({
			t: m.time_s, what: m.end ? "end of phase" : m.name, name: !m.end, by: m.by,
			length: m.end ? "" : i + 1 < marks.length ? length(marks[i + 1].time_s - m.time_s) : "goes on",
		}));
		rows.sort((a, b) => b.t - a.t);
		byID("events").replaceChildren(...rows.slice(0, 100).map((r) => {
			const tr = document.createElement("tr");
			tr.append(make("th", exact(r.t), { scope: "row" }), make("td", r.what, r.name ? { class: "name" } : {}), make("td", r.length), make("td", r.by, { class: "name" }));
			return tr;
		}));
	}

	// showMinutes fills the table of minutes, where it is open.
	function showMinutes() {
		const details = byID("minutes");
		if (!details.open) return;
		const m = shown, rows = [];
		for (let minute = Math.floor(now() / 60), k = 0; k < 60; minute--, k++) {
			const s = m.series.sum(minute * 60 - m.zero, minute * 60 + 60 - m.zero);
			if (!s) continue;
			const tr = document.createElement("tr");
			tr.append(make("th", clock(minute * 60, 60), { scope: "row" }), ...[(s.energy / s.covered).toFixed(2), s.low.toFixed(2), s.high.toFixed(2), s.energy.toFixed(1), length(s.covered)].map((v) => make("td", v)));
			rows.push(tr);
		}
		details.querySelector("tbody").replaceChildren(...rows);
	}

	// say lets a screen reader tell: how the meter is as soon as that changes, its power now and then.
	let said = { state: "", power: 0, at: 0 };
	function say() {
		const s = state(shown), power = shown.series.n && !shown.late() ? shown.series.average("mean", shown.end - shown.zero - 1.001) : NaN;
		const passed = performance.now() - said.at;
		const news = s.words !== said.state && passed > 5e3 || passed > 30e3 && Math.abs(power - said.power) > 0.05 * Math.abs(said.power);
		if (!news) return;
		text(byID("spoken"), `${shown.name}: ${s.words}` + (power === power ? `, ${short(power)} watts` : ""));
		said = { state: s.words, power, at: performance.now() };
	}

	// Meters.

	function showMeters() {
		const list = byID("meters");
		const names = meters.map((m) => m.name);
		if (JSON.stringify(names) !== list.dataset.names) {
			list.dataset.names = JSON.stringify(names);
			list.replaceChildren(...names.map((name) => {
				const a = make("a", undefined, { href: "#" + encodeURIComponent(name) });
				a.append(make("span", name, { class: "name" }), make("span"));
				const li = document.createElement("li");
				li.append(a);
				return li;
			}));
		}
		meters.forEach((m, i) => {
			const a = list.children[i].firstElementChild;
			text(a.lastElementChild, unreachable ? "?" : m.state === "up" && m.last_reading ? `${short(m.last_reading.power_W)} W` : m.state);
			if (shown && m.name === shown.name) a.setAttribute("aria-current", "page");
			else a.removeAttribute("aria-current");
		});
	}

	// choose shows the meter that the address names, else the first one.
	function choose() {
		let name = "";
		try { name = decodeURIComponent(location.hash.slice(1)); } catch { /* it names none */ }
		const found = meters.find((m) => m.name === name) || (shown && meters.find((m) => m.name === shown.name)) || meters[0];
		if (!found || shown && shown.name === found.name) return;
		if (shown) shown.close();
		shown = new Meter(found.name);
		said = { state: "", power: 0, at: 0 };
		byID("main").hidden = false;
		byID("waiting").hidden = true;
		text(byID("meter"), found.name);
		text(byID("said"), "");
		if (picture) {
			picture.forget();
			picture.take(view(shown));
		} else {
			picture = new chart.PowerPicture(document.querySelector("figure[data-kind=power]"), view(shown), commands);
		}
		last(usual);
		update();
	}

	// poll asks how the meters are.
	let polling = false;
	async function poll() {
		if (polling) return;
		polling = true;
		try {
			meters = await ask(address("api/v1/meters"), { signal: AbortSignal.timeout(8000) });
			unreachable = "";
			choose();
		} catch (e) {
			unreachable = e.said ? e.message : "the server does not answer";
			text(byID("waiting"), unreachable);
		}
		polling = false;
		showMeters();
	}
	let soon = 0;
	function pollSoon() {
		clearTimeout(soon);
		soon = setTimeout(poll, 200);
	}

	// Commands.

	// last shows the last so many seconds.
	function last(range) { picture.look(picture.last - range, picture.last); }

	const commands = {
		live: () => last(picture.to - picture.from > usual ? usual : picture.to - picture.from),
		minute: () => last(60), ten: () => last(usual), csv: download,
	};

	// download saves what is shown.
	function download() {
		const p = picture.p, rows = ["start_s,end_s,power_W,power_min_W,power_max_W,voltage_V,current_A,apparent_power_VA,frequency_Hz,energy_J"];
		for (let i = p.after(picture.from); i < p.n && p.start[i] < picture.to; i++) {
			rows.push([
				(shown.zero + p.start[i]).toFixed(6), (shown.zero + p.end[i]).toFixed(6), p.mean[i].toFixed(6), p.low[i].toFixed(6), p.high[i].toFixed(6),
				p.volts[i].toFixed(6), p.amps[i].toFixed(6), p.apparent[i].toFixed(6), p.hertz[i].toFixed(6), p.energy[i].toFixed(6),
			].join(","));
		}
		const url = URL.createObjectURL(new Blob([rows.join("\n") + "\n"], { type: "text/csv" }));
		const name = shown.name.replace(/[^A-Za-z0-9._-]+/g, "_").slice(0, 60);
		const time = new Date((shown.zero + picture.from) * 1e3).toISOString().slice(0, 19).replaceAll(":", "");
		make("a", undefined, { href: url, download: `powerspy-${name}-${time}Z.csv` }).click();
		setTimeout(() => URL.revokeObjectURL(url), 60e3);
	}

	// setMark sends a mark, and says what became of it.
	async function setMark(mark) {
		const line = byID("said"), to = shown.name;
		line.dataset.kind = "";
		text(line, "");
		try {
			const m = await ask(meterAddress(to, "marks"), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(mark) });
			text(line, m.end ? `The phase ended at ${exact(m.time_s)}.` : `“${m.name}” was set at ${exact(m.time_s)}.`);
			return true;
		} catch (e) {
			line.dataset.kind = "refused";
			text(line, `Not set: ${e.message}.`);
			return false;
		}
	}
	byID("mark-form").addEventListener("submit", async (e) => {
		e.preventDefault();
		const name = byID("mark").value.trim();
		if (name && await setMark({ name })) byID("mark").value = "";
	});
	byID("end").addEventListener("click", () => setMark({ end: true }));
	byID("reset").addEventListener("click", () => {
		shown.counter = new Counter(now());
		shown.store();
		showEnergy();
	});
	byID("price-form").addEventListener("submit", (e) => e.preventDefault());
	for (const id of ["price", "currency"]) {
		byID(id).value = storage.get(id) || "";
		byID(id).addEventListener("input", () => { storage.set(id, byID(id).value); if (shown) showEnergy(); });
	}
	// Another page of this browser counts and costs the same.
	addEventListener("storage", (e) => {
		for (const id of ["price", "currency"]) if (e.key === `powerspy.${id}`) byID(id).value = e.newValue || "";
		const other = shown && e.key === `powerspy.energy.${shown.name}` && Counter.from(e.newValue);
		if (other && other.since > shown.counter.since) shown.counter = other;
		if (shown) showEnergy();
	});
	byID("minutes").addEventListener("toggle", () => { if (shown) showMinutes(); });
	addEventListener("hashchange", () => { choose(); showMeters(); });
	addEventListener("pagehide", () => { if (shown) shown.store(); });

	// wake goes on after this machine slept, or its network did: a stream that was cut then may
	// look as if it lived.
	function wake() {
		setClock().catch(() => {});
		poll();
		if (shown && shown.stream) shown.listen();
	}
	addEventListener("online", wake);
	document.addEventListener("visibilitychange", () => {
		if (document.hidden) return;
		drawnDirty = true;
		poll();
	});

	function update() {
		showNow();
		showEnergy();
		draw();
	}

	let ticked = Date.now(), ticks = 0;
	setInterval(() => {
		const slept = Date.now() - ticked > 15e3; // less is a tab that is hidden
		ticked = Date.now();
		if (slept && !document.hidden) wake();
		if (!shown || document.hidden) return;
		// Something comes each few seconds while the server lives and the meter is up.
		if (shown.stream && !shown.lost && state(shown).state !== "away" && performance.now() - shown.heard > 15e3) shown.listen();
		draw();
		if (++ticks % 2) return;
		showNow();
		showEnergy();
		if (shown.changed) {
			shown.changed = false;
			showEvents();
		}
		say();
		if (ticks % 50 === 0) { shown.store(); showMinutes(); }
	}, 200);
	setInterval(() => { if (!document.hidden) poll(); }, 2000);
	setInterval(() => setClock().catch(() => {}), 60e3);
	setClock().catch(() => {}).then(poll);
})();
